"""Run jobs in the order of their dependencies.

Each job starts as soon as the jobs it needs have succeeded. A lost job is run again; a failed one does not stop the
others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor
from typing import Protocol

from dabs.errors import first_line
from dabs.launch.job import Job, Outcome
from dabs.utils.signals import Interrupted, StopFlag, stop_flag

POLL_SECONDS = 0.1  # between looks at the running jobs


class Handle(Protocol):
    """A submitted job; a `concurrent.futures.Future` is one."""

    def done(self) -> bool:
        """Return whether the job has ended."""

    def result(self) -> Outcome:
        """Return how the job ended; raise if its process or node was lost."""


class Executor(Protocol):
    """The place where jobs run."""

    #: Whether the other running jobs are lost too when the process of one dies.
    shared_fate: bool
    #: What `Handle.result` raises when a process or node was lost. Any other error would come again, so it is final.
    losses: tuple[type[Exception], ...]

    def submit(self, job: Job) -> Handle:
        """Start a job, or queue it."""

    def stop(self) -> None:
        """Let running jobs save their state, and end them and the queued ones; then `close` returns soon."""

    def close(self) -> None:
        """Wait for what runs, and leave no process behind."""


class Watcher(Protocol):
    """A display of the jobs, which `run_graph` calls."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Show that a job has succeeded, or failed for good."""

    def lost(self, job: Job, reason: str) -> None:
        """Show that the process or node of a job was lost and that the job is run again."""

    def look(self) -> None:
        """Show progress; called repeatedly while jobs run."""

    def stopping(self, running: int) -> None:
        """Show that a signal came, and that some running jobs may save their state."""


def run_graph(jobs: Iterable[Job], executor: Executor, watcher: Watcher, *, retries: int = 2) -> dict[str, Outcome]:
    """Run jobs in the order of their dependencies; on Ctrl-C or SIGTERM, let them save their state and stop.

    Args:
        jobs: with unique names.
        executor: where they run.
        watcher: what shows them.
        retries: how often a lost job is run again. A job that fails is not.

    Returns:
        The outcome of each job, by name. A job that could not run because a job it needs failed has failed too.

    Raises:
        Interrupted: a signal came. Nothing is left running; a second Ctrl-C does not wait until the state is saved.
    """
    graph = _Graph(jobs, executor, watcher, retries)
    with stop_flag() as stop:
        try:
            return graph.run(stop)
        except KeyboardInterrupt:
            watcher.stopping(len(graph.running))
            executor.stop()
            raise


class _Graph:
    def __init__(self, jobs: Iterable[Job], executor: Executor, watcher: Watcher, retries: int) -> None:
        self.waiting = {job.name: job for job in jobs}
        self.executor, self.watcher, self.retries = executor, watcher, retries
        self.running: list[tuple[Job, Handle]] = []
        self.outcomes: dict[str, Outcome] = {}
        self.losses: Counter[str] = Counter()
        self.alone = False  # whether only one job was running
        self.suspects: list[Job] = []  # jobs that shared the fate of a process that died; each is run again alone

    def run(self, stop: StopFlag) -> dict[str, Outcome]:
        """Submit jobs and collect their outcomes until none is left, or a signal asks to stop."""
        total = len(self.waiting)
        while self.waiting or self.running or self.suspects:
            if stop.number:
                text = f"stopped with {len(self.outcomes)} of {total} jobs done; the same command resumes from there"
                raise Interrupted(text, stop.number)
            self._submit()
            self.watcher.look()
            ended = [pair for pair in self.running if pair[1].done()]
            self.alone = len(self.running) == 1
            for job, handle in ended:
                self.running.remove((job, handle))
                self._finish(job, handle)
            if not ended:
                time.sleep(POLL_SECONDS)
        self.watcher.look()
        return self.outcomes

    def _submit(self) -> None:
        if self.suspects:
            if not self.running:
                self._start(self.suspects.pop(0))
            return
        for job in list(self.waiting.values()):
            failed = [name for name in job.after if name in self.outcomes and not self.outcomes[name].ok]
            if failed:
                del self.waiting[job.name]
                self._end(job, Outcome(False, f"it needs {', '.join(failed)}, which failed", ran=False))
            elif all(name in self.outcomes for name in job.after):
                del self.waiting[job.name]
                self._start(job)

    def _start(self, job: Job) -> None:
        self.running.append((job, self.executor.submit(job)))

    def _finish(self, job: Job, handle: Handle) -> None:
        try:
            outcome = handle.result()
        except self.executor.losses as error:  # an error of the job itself would be an outcome
            # if several jobs shared the fate of a process, any of them may have killed it
            self.losses[job.name] += self.alone or not self.executor.shared_fate
            reason = first_line(error)
            if self.losses[job.name] > self.retries:
                killed = " (out of memory?)" if isinstance(error, BrokenExecutor) else ""
                text = f"its process was lost {self.losses[job.name]} times{killed}: {reason}"
                self._end(job, Outcome(False, text))
                return
            self.watcher.lost(job, reason)
            if self.executor.shared_fate:
                self.suspects.append(job)
            else:
                self.waiting[job.name] = job
        except Exception as error:
            self._end(job, Outcome(False, f"{type(error).__name__}: {first_line(error)}"))
        else:
            self._end(job, outcome)

    def _end(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.name] = outcome
        self.watcher.ended(job, outcome)
