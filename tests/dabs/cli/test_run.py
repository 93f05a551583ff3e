"""The grid with real worker processes, and what a stopped or killed one leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dabs.config import FIRST_SEED
from dabs.training.checkpoint import latest_checkpoint
from dabs.training.run_folder import read_provenance


def start(out: Path, *words: str) -> subprocess.Popen[str]:
    fixed = ["--domains", "toy", "--protocol", "knn", "--out", str(out)]
    command = [sys.executable, "-m", "dabs", "run", *fixed, *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, cwd=out.parent
    )


def until(happened: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.timeout(900)
def test_the_grid_runs_in_workers_and_repeats_no_finished_cell(toy_plugin, tmp_path):
    words = ("--algorithms", "none", "shed", "--steps", "6", "--jobs", "2")
    first = start(tmp_path / "runs", *words)
    text, _ = first.communicate(timeout=240)
    assert first.returncode == 0, text
    assert "report: " in text
    results = sorted((tmp_path / "runs").rglob("*.result.json"))
    assert len(results) == 4 * 3  # raw, summary, none and shed x three tasks
    stamps = [path.stat().st_mtime_ns for path in results]
    second = start(tmp_path / "runs", *words)
    text, _ = second.communicate(timeout=120)
    assert "4 cells, 4 done already" in text
    assert [path.stat().st_mtime_ns for path in results] == stamps


@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "number", "words"),
    [
        (os.killpg, signal.SIGINT, "the same command resumes"),  # Ctrl-C reaches all processes
        (
            os.kill,
            signal.SIGTERM,
            "jobs done; the same command resumes from there",
        ),  # to the launcher alone, as a scheduler may
    ],
)
def test_a_stopped_grid_leaves_a_resumable_run_and_no_traceback(toy_plugin, tmp_path, send, number, words):
    run = tmp_path / "runs" / "lite" / "shed" / "toy" / f"seed{FIRST_SEED}"
    grid = start(tmp_path / "runs", "--algorithms", "shed", "--steps", "5000", "--jobs", "1")
    until(lambda: (run / "metrics.csv").exists())
    send(grid.pid, number)
    text, _ = grid.communicate(timeout=60)
    assert grid.returncode == 128 + number
    assert "Traceback" not in text
    assert words in text
    assert latest_checkpoint(run) is not None
    assert read_provenance(run) is None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_killed_grid_leaves_no_worker_behind(toy_plugin, tmp_path):
    run = tmp_path / "runs" / "lite" / "shed" / "toy" / f"seed{FIRST_SEED}"
    grid = start(tmp_path / "runs", "--algorithms", "shed", "--steps", "5000", "--jobs", "1")
    until(lambda: (run / "metrics.csv").exists())
    workers = children(grid.pid)
    assert workers
    grid.kill()
    grid.communicate()
    until(lambda: not any(alive(pid) for pid in workers), 20)
    assert latest_checkpoint(run) is not None, "the worker saved when its launcher was gone"
