"""The arrows of docs/architecture.md, and that the help answers for every part of the layout."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "dabs": {"dabs"},
    "dabs/bench": {"dabs"},
    "dabs/check": {"dabs"},
    "dabs/launch": {"dabs"},
    "dabs/cli": {"dabs", "leaderboard"},
    "domains": {"dabs", "domains"},
    "domains/paper": {"dabs", "domains"},
    "algorithms": {"dabs", "algorithms"},
    "leaderboard": {"dabs", "leaderboard"},
}
OURS = {"dabs", "domains", "algorithms", "leaderboard"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from domains.paper import _rows` takes a file, `from domains.paper._rows import Rows` a name in it
            folder = (ROOT / node.module.replace(".", "/")).is_dir()
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if folder else {node.module}
    return names


FILES = [(package, path) for package in ALLOWED for path in sorted((ROOT / package).glob("*.py"))]


@pytest.mark.parametrize(("package", "path"), FILES, ids=lambda x: x.name if isinstance(x, Path) else x)
def test_arrows(package, path):
    for name in imported(path):
        first, *rest = name.split(".")
        if first in OURS:
            assert first in ALLOWED[package], f"{path} imports {name}"
        if first == package.split("/")[0] and first in ("domains", "algorithms") and rest:
            assert any(part.startswith("_") for part in rest), f"{path} imports its neighbour {name}"
        if package == "leaderboard":
            assert first not in ("torch", "torchvision", "torchaudio", "lightning_fabric"), f"{path} imports {name}"


@pytest.mark.parametrize(("package", "path"), FILES, ids=lambda x: x.name if isinstance(x, Path) else x)
def test_files_are_short_and_say_what_they_are(package, path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    assert ast.get_docstring(ast.parse(text)), path
