"""What goes into the wheel: every package with its data files."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_every_folder_with_code_is_a_listed_package():
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    tops = ("dabs", "domains", "algorithms", "leaderboard")
    found = {".".join(p.parent.relative_to(ROOT).parts) for top in tops for p in (ROOT / top).rglob("__init__.py")}
    assert listed == found


def test_every_file_that_is_no_code_is_listed_as_data():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    listed = {path for package, globs in patterns.items() for glob in globs for path in (ROOT / package).glob(glob)}
    tops = ("dabs", "domains", "algorithms", "leaderboard")
    files = {p for top in tops for p in (ROOT / top).rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc")}
    committed = [ROOT / "leaderboard" / name for name in ("results", "submissions")]
    assert {p for p in files if not any(folder in p.parents for folder in committed)} == listed


def test_the_three_torch_packages_are_pinned_together():
    wanted = {"torch==2.11.*", "torchvision==0.26.*", "torchaudio==2.11.*"}
    assert wanted <= set(PROJECT["project"]["dependencies"])
