"""What is shown in the terminal: its width, progress bars, a warning that several commands give."""

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

WIDE = 200  # columns for a table that goes into a pipe or a file


def table_console() -> Console:
    """A console for tables: as wide as the terminal, and wide where there is none that limits them."""
    console = Console()
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(width=WIDE)


def warn_unless_clean(console: Console) -> None:
    """Say, before hours are spent, that results of this checkout cannot become a submission."""
    from dabs.utils.environment import NO_CHECKOUT, environment

    made_by = environment()
    if made_by["git_dirty"] or made_by["git_commit"] == NO_CHECKOUT:
        where = "from a checkout with uncommitted changes" if made_by["git_dirty"] else f"from what is {NO_CHECKOUT}"
        note = f"note: dabs runs {where}; results made now cannot be submitted"
        console.print(note, style="yellow", highlight=False, soft_wrap=True)


def training_progress(console: Console | None = None) -> Progress:
    """Bars with what runs, step, loss, examples per second, time spent and left."""
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


class DataScreen:
    """A spinner with one line of what is being done, and a bar for each file that is downloaded; is itself a `say`."""

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

    def __enter__(self) -> DataScreen:
        self.live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.live.stop()

    def __call__(self, line: str) -> None:
        """Show what is being done."""
        self.line.update(self.says, description=f"{self.prefix}: {line}")

    def progress(self, name: str, done: int, total: int) -> None:
        """Draw how much of a file is there; may be called from any thread."""
        if name not in self.files:
            self.files[name] = self.shown.add_task(name)
        self.shown.update(self.files[name], completed=done, total=total or None, visible=not total or done < total)


FORMATS = {"loss": "loss {:.3f}", "examples_per_second": "{:,.0f} examples/s"}


def shown(text: str = "", **numbers: float) -> str:
    """What `training_progress` shows beside the bar."""
    return "  ".join(filter(None, (text, *(FORMATS[name].format(value) for name, value in numbers.items()))))
