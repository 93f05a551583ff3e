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
    """Write NAME.py, a working algorithm, and test_NAME.py into the current folder. Nothing is overwritten."""

    name: tyro.conf.Positional[str]  # my_idea or MyIdea: either makes the file my_idea.py with the class MyIdea


COMMAND = Command(
    words="new",
    options=NewOptions,
    examples=(
        ("write my_idea.py and test_my_idea.py, then test what was written", "dabs new my_idea"),
        ("the same two files, named by the class", "dabs new MyIdea"),
    ),
)


def main(arguments: list[str]) -> None:
    """Parse, write the files, print the next commands."""
    options = COMMAND.parse(arguments)
    algorithm, test, kind = write_new(options.name, Path.cwd())
    reference = f"{algorithm.name}:{kind}"
    lines = [
        f"wrote {algorithm.name} and {test.name}",
        f"  dabs check {reference}                          about a minute, no data needed",
        f"  dabs pretrain {reference} sensor --steps 50     a first look; `--help` shows its options",
        f"  dabs run --algorithms none {reference} --seeds 2     all domains, against the random encoder",
        f"  dabs submit runs/lite/{kind} --help                   make a submission",
    ]
    Console().print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


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


def write_new(name: str, folder: Path) -> tuple[Path, Path, str]:
    """Write the two files.

    Returns:
        The paths of the algorithm and of its test, and the name of the class.

    Raises:
        RequestError: the name cannot be used, or one of the files exists.
    """
    file, kind = names_of(name)
    targets = {folder / f"{file}.py": "algorithm.txt", folder / f"test_{file}.py": "test_algorithm.txt"}
    for path in targets:
        if path.exists():
            raise RequestError(f"{path} already exists. Choose another name, or move the file away.")
    for path, template in targets.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        with replacing(path) as temporary:
            temporary.write_text(text.replace("CLASS", kind).replace("FILE", file), encoding="utf-8")
    algorithm, test = targets
    return algorithm, test, kind
