"""A signal to the launcher alone, or its death: jobs save their state, and nothing is left running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.helpers.places import ROOT
from tests.helpers.processes import marked_processes, needs_proc, wait_for

GRID = """
import sys
from pathlib import Path
from dabs.launch import Job, LaunchOptions, executor_of, run_graph
from dabs.utils.signals import Interrupted, ended_by_sigterm
from tests.dabs.launch.test_graph import Watched
from tests.helpers import launched

folder, launcher = Path(sys.argv[1]), sys.argv[2]
address = "local" if launcher == "slurm" else ""


def job(name, function, *more):
    return Job(name=name, function=function, arguments=(str(folder), name, *more), log=folder / "logs" / f"{name}.log")


jobs = [job("trains", launched.train, 60.0), job("reads", launched.stay_in_library), job("queued", launched.note)]
executor = executor_of(LaunchOptions(launcher=launcher, address=address, jobs=2, minutes=3), folder / "executor")
try:
    with ended_by_sigterm():
        run_graph(jobs[: 2 if launcher == "slurm" else 3], executor, Watched())
except Interrupted as error:
    executor.close()
    print(error, flush=True)
    sys.exit(error.code)
"""


RAY = (pytest.mark.slow, pytest.mark.ray)


@needs_proc
@pytest.mark.parametrize(
    ("launcher", "number", "code"),
    [
        ("local", signal.SIGINT, 130),
        ("local", signal.SIGTERM, 143),
        ("local", signal.SIGKILL, -9),
        pytest.param("slurm", signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param("slurm", signal.SIGKILL, -9, marks=pytest.mark.slow),
        pytest.param("ray", signal.SIGINT, 130, marks=RAY),
        pytest.param("ray", signal.SIGKILL, -9, marks=RAY),
    ],
)
def test_a_signal_to_the_launcher_ends_everything(launcher, number, code, tmp_path):
    if launcher != "local":
        pytest.importorskip({"ray": "ray", "slurm": "submitit"}[launcher])
    mark = f"DABS_TEST_MARK={tmp_path}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DABS_TEST_MARK": str(tmp_path)}
    command = [sys.executable, "-c", GRID, str(tmp_path), launcher]
    # in a shell's background job, SIGINT is ignored; a signal to this process alone must work there too
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True, preexec_fn=ignore_ctrl_c
    ) as grid:
        wait_for(lambda: (tmp_path / "trains").exists() and (tmp_path / "reads-child").exists(), 120)
        grid.send_signal(number)
        assert grid.wait(timeout=60) == code
        # Ray's daemons end by themselves once they miss the driver, which can take them a while
        wait_for(lambda: not [one for one in marked_processes(mark) if launcher != "ray" or works(one)], 60)
        text = grid.communicate()[0]
    if (launcher, number) != ("ray", signal.SIGKILL):  # Ray kills the jobs of a driver that has died
        assert (tmp_path / "trains-saved").exists()
    assert not (tmp_path / "queued").exists()
    if number != signal.SIGKILL:
        last = text.splitlines()[-1]
        assert re.fullmatch(r"stopped with 0 of [23] jobs done; the same command resumes from there", last)


def works(command: str) -> bool:
    """Return whether a process performs a job, or was started by one."""
    return "_perform" in command or "launched" in command


def ignore_ctrl_c() -> None:
    """Ignore SIGINT, as a shell lets its background jobs do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
