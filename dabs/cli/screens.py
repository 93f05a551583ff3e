"""The progress bars of the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def training_progress(console: Console | None = None) -> Progress:
    """Bars with what runs, step, loss, examples per second, time spent and left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def training_fields(loss: float, speed: float) -> dict[str, Any]:
    """What `training_progress` shows beside the bar."""
    return {"loss": f"loss {loss:.3f}", "speed": f"{speed:,.0f} examples/s"}
