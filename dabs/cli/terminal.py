"""What several commands show in the terminal: progress bars and a warning."""

from __future__ import annotations

import os

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 200  # columns of a table that goes into a pipe or a file
WIDTH_OF_BARS = 112  # columns from which progress has bars; without them it fits into 80


def table_console() -> Console:
    """Return a console for tables, as wide as the terminal, or wide if there is no terminal."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=WIDTH_WITHOUT_TERMINAL)


def warn_unless_clean(console: Console) -> None:
    """Warn, before hours are spent, if results of this copy of dabs cannot be submitted."""
    from dabs.utils.environment import NO_CHECKOUT, environment

    made_by = environment()
    if made_by["git_dirty"] or made_by["git_commit"] == NO_CHECKOUT:
        dirty = "runs from a checkout with uncommitted changes, or from an installed copy that was edited"
        state = dirty if made_by["git_dirty"] else "is a copy that does not know its git commit"
        note = f"note: dabs {state}; results made now cannot be submitted"
        console.print(note, style="yellow", highlight=False, soft_wrap=True)


class _TimeLeftColumn(TimeRemainingColumn):
    """The time left: a task's field `left` in seconds, where it has one; otherwise what its progress says."""

    max_refresh = 0.0

    def render(self, task: Task) -> Text:
        """Return minutes and seconds, or hours too."""
        if "left" not in task.fields:
            return super().render(task)
        minutes, seconds = divmod(round(task.fields["left"]), 60)
        hours, minutes = divmod(minutes, 60)
        return Text(
            f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}", "progress.remaining"
        )


def training_progress(console: Console | None = None) -> Progress:
    """Return progress lines with a title, step, loss, examples per second and time left.

    A wide terminal shows a bar and the time spent as well.
    """
    console = console or Console()
    wide = console.width >= WIDTH_OF_BARS
    return Progress(
        TextColumn("{task.description}"),
        *((BarColumn(bar_width=24),) if wide else ()),
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}", markup=False),
        *((TimeElapsedColumn(),) if wide else ()),
        _TimeLeftColumn(compact=True),
        TextColumn("left"),
        console=console,
    )


class PreparationDisplay:
    """Shows what a preparation is doing (call it with a line of text), and a bar for each file being downloaded."""

    def __init__(self, prefix: str, console: Console) -> None:
        self.prefix = prefix
        self.shown = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self.line = Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), console=console)
        self.says = self.line.add_task(prefix)
        self.files: dict[str, TaskID] = {}
        self.live = Live(Group(self.line, self.shown), console=console, transient=True)

    def __enter__(self) -> PreparationDisplay:
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def __call__(self, line: str) -> None:
        """Show what is being done."""
        self.line.update(self.says, description=f"{self.prefix}: {line}")

    def progress(self, name: str, done: int, total: int) -> None:
        """Show how much of a file is downloaded; may be called from any thread."""
        if name not in self.files:
            self.files[name] = self.shown.add_task(name)
        self.shown.update(self.files[name], completed=done, total=total or None, visible=not total or done < total)


NUMBER_FORMATS = {"loss": "loss {:.3f}", "examples_per_second": "{:,.0f}/s"}


def progress_text(text: str = "", **numbers: float) -> str:
    """Return the text that `training_progress` shows next to the bar."""
    return "  ".join(filter(None, (text, *(NUMBER_FORMATS[name].format(value) for name, value in numbers.items()))))
