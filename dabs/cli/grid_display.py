"""What `dabs run` shows while its jobs run."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console

from dabs.cli.terminal import progress_text, training_progress
from dabs.grid.cells import prepare_domain
from dabs.grid.costs import TimeLeft, text_of
from dabs.launch import Executor, Job, Outcome, Progress


class GridDisplay:
    """A live display with a bar for all jobs, and one for each running job.

    Args:
        console: where it is shown.
        jobs: how many there are.
        executor: where they run.
        left: estimates the time that the grid still takes; None if that is unknown.
    """

    def __init__(self, console: Console, jobs: int, executor: Executor, left: TimeLeft | None) -> None:
        self.left = left
        self.messages: Any = getattr(executor, "messages", None)  # only processes on this machine send messages
        self.progress = training_progress(console)
        self.bars: dict[str, Any] = {}
        self.prepared = time.perf_counter()  # when the last dataset was prepared
        self.all = self.progress.add_task("[bold]jobs", total=jobs, shown="", **self._time_left())

    def _time_left(self) -> dict[str, Any]:
        """Return the seconds left of the whole grid, if they were estimated, for the display."""
        return {} if self.left is None else {"left": self.left.seconds()}

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Print how a job ended."""
        self.look()
        bar = self.bars.pop(job.name, None)
        if bar is not None:
            self.progress.remove_task(bar)
        line = f"done {job.name}: {outcome.text}" if outcome.ok else f"failed {job.name}"
        if not outcome.ran:
            line = f"left out {job.name}: {outcome.text}"
        if job.function is prepare_domain:
            self.prepared = time.perf_counter()
        if self.left is not None:
            self.left.end(job.name)
            if not self.progress.console.is_terminal:  # no bar is shown there
                line += f" ({text_of(self.left.seconds())} left)"
        self.progress.console.print(line, highlight=False, markup=False)
        self.progress.update(self.all, advance=1, **self._time_left())

    def lost(self, job: Job, reason: str) -> None:
        """Print that a job is run again."""
        line = f"lost {job.name}, running it again: {reason}"
        self.progress.console.print(line, highlight=False, markup=False)

    def stopping(self, running: int) -> None:
        """Print that running jobs save their state."""
        jobs = f"{running} running job{'s' * (running != 1)}"
        line = f"stopping: {jobs} may have a state to save (Ctrl-C again does not wait for it)"
        self.progress.console.print(line, highlight=False, soft_wrap=True)

    def look(self) -> None:
        """Show the messages of the running jobs."""
        while self.messages is not None and not self.messages.empty():
            message: Progress = self.messages.get()
            name, text = message.name, progress_text(message.text, **message.numbers)
            if name not in self.bars:
                self.bars[name] = self.progress.add_task(name, total=None, shown="")
                if not self.progress.console.is_terminal:  # no bar is shown there
                    self.progress.console.print(f"started {name}", highlight=False, markup=False)
            self.progress.update(self.bars[name], completed=message.step, total=message.steps or None, shown=text)
            if self.left is not None:
                self.left.update(name, message.step, message.steps)
        self.progress.update(self.all, **self._time_left())
