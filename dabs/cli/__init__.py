"""The command line: `dabs VERB ...`, one file per verb.

The verbs are thin: they call functions that a notebook can call too. A verb's file is imported only when the verb is
used, and this file imports nothing heavy, so `dabs --help` answers at once.

This file must not call the built-in functions `list` and `eval`: its modules of these names hide them once imported.
"""

from __future__ import annotations

import importlib
import sys
import traceback
import warnings
from functools import partial
from typing import Any

from dabs import __version__
from dabs.errors import DabsError, DabsWarning, first_line, unknown
from dabs.utils.signals import Interrupted, ended_by_sigterm

VERBS = {  # verb -> its module, and its line of help
    "list": ("dabs.cli.list", "domains, tasks and algorithms: a line, a card or JSON for each"),
    "data": ("dabs.cli.data", "prepare, status, verify: fetch the data, and check it"),
    "new": ("dabs.cli.new", "write a working algorithm file and its test, to start from"),
    "check": ("dabs.cli.check", "test every promise that an algorithm makes, in about a minute"),
    "pretrain": ("dabs.cli.pretrain", "pretrain one algorithm in one domain"),
    "eval": ("dabs.cli.eval", "evaluate a pretrained run on its domain's tasks"),
    "push": ("dabs.cli.push", "upload a run to the Hugging Face hub, with a model card"),
    "run": ("dabs.cli.run", "the whole benchmark: every algorithm in every domain, resumable"),
    "choose": ("dabs.cli.choose", "choose the best setting of a sweep by validation scores"),
    "bench": ("dabs.cli.bench", "how fast this machine trains and evaluates, and what limits it"),
    "submit": ("dabs.leaderboard.cli.submit", "make a submission of an algorithm's runs, or say what is missing"),
    "reproduce": (
        "dabs.leaderboard.cli.reproduce",
        "rerun cells of a submission and say whether the scores hold",
    ),
    "compare": ("dabs.leaderboard.cli.compare", "which algorithm is better, where, and how certain that is"),
    "leaderboard": (
        "dabs.leaderboard.cli.leaderboard",
        "show, build, export, verify: a table, pages and files of results",
    ),
}


def usage() -> str:
    """Return the text of `dabs --help`."""
    lines = [f"  {verb:12} {text}" for verb, (_, text) in VERBS.items()]
    return "\n".join(
        [
            "usage: dabs VERB ...   (`dabs VERB --help` for its options)",
            "",
            "DABS: a domain-agnostic benchmark for self-supervised learning.",
            "",
            *lines,
            "",
            "Data lives in $DABS_HOME (default: the user's cache folder), runs in ./runs.",
            "",
            "  --version                  print the version",
            "  --print-completion SHELL   print a script for the tab key of bash, zsh or fish",
            "  --debug                    after any verb: show the traceback of an error",
            "",
            "examples:",
            "  # the whole lite benchmark on this machine, then the table and an HTML report",
            "  dabs run",
            "  # start an algorithm of your own, and test what it promises",
            "  dabs new my_idea",
            "  dabs check my_idea.py:MyIdea",
        ]
    )


def dispatch(arguments: list[str]) -> int:
    """Run one verb and return the exit code.

    Raises:
        DabsError: a failure, for the user to read.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    if arguments[0] == "--version":
        print(f"dabs {__version__}")
        return 0
    if arguments[0] == "--print-completion":
        from dabs.cli.completion import completion_script

        print(completion_script("".join(arguments[1:2]), {v: text for v, (_, text) in VERBS.items()}, verb_module))
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        raise unknown("verb", verb, [*VERBS], of="dabs")
    return int(verb_module(verb).main(rest) or 0)


def verb_module(verb: str) -> Any:
    """Import the module of a verb.

    `dabs run` gets the table and report of `dabs leaderboard` this way, because `dabs.cli` must not import it.
    """
    return importlib.import_module(VERBS[verb][0])


def main(arguments: list[str] | None = None) -> None:
    """The entry point: print errors as one paragraph on stderr, with a traceback only for --debug, and exit."""
    # not `list(arguments)`: once `dabs list` is imported, `list` here is that module
    given = sys.argv[1:] if arguments is None else [*arguments]
    debug = "--debug" in given
    given = [word for word in given if word != "--debug"]
    warnings.showwarning = partial(show_warning, warnings.showwarning)
    try:
        with ended_by_sigterm():
            code = dispatch(given)
    except DabsError as error:
        code = print_error(str(error), error.code, debug)
    except Interrupted as error:
        code = print_error(str(error), error.code, debug)
    except KeyboardInterrupt:
        code = print_error("stopped; the same command resumes from what is done", 130, debug)
    except BrokenPipeError:
        code = 141
    except Exception as error:  # an error in an algorithm, or a bug of ours
        code = print_error(describe_error(error), 1, debug)
    sys.exit(code)


def show_warning(otherwise: Any, message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
    """Print a warning of ours as one line, without the place in the code that it comes from."""
    if issubclass(category, DabsWarning):
        print(f"dabs: {message}", file=sys.stderr)
    else:
        otherwise(message, category, *place, **more)


def print_error(message: str, code: int, debug: bool) -> int:
    """Print an error for the user and return the exit code."""
    if debug:
        traceback.print_exc()
    print(f"dabs: {message}", file=sys.stderr)
    return code


def describe_error(error: BaseException) -> str:
    """Return an unexpected exception as one paragraph with the place it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and "<frozen" not in frame.filename]
    place = f" at {own[-1].filename}:{own[-1].lineno} in {own[-1].name}" if own else ""
    first = first_line(error)
    return f"{type(error).__name__}{place}: {first} (run again with --debug for the whole traceback)"
