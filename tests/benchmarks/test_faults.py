"""The script that causes accidents finds what is wrong, and nothing is wrong after a sample of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.helpers.places import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def accidents(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from accidents import commands, stage

    return commands, stage


def test_it_finds_what_is_missing_changed_or_left_behind(accidents, tmp_path):
    _, stage = accidents
    for name, run in {"whole": {"loss": 1, "wall_seconds": 2.5}, "again": {"loss": 1, "wall_seconds": 3.5}}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(run))
        (tmp_path / name / "weights").write_bytes(b"12345678")
        (tmp_path / name / "metrics.csv").write_text(f"step,loss,examples_per_second\n0,0.5,{run['wall_seconds']}\n")
    wanted, again = stage.file_contents(tmp_path / "whole"), tmp_path / "again"
    assert stage.differences(stage.file_contents(again), wanted) == ([], 0)
    (again / "weights").write_bytes(b"1234567")
    (again / ".encoder.0123abcd.tmp").mkdir()
    assert stage.differences(stage.file_contents(again), wanted) == (["weights is different"], 8)
    assert stage.leftovers(again) == [".encoder.0123abcd.tmp was left behind"]
    (again / "weights").unlink()
    (again / "more").write_text("")
    problems, lost = stage.differences(stage.file_contents(again), wanted)
    assert problems == ["weights is missing", "more was not there in an undisturbed run"]
    tally = stage.Tally("x")
    tally.judge(problems, lost)
    tally.judge([], 0)
    assert (tally.tried, tally.survived, tally.lost, tally.wrong) == (2, 1, 8, 1)


def test_it_finds_a_half_written_checkpoint(accidents, tmp_path):
    commands, _ = accidents
    assert commands.checkpoint_damage(tmp_path)[0].startswith(f"{tmp_path.name} is half-written")
    (tmp_path / "training.pt").write_bytes(b"whole")
    digest = "4fd2a1d1d28a1a8a6c7d2d4d2a1f3b0f"
    (tmp_path / "sha256.json").write_text(json.dumps({"training.pt": digest}))
    assert commands.checkpoint_damage(tmp_path) == [f"{tmp_path.name}/training.pt is half-written"]


@pytest.mark.slow
@pytest.mark.parametrize("word", ["kill checkpoint", "nan", "signal launcher"])
def test_a_sample_of_accidents_does_no_harm(word):
    command = [sys.executable, str(BENCHMARKS / "faults.py"), "--quick", "--only", word]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    total = next(line for line in result.stdout.splitlines() if line.startswith("all "))
    tried, survived, lost, wrong = (int(number.replace(",", "")) for number in total.split()[1:5])
    assert tried == survived >= 2
    assert (lost, wrong) == (0, 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_thirty_sequences_of_commands_show_no_wrong_number_and_reach_no_dead_end():
    command = [sys.executable, str(BENCHMARKS / "sequences.py"), "--sequences", "30", "--length", "6", "--seeds", "1"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert int(result.stdout.split()[0]) >= 30
