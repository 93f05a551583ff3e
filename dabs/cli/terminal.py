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
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

WIDTH_WITHOUT_TERMINAL = 200  # columns of a table that goes into a pipe or a file


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


def training_progress(console: Console | None = None) -> Progress:
    """Return progress bars with a title, step, loss, examples per second, time spent and time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[shown]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
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


NUMBER_FORMATS = {"loss": "loss {:.3f}", "examples_per_second": "{:,.0f} examples/s"}


def progress_text(text: str = "", **numbers: float) -> str:
    """Return the text that `training_progress` shows next to the bar."""
    return "  ".join(filter(None, (text, *(NUMBER_FORMATS[name].format(value) for name, value in numbers.items()))))
