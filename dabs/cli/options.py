"""What the options of all verbs share: words in their help, examples, actions.

A verb describes each of its commands by a `Command`: a dataclass of options and some examples. How the options are
shown is decided here, once, through a rule that tyro calls for every dataclass.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TextIO, Union, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructFieldSpec, StructTypeInfo

from dabs.errors import RequestError, unknown

HELP = {"-h", "--help"}
EXAMPLE_WIDTH = 76  # columns of a line of an example
# what a value is called in the help: by the option's name, otherwise by its type
WORDS = {
    "address": "ADDRESS",
    "algorithm": "ALGORITHM",
    "algorithms": "ALGORITHM",
    "authors": "AUTHOR",
    "cell": "CELL",
    "domain": "DOMAIN",
    "domains": "DOMAIN",
    "name": "NAME",
    "run": "RUN",
    "runs": "RUN",
    "sbatch": "NAME=VALUE",
    "sources": "SOURCE",
    "store": "URL",
    "submission": "SUBMISSION",
    "target": "hf://USER/NAME",
    "sweep": "[ALGORITHM.]OPTION=VALUE,VALUE",
    "tasks": "TASK",
    "url": "URL",
    "what": "NAME",
}
WORD_OF_TYPE: dict[Any, str] = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
# titles of the boxes for options that several commands share or that an algorithm brings
TITLES = {"hyper_parameters": "algorithm", "training": "pretraining", "output": "output", "devices": "device"}
TITLES |= {"launching": "launcher"}

REGISTRY = ConstructorRegistry()
MARKERS = (
    tyro.conf.OmitArgPrefixes,
    tyro.conf.DisallowNone,
)  # `--suite None` says nothing that leaving it out does not
_ANSI = re.compile("\x1b\\[[0-9;]*m")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A verb, or one action of a verb.

    Attributes:
        words: what follows `dabs`, such as `data prepare`.
        options: a dataclass whose fields are its options; its docstring is the first paragraph of the help.
        examples: what each example does, and the command itself.
    """

    words: str
    options: Any
    examples: tuple[tuple[str, str], ...]

    @property
    def action(self) -> str:
        """The word that selects this command among those of its verb; empty if the verb has no actions."""
        return self.words.partition(" ")[2]

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return " ".join((self.options.__doc__ or "").split("\n\n")[0].split()).partition(". ")[0].rstrip(".")

    def parse(self, arguments: list[str], options: Any = None) -> Any:
        """Return the options that the arguments ask for; with --help, print the help and exit.

        Args:
            arguments: the words after those of the command.
            options: a dataclass to use instead of the command's own, such as one with an algorithm's hyper-parameters.
        """
        kind = options or self.options
        if HELP & set(arguments):
            print(self.help_text(kind))
            raise SystemExit(0)
        return self._tyro(kind, arguments)

    def help_text(self, options: Any) -> str:
        """Return the help: usage, what the command does, tyro's boxes of options, and the examples."""
        page = _Page(sys.stdout)
        with contextlib.redirect_stdout(page), contextlib.suppress(SystemExit):
            self._tyro(options, ["--help"])
        # tyro begins with a line of usage, whose length depends on the options, and an empty line
        _, _, boxes = page.getvalue().rstrip().split("\n", 2)
        shown = [line for line in boxes.split("\n") if not re.fullmatch("│ +│", _ANSI.sub("", line))]
        about = [_filled(paragraph) for paragraph in (options.__doc__ or "").split("\n\n")]
        return "\n".join([_usage(self.words, options), "", "\n\n".join(about), "", *shown, "", _shown(self.examples)])

    def _tyro(self, kind: Any, arguments: list[str]) -> Any:
        """Let tyro parse the arguments, or print the help."""
        prog = f"dabs {self.words}"
        return tyro.cli(kind, prog=prog, description="", args=arguments, config=MARKERS, registry=REGISTRY)

    def option_names(self) -> set[str]:
        """Return the names of its options, such as `--suite`."""
        return _option_names(self.options)


def choose(verb: str, about: str, commands: Sequence[Command], arguments: list[str]) -> tuple[Command, list[str]]:
    """Return the command that the first argument names, with the arguments after it; `dabs VERB --help` exits.

    Args:
        verb: the verb.
        about: what it does, for its help.
        commands: one for each of its actions.
        arguments: the words after the verb.

    Raises:
        RequestError: no action or an unknown one is named, or an option belongs to another action.
    """
    actions = {command.action: command for command in commands}
    if arguments and arguments[0] in HELP:
        print(_overview(verb, about, commands))
        raise SystemExit(0)
    if not arguments or arguments[0].startswith("-"):
        raise RequestError(
            f"`dabs {verb}` is followed by what to do: {', '.join(actions)}. `dabs {verb} --help` says what each does."
        )
    action, *rest = arguments
    if action not in actions:
        raise unknown("action", action, [*actions], of=f"dabs {verb}")
    command = actions[action]
    for word in rest:
        option = word.partition("=")[0].replace("_", "-")
        owners = [name for name, other in actions.items() if option in other.option_names()]
        if option.startswith("--") and owners and action not in owners:
            raise RequestError(
                f"`dabs {verb} {action}` has no use for {option}, which belongs to {' and '.join(owners)}. "
                "Leave it out."
            )
    return command, rest


class _Page(io.StringIO):
    """Collects what tyro prints, and looks to it like the stream that it will be printed on."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return (self.stream.encoding or "").lower()  # tyro draws its boxes only for "utf-8", written so

    def isatty(self) -> bool:
        return self.stream.isatty()


def _usage(words: str, options: Any) -> str:
    """Return the line of usage: what is required, and what has no name."""
    hints, parts = get_type_hints(options, include_extras=True), []
    for field in fields(options):
        kind, extras = _without_extras(hints[field.name])
        optional = field.default is not MISSING or field.default_factory is not MISSING
        word = metavar(field.name, kind) or field.name.upper()
        if tyro.conf.Positional in extras:
            parts.append(f"[{word}]" if optional else word)
        elif not optional:
            parts.append(f"--{field.name.replace('_', '-')} {word}")
    return " ".join(["usage: dabs", words, *parts, "[options]"])


def _overview(verb: str, about: str, commands: Sequence[Command]) -> str:
    """Return the help of a verb with actions: what each action does, and its first example."""
    lines = [f"usage: dabs {verb} ACTION [options]", "", _filled(about), ""]
    indent = 2 + max(len(command.action) for command in commands) + 2
    for command in commands:
        text = _filled(command.summary, " " * indent)
        lines.append(f"  {command.action:{indent - 2}}{text.lstrip()}")
    more = f"`dabs {verb} ACTION --help` shows the options of an action."
    return "\n".join([*lines, "", more, "", _shown([command.examples[0] for command in commands])])


def _filled(text: str, indent: str = "") -> str:
    """Return a paragraph with lines that fit into the terminal."""
    width = min(shutil.get_terminal_size().columns, 100)
    return textwrap.fill(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent)


def _shown(examples: Sequence[tuple[str, str]]) -> str:
    """Return examples as the last section of a help text; a long command continues before an option."""
    lines = ["examples:"]
    for about, command in examples:
        lines.append(f"  # {about}")
        shown, *rest = re.split(" (?=--)", command)
        line = f"  {shown}"
        for option in rest:
            if len(line) + len(option) > EXAMPLE_WIDTH:
                lines.append(f"{line} \\")
                line = f"      {option}"
            else:
                line += f" {option}"
        lines.append(line)
    return "\n".join(lines)


@REGISTRY.struct_rule
def _in_words(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Return what tyro makes of a dataclass, with words for its values and only defaults that say something."""
    if not is_dataclass(info.type):
        return None
    # tyro's own rule answers while this registry is not active
    REGISTRY.__exit__()
    try:
        spec = ConstructorRegistry.get_struct_spec(info)
    finally:
        REGISTRY.__enter__()
    if not isinstance(spec, StructConstructorSpec):
        return None
    return replace(spec, fields=tuple(_field_in_words(field) for field in spec.fields))


def _field_in_words(field: StructFieldSpec) -> StructFieldSpec:
    """Return a field with the word for its values, the title of its box, and a hint about its default."""
    base, markers = _without_extras(field.type)
    if is_dataclass(base):
        shown = tyro.conf.arg(name=TITLES.get(field.name, field.name))
    else:
        optional = field.default is not tyro.MISSING and field.default is not tyro.MISSING_NONPROP
        word = None if base is bool else metavar(field.name, base)
        if word and optional and tyro.conf.Positional in markers:
            word = f"[{word}]"
        shown = tyro.conf.arg(metavar=word, help_behavior_hint=_hint(base, field.default, optional=optional))
    # typing's Annotated takes any type, which type checkers do not see
    return replace(field, type=Annotated[field.type, shown])  # type: ignore[arg-type]


def _without_extras(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a type without Annotated and without None, and what Annotated adds to it."""
    extras: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        extras = tuple(rest)
    if get_origin(hint) in (Union, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        hint = kinds[0] if len(kinds) == 1 else hint
    return hint, extras


def metavar(name: str, kind: Any) -> str | None:
    """Return the word for an option's value, such as `N`, `PATH` or `DOMAIN ...`; None leaves it to tyro.

    Args:
        name: of the option.
        kind: the type of its value, without None.
    """
    if get_origin(kind) is Literal:
        return "{" + ",".join(map(str, get_args(kind))) + "}"
    if get_origin(kind) is tuple and get_args(kind)[1:] == (...,):
        one = metavar(name, get_args(kind)[0])
        return f"{one} ..." if one else None
    if get_origin(kind) in (Union, UnionType):
        words = [metavar(name, one) for one in get_args(kind)]
        return "|".join(word for word in words if word) if all(words) else None
    return WORDS.get(name) or WORD_OF_TYPE.get(kind)


def _hint(kind: Any, default: Any, *, optional: bool) -> str | None:
    """Return what the help says of a default: nothing if it stands for "not given"; None leaves it to tyro."""
    if not optional:
        return "(at least one)" if get_origin(kind) is tuple else None
    if default is True:
        return "(default: on)"
    # not `in (None, False, ...)`: 0 equals False, and is worth showing
    return "" if default is None or default is False or default in ("", ()) else None


def _option_names(options: Any) -> set[str]:
    """Return the names of the options of a dataclass and of the dataclasses in it."""
    found: set[str] = set()
    for name, hint in get_type_hints(options, include_extras=True).items():
        marks = getattr(hint, "__metadata__", ())
        if is_dataclass(hint):
            found |= _option_names(hint)
        elif tyro.conf.Positional not in marks:
            renamed = next((mark.name for mark in marks if getattr(mark, "name", None)), name)
            words = (renamed, f"no_{renamed}") if hint is bool else (renamed,)
            found |= {f"--{word.replace('_', '-')}" for word in words}
    return found
