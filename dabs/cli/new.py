"""`dabs new NAME`: write a working algorithm file and its test, to start from."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from dabs.cli.options import Command
from dabs.errors import RequestError
from dabs.utils.files import replacing

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True)
class NewOptions:
    """Write NAME.py, a working algorithm or domain, and test_NAME.py into this folder. Nothing is overwritten."""

    name: tyro.conf.Positional[str]  # my_idea or MyIdea: either makes the file my_idea.py with the class MyIdea
    domain: bool = False  # write a domain, to replace its data by your own


COMMAND = Command(
    words="new",
    options=NewOptions,
    examples=(
        ("write my_idea.py and test_my_idea.py, then test what was written", "dabs new my_idea"),
        ("the same two files, named by the class", "dabs new MyIdea"),
        ("a domain, in which your own data replaces the example's", "dabs new my_data --domain"),
    ),
)


def main(arguments: list[str]) -> None:
    """Parse, write the files, print the next commands."""
    options = COMMAND.parse(arguments)
    written, test, kind = write_new(options.name, Path.cwd(), domain=options.domain)
    lines = [
        f"wrote {written.name} and {test.name}",
        *(_next_for_domain if options.domain else _next_for_algorithm)(written, kind),
    ]
    Console().print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _next_for_domain(file: Path, kind: str) -> list[str]:
    reference = f"{file.name}:LITE"
    return [
        f"  dabs data prepare {reference}                  check the data and convert it",
        f"  dabs pretrain shed {reference}                 a run; wherever a domain's name goes, this goes too",
        f"  dabs run --algorithms none shed --domains {reference}     with the reference rows, and a table",
    ]


def _next_for_algorithm(file: Path, kind: str) -> list[str]:
    reference = f"{file.name}:{kind}"
    return [
        f"  dabs check {reference}                          about a minute, no data needed",
        f"  dabs pretrain {reference} sensor --steps 50 --out first-look     `--help` shows its options",
        f"  dabs run --algorithms none {reference} --seeds 3     all domains, against the random encoder",
        f"  dabs submit runs/lite/{kind} --help                   make a submission",
    ]


def names_of(name: str) -> tuple[str, str]:
    """Return the names of the file and of the class, for example my_idea and MyIdea.

    Raises:
        RequestError: the name does not suit both a Python file and a class, or would hide another module or class.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise RequestError(f"{name!r} cannot name a Python file: use letters, digits and underscores, as in my_idea.")
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("-", "_"))
    file = spaced.lower().strip("_")
    kind = "".join(part[:1].upper() + part[1:] for part in spaced.split("_"))
    taken = {
        *sys.stdlib_module_names,
        *keyword.kwlist,
        "torch",
        "numpy",
        "dabs",
        "domains",
        "algorithms",
        "leaderboard",
    }
    if file in taken or file.startswith("test_") or kind == "Algorithm":
        raise RequestError(f"a file {file}.py or class {kind} would hide another module or class; choose another name.")
    return file, kind


def write_new(name: str, folder: Path, *, domain: bool = False) -> tuple[Path, Path, str]:
    """Write the two files of an algorithm, or of a domain.

    Returns:
        The paths of the file and of its test, and the name of the class.

    Raises:
        RequestError: the name cannot be used, or one of the files exists.
    """
    file, kind = names_of(name)
    template = "domain" if domain else "algorithm"
    targets = {folder / f"{file}.py": f"{template}.txt", folder / f"test_{file}.py": f"test_{template}.txt"}
    for path in targets:
        if path.exists():
            raise RequestError(f"{path} already exists. Choose another name, or move the file away.")
    for path, template in targets.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        text = text.replace("NAME", file) if domain else text.replace("CLASS", kind).replace("FILE", file)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    written, test = targets
    return written, test, kind
