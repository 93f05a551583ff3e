"""The order of tasks: each as soon as those it needs are done; what is lost again; what fails without the others."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from dabs.errors import first_line
from dabs.launch.job import Job, Outcome

PAUSE = 0.1  # seconds between looks at what is running


class Handle(Protocol):
    """A task on its way; a `concurrent.futures.Future` is one."""

    def done(self) -> bool:
        """Whether it has ended."""

    def result(self) -> Outcome:
        """How; raises when its process or node was lost."""


class Executor(Protocol):
    """Where tasks run."""

    #: Whether the death of one task's process takes along those of others.
    shared_fate: bool

    def submit(self, task: Job) -> Handle:
        """Start a task, or queue it."""

    def close(self) -> None:
        """Leave nothing behind."""


class Watcher(Protocol):
    """Whoever shows what goes on."""

    def ended(self, task: Job, outcome: Outcome) -> None:
        """A task has succeeded or failed for good."""

    def lost(self, task: Job, reason: str) -> None:
        """A task's process or node was lost, and it is run again."""

    def look(self) -> None:
        """Called again and again while tasks run."""


def run_graph(tasks: Iterable[Job], executor: Executor, watcher: Watcher, *, retries: int = 2) -> dict[str, Outcome]:
    """Run all tasks, those that fail included once and those that are lost up to `retries` times more.

    Returns:
        The outcome of each task that ran or could not run because one it needs failed.
    """
    return _Graph(tasks, executor, watcher, retries).run()


class _Graph:
    def __init__(self, tasks: Iterable[Job], executor: Executor, watcher: Watcher, retries: int) -> None:
        self.waiting = {task.name: task for task in tasks}
        self.executor, self.watcher, self.retries = executor, watcher, retries
        self.running: list[tuple[Job, Handle]] = []
        self.outcomes: dict[str, Outcome] = {}
        self.losses: Counter[str] = Counter()
        self.alone = False  # whether a single task was running
        self.suspects: list[Job] = []  # were running when a process died that several share: each goes on alone

    def run(self) -> dict[str, Outcome]:
        """Submit, look and finish until nothing is left; gives every task's outcome."""
        while self.waiting or self.running or self.suspects:
            self._submit()
            self.watcher.look()
            ended = [pair for pair in self.running if pair[1].done()]
            self.alone = len(self.running) == 1
            for task, handle in ended:
                self.running.remove((task, handle))
                self._finish(task, handle)
            if not ended:
                time.sleep(PAUSE)
        self.watcher.look()
        return self.outcomes

    def _submit(self) -> None:
        if self.suspects:
            if not self.running:
                self._start(self.suspects.pop(0))
            return
        for task in list(self.waiting.values()):
            needed = [self.outcomes.get(name) for name in task.after if name not in self.waiting]
            if any(outcome is not None and not outcome.ok for outcome in needed):
                del self.waiting[task.name]
                self._end(task, Outcome(False, f"it needs {', '.join(task.after)}", ran=False))
            elif all(name in self.outcomes for name in task.after):
                del self.waiting[task.name]
                self._start(task)

    def _start(self, task: Job) -> None:
        self.running.append((task, self.executor.submit(task)))

    def _finish(self, task: Job, handle: Handle) -> None:
        try:
            self._end(task, handle.result())
        except Exception as error:  # not of the task's own making: those are outcomes
            # where several shared a process's fate, it is not known whose fault it was
            self.losses[task.name] += self.alone or not self.executor.shared_fate
            reason = first_line(error)
            if self.losses[task.name] > self.retries:
                text = f"its process was lost {self.losses[task.name]} times (out of memory?): {reason}"
                self._end(task, Outcome(False, text))
                return
            self.watcher.lost(task, reason)
            if self.executor.shared_fate:
                self.suspects.append(task)
            else:
                self.waiting[task.name] = task

    def _end(self, task: Job, outcome: Outcome) -> None:
        self.outcomes[task.name] = outcome
        self.watcher.ended(task, outcome)
