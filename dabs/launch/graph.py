"""Run jobs in the order of their dependencies.

Each job starts as soon as the jobs it needs have succeeded. A lost job is run again; a failed one does not stop the
others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from dabs.errors import first_line
from dabs.launch.job import Job, Outcome

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

    def submit(self, job: Job) -> Handle:
        """Start a job, or queue it."""

    def close(self) -> None:
        """Stop, and leave no process behind."""


class Watcher(Protocol):
    """A display of the jobs, which `run_graph` calls."""

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Show that a job has succeeded, or failed for good."""

    def lost(self, job: Job, reason: str) -> None:
        """Show that the process or node of a job was lost and that the job is run again."""

    def look(self) -> None:
        """Show progress; called repeatedly while jobs run."""


def run_graph(jobs: Iterable[Job], executor: Executor, watcher: Watcher, *, retries: int = 2) -> dict[str, Outcome]:
    """Run jobs in the order of their dependencies.

    Args:
        jobs: with unique names.
        executor: where they run.
        watcher: what shows them.
        retries: how often a lost job is run again. A job that fails is not.

    Returns:
        The outcome of each job, by name. A job that could not run because a job it needs failed has failed too.
    """
    return _Graph(jobs, executor, watcher, retries).run()


class _Graph:
    def __init__(self, jobs: Iterable[Job], executor: Executor, watcher: Watcher, retries: int) -> None:
        self.waiting = {job.name: job for job in jobs}
        self.executor, self.watcher, self.retries = executor, watcher, retries
        self.running: list[tuple[Job, Handle]] = []
        self.outcomes: dict[str, Outcome] = {}
        self.losses: Counter[str] = Counter()
        self.alone = False  # whether only one job was running
        self.suspects: list[Job] = []  # jobs that shared the fate of a process that died; each is run again alone

    def run(self) -> dict[str, Outcome]:
        """Submit jobs and collect their outcomes until none is left."""
        while self.waiting or self.running or self.suspects:
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
            self._end(job, handle.result())
        except Exception as error:  # the process was lost; an error of the job itself would be an outcome
            # if several jobs shared the fate of a process, any of them may have killed it
            self.losses[job.name] += self.alone or not self.executor.shared_fate
            reason = first_line(error)
            if self.losses[job.name] > self.retries:
                text = f"its process was lost {self.losses[job.name]} times (out of memory?): {reason}"
                self._end(job, Outcome(False, text))
                return
            self.watcher.lost(job, reason)
            if self.executor.shared_fate:
                self.suspects.append(job)
            else:
                self.waiting[job.name] = job

    def _end(self, job: Job, outcome: Outcome) -> None:
        self.outcomes[job.name] = outcome
        self.watcher.ended(job, outcome)
