"""Graphs of jobs on every launcher: order, failures, lost jobs that are run again, logs; and locks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from dabs.errors import DabsError, RequestError
from dabs.launch import Executor, Job, LaunchOptions, Outcome, executor_of, run_graph
from dabs.launch.job import perform
from dabs.utils.files import sole_use
from tests.helpers import launched as work
from tests.helpers.in_process import InThisProcess
from tests.helpers.places import ROOT


class Watched:
    """A watcher that records what it is told."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.losses: list[str] = []

    def ended(self, job: Job, outcome: Outcome) -> None:
        self.order.append(job.name)

    def lost(self, job: Job, reason: str) -> None:
        self.losses.append(job.name)

    def look(self) -> None: ...

    def stopping(self, running: int) -> None: ...


def job_named(folder: Path, name: str, function=work.note, *more, after: tuple[str, ...] = ()) -> Job:
    log = folder / "logs" / f"{name}.log"
    return Job(name=name, function=function, arguments=(str(folder), name, *more), log=log, after=after)


def graph(folder: Path) -> list[Job]:
    """Return two jobs that fail or die for good, one that dies once, and jobs that need them."""
    return [
        job_named(folder, "last", after=("first", "dies-once")),
        job_named(folder, "first"),
        job_named(folder, "fails", work.fail),
        job_named(folder, "needs-fails", after=("fails",)),
        job_named(folder, "needs-that", after=("needs-fails",)),
        job_named(folder, "dies-once", work.die, 1),
        job_named(folder, "dies", work.die, 99),
        job_named(folder, "slow", work.sleep, 1.0),
    ]


@pytest.fixture
def importable(monkeypatch) -> None:
    """Let other processes import `tests.helpers.launched`."""
    import os

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(
    params=[
        "local",
        pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.ray]),
        pytest.param("slurm", marks=pytest.mark.slow),
    ]
)
def executor(request, tmp_path, importable) -> Iterator[Executor]:
    if request.param != "local":
        pytest.importorskip({"ray": "ray", "slurm": "submitit"}[request.param])
    address = "local" if request.param == "slurm" else ""
    found = executor_of(LaunchOptions(launcher=request.param, address=address, jobs=2), tmp_path / "executor")
    yield found
    found.close()


def test_a_graph_with_accidents(executor, tmp_path):
    watched = Watched()
    retries = 1  # submitit takes many seconds to notice that a job is lost
    outcomes = run_graph(graph(tmp_path), executor, watched, retries=retries)
    assert {name for name, outcome in outcomes.items() if outcome.ok} == {"first", "dies-once", "last", "slow"}
    assert outcomes["first"].text == "first noted"
    assert outcomes["fails"].text.startswith("ValueError at ")
    assert outcomes["fails"].text.endswith("fails has a mistake")
    assert not outcomes["needs-fails"].ran
    assert not outcomes["needs-that"].ran
    assert "lost 2 times" in outcomes["dies"].text
    assert watched.order.index("last") > max(watched.order.index(name) for name in ("first", "dies-once"))
    assert set(watched.losses) >= {"dies", "dies-once"}
    calls = {path.name: len(path.read_text().splitlines()) for path in tmp_path.iterdir() if path.is_file()}
    assert calls["fails"] == 1, "a job that raises is not run again"
    # if processes share their fate, a death beside other running jobs is not counted, such as that of dies-once
    assert calls["dies"] in ((2, 3, 4) if executor.shared_fate else (2,))
    assert calls["dies-once"] == 2
    assert "needs-fails" not in calls
    log = (tmp_path / "logs" / "fails.log").read_text()
    assert "fails prints" in log
    assert "Traceback" in log
    assert "process" in (tmp_path / "logs" / "dies.log").read_text()


def test_a_job_runs_where_it_was_made_and_prints_to_its_log(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for name in ("DABS_HOME", "DABS_DATA_DIR"):
        monkeypatch.setenv(name, "there")
    made = job_named(tmp_path, "first")
    monkeypatch.chdir("/")
    for name in ("DABS_HOME", "DABS_DATA_DIR"):
        monkeypatch.delenv(name)
    assert perform(made) == Outcome(True, "first noted")
    import os

    assert (Path.cwd(), os.environ["DABS_HOME"], os.environ["DABS_DATA_DIR"]) == (tmp_path, "there", "there")
    assert capfd.readouterr().out == ""
    assert "first prints" in made.log.read_text()


def test_a_job_whose_log_cannot_be_written_fails_and_is_not_lost(tmp_path):
    (tmp_path / "logs").write_text("a file")
    outcome = perform(job_named(tmp_path, "first"))
    assert not outcome.ok
    assert f"{tmp_path / 'logs'} is a file" in outcome.text
    assert not (tmp_path / "first").exists()


class Breaks(InThisProcess):
    """An executor whose jobs all raise an error instead of returning an outcome."""

    def __init__(self, error: Exception) -> None:
        super().__init__(1)
        self.error, self.calls = error, 0

    def submit(self, job: Job) -> Future[Outcome]:
        self.calls += 1
        broken: Future[Outcome] = Future()
        broken.set_exception(self.error)
        return broken


@pytest.mark.parametrize(
    ("error", "calls", "said"),
    [
        (BrokenProcessPool("killed"), 3, "its process was lost 3 times (out of memory?): killed"),
        (OSError("read-only"), 1, "OSError: read-only"),
    ],
)
def test_only_a_lost_process_is_started_again(tmp_path, error, calls, said):
    executor = Breaks(error)
    outcomes = run_graph([job_named(tmp_path, "first")], executor, Watched(), retries=2)
    assert (executor.calls, outcomes["first"].ok, outcomes["first"].text) == (calls, False, said)


def test_a_log_handler_of_an_earlier_job_writes_to_the_log_of_the_current_one(tmp_path):
    jobs = [job_named(tmp_path, name, work.log) for name in ("first", "second")]
    made = executor_of(LaunchOptions(jobs=1), tmp_path)
    try:
        outcomes = run_graph(jobs, made, Watched(), retries=0)
    finally:
        made.close()
    assert all(outcome.ok for outcome in outcomes.values())
    for job in jobs:
        text = job.log.read_text()
        assert f"{job.name} warns" in text
        assert "Logging error" not in text


@pytest.mark.parametrize(
    "options", [{"jobs": -1}, {"cpus": 0}, {"retries": -1}, {"minutes": 0}, {"sbatch": ("partition",)}]
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(RequestError):
        LaunchOptions(**options)


HOLD = "import sys, time; from pathlib import Path; from dabs.utils.files import sole_use\n" + (
    "with sole_use(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def test_a_folder_in_use_is_refused_until_its_process_is_gone(tmp_path, importable):
    run = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DabsError, match="another process is working on"), sole_use(run):
            pass
        other.kill()
    begun = time.monotonic()
    with sole_use(run, wait=True), sole_use(run):  # a killed process holds no lock; a process may take its own again
        assert time.monotonic() - begun < 10


def test_only_workers_get_the_number_of_threads_of_a_cell(tmp_path, monkeypatch):
    """A grid in a notebook leaves the notebook's own environment, and that of its later processes, as it was."""
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    monkeypatch.setattr("os.sched_getaffinity", lambda of: set(range(6)), raising=False)
    monkeypatch.setenv(variables[0], "7")
    monkeypatch.delenv(variables[1], raising=False)
    executor = executor_of(LaunchOptions(launcher="local", jobs=2), tmp_path / "executor")
    run_graph([job_named(tmp_path, "environment", work.environment, variables)], executor, Watched())
    executor.close()
    assert (tmp_path / "environment").read_text() == "3 3"
    assert [os.environ.get(one) for one in variables] == ["7", None]
