"""Geometry of the report's figures: where dots, intervals and curves stand. The templates draw them as inline SVG.

All lengths are SVG user units; a figure is as wide as a phone's page, so that its text keeps its size everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dabs.leaderboard.tables.aggregate import FLOORS, CellMean, Table
from dabs.leaderboard.tables.render import mark, points, seeds_of

WIDTH, LEFT, RIGHT = 340, 12, 328  # of a dot plot and its axis
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
class Look:
    """How an algorithm is drawn in every figure: a colour class and a shape, so that colour is never the only sign."""

    algorithm: str
    tone: str
    shape: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One algorithm in a lane: mean at x, interval from low to high; `title` says the same in words."""

    look: Look
    x: float
    low: float
    high: float
    y: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One task: its heading, the dots below it and where guessing stands."""

    label: str
    metric: str
    y: float
    bottom: float
    chance: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True)
class DotPlot:
    """One domain."""

    domain: str
    height: float
    ticks: tuple[tuple[float, str], ...]
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, kw_only=True)
class CurvePanel:
    """Training loss of one algorithm in one domain, a line a seed (SVG path data); its own vertical scale."""

    look: Look
    lines: tuple[tuple[int, str], ...]
    top: str
    bottom: str
    steps: str
    title: str


def looks(algorithms: Sequence[str]) -> dict[str, Look]:
    """A look for each algorithm; after six learned ones colour and shape go on in different steps."""
    learned = [name for name in algorithms if name not in FLOORS]
    chosen = {}
    for name in algorithms:
        if name in FLOORS:
            tone, shape = f"floor-{name}", _SHAPES[FLOORS.index(name)]
        else:
            i = learned.index(name)
            tone, shape = f"tone-{i % 6}", _SHAPES[(i + i // 6) % 6]
        chosen[name] = Look(algorithm=name, tone=tone, shape=shape)
    return chosen


def dot_plot(table: Table, domain: str, known: Mapping[str, Look]) -> DotPlot | None:
    """The dot plot of a domain; None when no algorithm has a result in it."""
    cells = [cell for (_, d, _), cell in table.cells.items() if d == domain]
    if not cells:
        return None
    chances = [table.info[cell.domain, cell.task].metric.chance for cell in cells]
    values = [v for cell in cells for v in (*cell.interval, cell.mean)] + chances
    low, high, ticks = _axis(min(values), max(values))

    def place(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - low) / (high - low), 2)

    lanes, y = [], 4.0
    for task in table.tasks[domain]:
        there = [cell for a in table.algorithms if (cell := table.cell(a, domain, task))]
        if there:
            lanes.append(_lane(table, task, there, y, known, place))
            y = lanes[-1].bottom + LANE_GAP
    marks = tuple((place(tick), f"{100 * tick:.0f}") for tick in ticks)
    return DotPlot(domain=domain, height=y + 14, ticks=marks, lanes=tuple(lanes))


def _lane(
    table: Table, task: str, cells: list[CellMean], y: float, known: Mapping[str, Look], place: Callable[[float], float]
) -> Lane:
    info = table.info[cells[0].domain, task]
    dots = []
    for i, cell in enumerate(cells):
        low, high = cell.interval
        words = f"{cell.algorithm}: {points(cell.mean)} ({points(low)} to {points(high)}), {seeds_of([cell])}"
        dots.append(
            Dot(
                look=known[cell.algorithm],
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


def _axis(low: float, high: float) -> tuple[float, float, list[float]]:
    """Ends and ticks of an axis that holds low..high, ticks at round numbers of points (1, 2, 5, 10, 20, 50)."""
    span = max(high - low, 0.02)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if span / s <= 6)
    first, last = math.floor(low / step), math.ceil(max(high, low + span) / step)
    ticks = [i * step for i in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def curve_panel(curves: Mapping[int, Sequence[tuple[int, float]]], domain: str, look: Look) -> CurvePanel | None:
    """The learning curves of one algorithm in one domain, by seed; None when there is no curve of two points."""
    drawn = {seed: curve for seed, curve in sorted(curves.items()) if len(curve) > 1}
    if not drawn:
        return None
    losses = [loss for curve in drawn.values() for _, loss in curve]
    last = max(curve[-1][0] for curve in drawn.values())
    low, high = min(losses), max(losses)
    span = (high - low) or 1.0

    count = f"{len(drawn)} seed{'s' if len(drawn) > 1 else ''}"
    return CurvePanel(
        look=look,
        lines=tuple((seed, _path(curve, last, low, span)) for seed, curve in drawn.items()),
        top=f"{high:.3g}",
        bottom=f"{low:.3g}",
        steps=f"{last:,}",
        title=f"Training loss of {look.algorithm} on {domain}, {count}: between {high:.3g} and {low:.3g}",
    )


def _path(curve: Sequence[tuple[int, float]], last: int, low: float, span: float) -> str:
    """A curve as SVG path data: steps 0..last across the panel, losses low..low+span up it."""
    inside = PANEL_HEIGHT - 6
    xy = [(PANEL_WIDTH * step / last, PANEL_HEIGHT - 3 - inside * (loss - low) / span) for step, loss in curve]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in xy)
