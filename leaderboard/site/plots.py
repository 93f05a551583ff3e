"""The layout of the figures, which the templates draw as inline SVG.

All lengths are in SVG user units. A figure is as wide as a page on a phone, so that its text has the same size
everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dabs.evaluation.reference_rows import REFERENCES
from dabs.leaderboard.tables.aggregate import CellMean, Table
from dabs.leaderboard.tables.render import describe_seeds, mark, points

LEFT, RIGHT = 12, 328  # ends of a dot plot's axis; the plot itself is 340 wide
LANE_HEAD, LANE_ROW, LANE_GAP = 20, 13, 12
PANEL_WIDTH, PANEL_HEIGHT = 106, 84
_SHAPES = (
    "M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0-8.4 0z",
    "M-3.7-3.7h7.4v7.4h-7.4z",
    "M0-5.2 5.2 0 0 5.2-5.2 0z",
    "M0-4.8 4.9 3.7h-9.8z",
    "M0 4.8 4.9-3.7h-9.8z",
    "M-1.7-4.8h3.4v3.1h3.1v3.4h-3.1v3.1h-3.4v-3.1h-3.1v-3.4h3.1z",
)


@dataclass(frozen=True, kw_only=True)
class MarkerStyle:
    """How every figure draws an algorithm. The shape differs as well, so that no one has to rely on colour.

    Attributes:
        algorithm: its name.
        tone: the CSS class of its colour.
        shape: the SVG path of its marker.
    """

    algorithm: str
    tone: str
    shape: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One algorithm in a lane: its mean at x, its interval from low to high; `title` says the same in words."""

    style: MarkerStyle
    x: float
    low: float
    high: float
    y: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One task of a dot plot: its heading, the dots below it, and the position of chance."""

    label: str
    metric: str
    y: float
    bottom: float
    chance: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True)
class DotPlot:
    """The scores in one domain, one lane per task."""

    domain: str
    height: float
    ticks: tuple[tuple[float, str], ...]
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, kw_only=True)
class CurvePanel:
    """Training loss of one algorithm in one domain: one line (SVG path data) per run, on a scale of its own."""

    style: MarkerStyle
    lines: tuple[tuple[str, str], ...]
    top: str
    bottom: str
    steps: str
    title: str


def assign_styles(algorithms: Sequence[str]) -> dict[str, MarkerStyle]:
    """Return a style for each algorithm; with more than six besides the references, colours and shapes pair anew."""
    learned = [name for name in algorithms if name not in REFERENCES]
    styles = {}
    for name in algorithms:
        if name in REFERENCES:
            tone, shape = "reference", _SHAPES[REFERENCES.index(name)]
        else:
            i = learned.index(name)
            tone, shape = f"tone-{i % 6}", _SHAPES[(i + i // 6) % 6]
        styles[name] = MarkerStyle(algorithm=name, tone=tone, shape=shape)
    return styles


def layout_dot_plot(table: Table, domain: str, styles: Mapping[str, MarkerStyle]) -> DotPlot | None:
    """Return the dot plot of a domain, or None if no algorithm has a result in it."""
    cells = [cell for (_, d, _), cell in table.cells.items() if d == domain]
    if not cells:
        return None
    chances = [table.info[cell.domain, cell.task].metric.chance for cell in cells]
    values = [v for cell in cells for v in (*cell.interval, cell.mean)] + chances
    low, high, ticks = _choose_axis(min(values), max(values))

    def place(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 2)

    lanes, y = [], 4.0
    for task in table.tasks[domain]:
        task_cells = [cell for a in table.algorithms if (cell := table.cell(a, domain, task))]
        if task_cells:
            lanes.append(_layout_lane(table, task, task_cells, y, styles, place))
            y = lanes[-1].bottom + LANE_GAP
    labels = tuple((place(tick), f"{100 * tick:.0f}") for tick in ticks)
    return DotPlot(domain=domain, height=y + 14, ticks=labels, lanes=tuple(lanes))


def _layout_lane(
    table: Table,
    task: str,
    cells: list[CellMean],
    y: float,
    styles: Mapping[str, MarkerStyle],
    place: Callable[[float], float],
) -> Lane:
    """Return the lane of a task whose top is at y; `place` maps a score to a horizontal position."""
    info = table.info[cells[0].domain, task]
    dots = []
    for i, cell in enumerate(cells):
        low, high = cell.interval
        words = f"{cell.algorithm}: {points(cell.mean)} ({points(low)} to {points(high)}), {describe_seeds([cell])}"
        words += f", did not learn with seed {', '.join(map(str, cell.failed))}" if cell.failed else ""
        dots.append(
            Dot(
                style=styles[cell.algorithm],
                x=place(cell.mean),
                low=place(low),
                high=place(high),
                y=y + LANE_HEAD + LANE_ROW * (i + 0.5),
                title=words,
            )
        )
    return Lane(
        label=f"{task}{mark(table, cells[0].domain, task)}",
        metric=info.metric.name,
        y=y,
        bottom=y + LANE_HEAD + LANE_ROW * len(cells),
        chance=place(info.metric.chance),
        dots=tuple(dots),
    )


def _choose_axis(low: float, high: float) -> tuple[float, float, list[float]]:
    """Return the ends and ticks of an axis that covers low..high, with a tick every 1, 2, 5, 10, 20 or 50 points."""
    span = max(high - low, 0.02)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if span / s <= 6)
    first, last = math.floor(low / step), math.ceil(max(high, low + span) / step)
    ticks = [i * step for i in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def layout_curve_panel(
    curves: Mapping[str, Sequence[tuple[int, float]]], domain: str, style: MarkerStyle
) -> CurvePanel | None:
    """Return the panel of one algorithm's learning curves in one domain; None without a curve of two points.

    Args:
        curves: the name of a run -> (step, loss) pairs.
        domain: the domain's name.
        style: how the algorithm is drawn.
    """
    drawn = {name: curve for name, curve in curves.items() if len(curve) > 1}
    if not drawn:
        return None
    losses = [loss for curve in drawn.values() for _, loss in curve]
    last = max(curve[-1][0] for curve in drawn.values())
    low, high = min(losses), max(losses)
    span = (high - low) or 1.0

    count = f"{len(drawn)} run{'s' if len(drawn) > 1 else ''}"
    return CurvePanel(
        style=style,
        lines=tuple((name, _curve_path(curve, last, low, span)) for name, curve in drawn.items()),
        top=f"{high:.3g}",
        bottom=f"{low:.3g}",
        steps=f"{last:,}",
        title=f"Training loss of {style.algorithm} on {domain}, {count}: between {high:.3g} and {low:.3g}",
    )


def _curve_path(curve: Sequence[tuple[int, float]], last: int, low: float, span: float) -> str:
    """Return a curve as SVG path data: steps 0..last from left to right, losses low..low+span from bottom to top."""
    height = PANEL_HEIGHT - 6
    xy = [(PANEL_WIDTH * step / last, PANEL_HEIGHT - 3 - height * (loss - low) / span) for step, loss in curve]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in xy)
