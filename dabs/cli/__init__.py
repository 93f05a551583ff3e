"""The command line: `dabs VERB ...`. Thin: every verb calls functions that a notebook can call too.

This file imports nothing heavy, so that `dabs --help` answers at once; each verb's file is imported when it is used.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Any

from dabs import __version__
from dabs.errors import DabsError, first_line, unknown
from dabs.utils.signals import Interrupted, ended_by_sigterm

VERBS = {  # word -> the module behind it, imported when it is used, and its line of help
    "list": ("dabs.cli.list", "what there is: domains, tasks, algorithms, with their cards"),
    "data": ("dabs.cli.data", "prepare, status, verify: fetch and check the data; offline afterwards"),
    "new": ("dabs.cli.new", "write a working algorithm file and its test, to begin with"),
    "check": ("dabs.cli.check", "try every promise an algorithm makes, in about a minute"),
    "pretrain": ("dabs.cli.pretrain", "pretrain one algorithm in one domain"),
    "eval": ("dabs.cli.eval", "evaluate a pretrained run on its domain's tasks"),
    "run": ("dabs.cli.run", "the whole benchmark: every algorithm in every domain, resumable"),
    "bench": ("dabs.cli.bench", "how fast this machine trains, evaluates and reads, and what limits it"),
    "submit": ("dabs.leaderboard.cli.submit", "gather an algorithm's runs into a submission, or say what is missing"),
    "reproduce": (
        "dabs.leaderboard.cli.reproduce",
        "run cells of a submission again and say whether the scores hold",
    ),
    "compare": ("dabs.leaderboard.cli.compare", "compare algorithms: which is better, where, and how sure that is"),
    "leaderboard": (
        "dabs.leaderboard.cli.leaderboard",
        "show the table of results; build the HTML report or the site; verify what is committed",
    ),
}


def usage() -> str:
    """What `dabs --help` prints."""
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
            "--debug after any verb shows the traceback of an error; --version prints the version.",
        ]
    )


def dispatch(arguments: list[str]) -> int:
    """Run one verb; gives the exit code.

    Raises:
        DabsError: what went wrong, for the user to read.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0
    if arguments[0] == "--version":
        print(f"dabs {__version__}")
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        raise unknown("verb", verb, list(VERBS), of="dabs")
    return int(verb_module(verb).main(rest) or 0)


def verb_module(verb: str) -> Any:
    """Import the module behind a verb. `dabs run` ends with the table and report of `dabs leaderboard`."""
    return importlib.import_module(VERBS[verb][0])


def main(arguments: list[str] | None = None) -> None:
    """The entry point: errors become one paragraph on stderr and an exit code, with a traceback only for --debug."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in given
    given = [word for word in given if word != "--debug"]
    try:
        with ended_by_sigterm():
            code = dispatch(given)
    except DabsError as error:
        code = fail(str(error), error.code, debug)
    except Interrupted as error:
        code = fail(str(error), error.code, debug)
    except KeyboardInterrupt:
        code = fail("stopped; the same command goes on from what is done", 130, debug)
    except BrokenPipeError:
        code = 141
    except Exception as error:  # the last resort: an algorithm's own mistake, or ours
        code = fail(describe(error), 1, debug)
    sys.exit(code)


def fail(message: str, code: int, debug: bool) -> int:
    """Print an error for a person; gives the exit code."""
    if debug:
        traceback.print_exc()
    print(f"dabs: {message}", file=sys.stderr)
    return code


def describe(error: BaseException) -> str:
    """An unforeseen exception as one paragraph with the place it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename and "<frozen" not in frame.filename]
    place = f" at {own[-1].filename}:{own[-1].lineno} in {own[-1].name}" if own else ""
    first = first_line(error)
    return f"{type(error).__name__}{place}: {first} (run again with --debug for the whole traceback)"
