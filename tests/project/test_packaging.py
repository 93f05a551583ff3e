"""What goes into the wheel: every package with its data files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from tests.helpers.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


FOLDERS = {"dabs": "dabs", **PROJECT["tool"]["setuptools"]["package-dir"]}  # package -> folder of the repository


def test_every_folder_with_code_is_a_listed_package():
    listed = set(PROJECT["tool"]["setuptools"]["packages"])
    found = {
        ".".join((package, *path.parent.relative_to(ROOT / folder).parts))
        for package, folder in FOLDERS.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == found


def test_every_file_that_is_no_code_is_listed_as_data():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    listed = {path for package, globs in patterns.items() for glob in globs for path in folder_of(package).glob(glob)}
    files = {
        p
        for top in FOLDERS.values()
        for p in (ROOT / top).rglob("*")
        if p.is_file() and p.suffix not in (".py", ".pyc")
    }
    submissions = ROOT / "leaderboard" / "submissions"  # they bring their own source along, which is not installed
    assert {p for p in files if submissions not in p.parents} == listed


def folder_of(package: str) -> Path:
    top = max((name for name in FOLDERS if f"{package}.".startswith(f"{name}.")), key=len)
    return ROOT.joinpath(FOLDERS[top], *package.removeprefix(top).strip(".").split("."))


def test_no_requirement_is_listed_twice():
    names = [re.split(r"[^a-z0-9-]", line)[0] for line in PROJECT["project"]["dependencies"]]
    assert sorted(names) == sorted(set(names))


def test_the_three_torch_packages_have_matching_ranges():
    # torchvision 0.N goes with torch 2.(N - 15), torchaudio 2.N with torch 2.N
    wanted = {"torch>=2.10,<2.12", "torchvision>=0.25,<0.27", "torchaudio>=2.10,<2.12,!=2.11.1"}
    assert wanted <= set(PROJECT["project"]["dependencies"])
