"""The arrows of docs/architecture.md, and that the help answers for every part of the layout."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.helpers.places import ROOT

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
FILES = [(package, path) for package in ALLOWED for path in sorted((ROOT / package).glob("*.py"))]


@pytest.mark.parametrize(("package", "path"), FILES, ids=lambda x: x.name if isinstance(x, Path) else x)
def test_files_are_short_and_say_what_they_are(package, path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    assert ast.get_docstring(ast.parse(text)), path
