"""`dabs --print-completion SHELL`: a script that completes verbs and options."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Annotated, Any, Union

import tyro

from dabs.cli.options import MARKERS, REGISTRY, Command
from dabs.errors import RequestError

SHELLS = ("bash", "zsh", "fish")
# tyro's script offers nothing where it knows no words, so that file names are left to bash
FILE_NAMES_IN_BASH = """
_dabs() {
  _tyro_dabs
  [[ -n "${COMPREPLY[*]}" ]] || COMPREPLY=()
}
complete -o bashdefault -o default -F _dabs dabs
"""


def commands_of(module: Any) -> tuple[Command, ...]:
    """Return the commands of a verb's module: one for each of its actions, or a single one."""
    return getattr(module, "COMMANDS", None) or (module.COMMAND,)


def completion_script(shell: str, verbs: dict[str, str], load: Callable[[str], Any]) -> str:
    """Return the script for a shell.

    Args:
        shell: one of `SHELLS`.
        verbs: verb -> its line of help.
        load: returns the module of a verb.

    Raises:
        RequestError: there is no script for this shell.
    """
    if shell not in SHELLS:
        raise RequestError(
            f"--print-completion is followed by the name of a shell, {', '.join(SHELLS)}, not by {shell!r}."
        )
    kinds = tuple(_verb_type(verb, about, commands_of(load(verb))) for verb, about in verbs.items())
    union: Any = Union[kinds]  # noqa: UP007
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        tyro.cli(
            union,
            prog="dabs",
            args=["--tyro-print-completion", shell],
            config=(*MARKERS, tyro.conf.OmitSubcommandPrefixes),
            registry=REGISTRY,
        )
    return printed.getvalue() + (FILE_NAMES_IN_BASH if shell == "bash" else "")


def _verb_type(verb: str, about: str, commands: tuple[Command, ...]) -> Any:
    """Return the type of a verb's options, as one of tyro's subcommands; its actions are subcommands of it."""
    actions = tuple(Annotated[c.options, tyro.conf.subcommand(c.action, description=c.summary)] for c in commands)
    if len(actions) == 1:
        return Annotated[commands[0].options, tyro.conf.subcommand(verb, description=about)]
    union: Any = Union[actions]  # noqa: UP007
    return Annotated[Any, tyro.conf.subcommand(verb, description=about, constructor_factory=lambda: union)]
