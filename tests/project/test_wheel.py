"""An installed wheel: only `dabs` is at the top level, and no other package or folder can take its parts' place."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from dabs.cli import VERBS
from tests.helpers.places import ROOT

COLLIDING = ("algorithms", "domains", "leaderboard")
SETTINGS = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
MAX_WHEEL_BYTES = 20_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a repository of the files that git knows, with one commit."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split("\0"):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    stale = source / "build" / "lib" / "dabs" / "leaderboard" / "results" / "gone.linear.result.json"
    stale.parent.mkdir(parents=True)  # of an earlier build, which may not get into this one
    stale.write_text("{}")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "All of it")):
        subprocess.run(["git", "-C", source, *SETTINGS, *words], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("no package index to fetch setuptools from")
    assert done.returncode == 0, done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel, beside packages that are called like the folders of this project."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    own = next((folder / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(own)
    for name in COLLIDING:
        (own / name).mkdir()
        (own / name / "__init__.py").write_text("raise RuntimeError('this is another package')\n")
    # dependencies come from the environment that runs the tests, whose own import hook for dabs is not read
    paths = [path for path in sys.path if path.endswith("site-packages")]
    (own / "dependencies.pth").write_text("\n".join(paths) + "\n")
    return python


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A working folder that holds folders called like those of this project."""
    for name in COLLIDING:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('this is another folder')\n")
    return tmp_path


def run(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DABS_HOME": str(folder / "home"), "COLUMNS": "120"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run([str(python), *words], capture_output=True, text=True, cwd=folder, env=environment)


def test_only_dabs_is_at_the_top_level(wheel):
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"dabs"}


@pytest.mark.slow
def test_colliding_packages_and_folders_change_nothing(installed, notebook):
    where = run(installed, notebook, "-c", "import dabs.algorithms as a; print(a.__file__)").stdout
    assert str(installed.parents[1]) in where
    for verb in VERBS:
        done = run(installed, notebook, "-m", "dabs", verb, "--help")
        assert done.returncode == 0, f"{verb}: {done.stderr}"
    for words, expected in (
        (("list", "algorithms"), "shed"),
        (("list", "domains"), "sensor"),
        (("pretrain", "shed", "--help"), "--corruption-rate"),
        (("new", "my_idea"), "my_idea.py"),
        (("data", "status", "sensor"), "not prepared"),
        (("leaderboard", "show", "--suite", "paper"), "published"),
    ):
        done = run(installed, notebook, "-m", "dabs", *words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        assert expected in done.stdout, words
    (notebook / "runs").mkdir()
    for words in (
        ("pretrain", "shed", "sensor"),  # no data
        ("check", "shedd"),  # the answer suggests the registered name
        ("eval", "runs"),
        ("compare", "runs"),
        ("submit", "runs", "--name", "x", "--authors", "A", "--url", "https://example.org"),
        ("reproduce", "runs"),
    ):
        done = run(installed, notebook, "-m", "dabs", *words)
        assert done.returncode in (1, 2), f"{words}: {done.stdout}{done.stderr}"
        assert done.stderr.startswith("dabs: "), words
        assert "another" not in done.stderr.replace("another folder with --out", ""), done.stderr


def test_the_published_results_are_in_the_wheel(wheel):
    folder = ROOT / "leaderboard" / "results"
    files = [path for path in folder.rglob("*") if path.is_file()]
    wanted = {f"dabs/leaderboard/results/{path.relative_to(folder).as_posix()}" for path in files}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if name.startswith("dabs/leaderboard/results/")}
    assert found == wanted
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


@pytest.mark.slow
def test_published_results_are_read_and_compared_without_a_checkout(installed, notebook):
    for words, expected in (
        (("leaderboard", "show", "--results", "published"), "shed"),
        (("leaderboard", "export", "--results", "published", "--out", "all.csv"), "all.csv"),
        (("compare", "published:shed", "published:none", "--resamples", "200"), "all domains"),
    ):
        done = run(installed, notebook, "-m", "dabs", *words)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        assert expected in done.stdout, words


STATE = "from dabs.utils.environment import git_state; print(git_state())"


def test_an_installed_copy_knows_its_commit_and_whether_it_was_edited(installed, notebook):
    def state() -> dict[str, object]:
        return dict(ast.literal_eval(run(installed, notebook, "-c", STATE).stdout))

    (package,) = installed.parents[1].glob("lib/python*/site-packages/dabs")
    stamp = json.loads((package / "built_from.json").read_text())
    assert state() == {"git_commit": stamp["git_commit"], "git_dirty": False}
    assert len(stamp["git_commit"]) == 40
    edited = package / "algorithms" / "shed.py"
    before = edited.read_text()
    try:
        edited.write_text(before + "# edited\n")
        assert state() == {"git_commit": stamp["git_commit"], "git_dirty": True}
    finally:
        edited.write_text(before)
    (package / "built_from.json").rename(package / "hidden.json")
    try:
        assert state() == {"git_commit": "not a git checkout", "git_dirty": False}
    finally:
        (package / "hidden.json").rename(package / "built_from.json")
