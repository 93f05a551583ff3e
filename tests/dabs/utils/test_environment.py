"""What a run records about the checkout that it was made from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import dabs.utils.environment

SETTINGS = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, which seems to contain dabs."""
    (tmp_path / "dabs").mkdir()
    (tmp_path / "dabs" / "run.py").write_text("")
    (tmp_path / "other.txt").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", "other.txt")
    git(tmp_path, "commit", "-m", "A project")
    monkeypatch.setattr(dabs.utils.environment, "__file__", str(tmp_path / "dabs" / "run.py"))
    return tmp_path


def git(folder: Path, *words: str) -> str:
    """Return the output of git."""
    command = ["git", "-C", str(folder), *SETTINGS, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_of_another_project_is_not_recorded(repository):
    """A virtual environment may be inside a repository without dabs, which has its own changes."""
    (repository / "other.txt").write_text("changed")
    assert dabs.utils.environment.git_state() == {"git_commit": "not a git checkout", "git_dirty": False}


def test_a_checkout_names_its_commit_and_its_changes(repository):
    git(repository, "add", "dabs")
    git(repository, "commit", "-m", "dabs itself")
    commit = git(repository, "rev-parse", "HEAD")
    assert dabs.utils.environment.git_state() == {"git_commit": commit, "git_dirty": False}
    (repository / "dabs" / "run.py").write_text("# changed")
    assert dabs.utils.environment.git_state() == {"git_commit": commit, "git_dirty": True}


def test_a_process_counts_the_cores_that_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of a batch system has a few cores of many; more threads would stall each other."""
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {5, 9, 11}, raising=False)
    assert dabs.utils.environment.usable_cores() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    assert dabs.utils.environment.usable_cores() == 64
