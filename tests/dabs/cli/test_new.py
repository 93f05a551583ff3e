"""`dabs new` and `dabs check`, as a newcomer uses them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dabs.cli import main
from dabs.cli.new import names_of, write_new
from dabs.errors import RequestError


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return int(stop.value.code or 0)


@pytest.mark.slow
def test_the_new_algorithm_passes_its_own_test(tmp_path):
    subprocess.run([sys.executable, "-m", "dabs", "new", "my_idea"], cwd=tmp_path, check=True, capture_output=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_idea.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in result.stdout, result.stdout


@pytest.mark.slow
def test_the_new_domain_passes_its_own_test(tmp_path):
    subprocess.run([sys.executable, "-m", "dabs", "new", "my_data", "--domain"], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_data.py"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "3 passed" in result.stdout, result.stdout


@pytest.mark.parametrize("domain", [False, True])
def test_the_new_files_are_short_and_clean(domain, tmp_path):
    algorithm, test, kind = write_new("my_idea", tmp_path, domain=domain)
    assert kind == "MyIdea"
    assert 30 <= len(algorithm.read_text().splitlines()) <= 45
    command = [sys.executable, "-m", "ruff", "--isolated", "check", "--select", "E,F,B,UP", "--line-length", "120"]
    result = subprocess.run([*command, str(algorithm), str(test)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_nothing_is_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("test_mine.py").write_text("mine")
    assert call("new", "Mine") == 2
    assert "test_mine.py already exists" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["test_mine.py"]
    assert Path("test_mine.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [("my_idea", "my_idea", "MyIdea"), ("MyIdea", "my_idea", "MyIdea"), ("my-idea2", "my_idea2", "MyIdea2")],
)
def test_names(name, file, kind):
    assert names_of(name) == (file, kind)


@pytest.mark.parametrize("name", ["", "2nd", "a b", "../up", "class", "random", "torch", "Algorithm", "test_it", "é"])
def test_unusable_names_are_refused(name):
    with pytest.raises(RequestError):
        names_of(name)


def test_check_prints_reason_and_line_and_exits_with_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("bad.py").write_text(
        'from dabs.algorithm import Algorithm\n\n\nclass Bad(Algorithm):\n    """Nothing."""\n\n'
        "    def loss(self, encoder, batch):\n        return {}\n"
    )
    assert call("check", "bad.py:Bad", "--domains", "sensor") == 1
    out = capsys.readouterr().out
    assert "failed" in out
    assert "finite loss" in out
    assert "bad.py:7" in out
    assert "passed  builds" in out
