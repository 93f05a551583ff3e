"""The layout of figures of score against budget, seconds or FLOPs.

Each panel has a logarithmic axis of cost and a scale of scores of its own. A row is a line through its budgets, with a
shape of its own; a row without pretraining is a level line. The dashed front joins the points that no other beats.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dabs.evaluation.reference_rows import RANDOM, RAW, SUMMARY, is_reference
from dabs.leaderboard.site.log_axis import LogAxis, TickText, log_axis, plain_number, power_of_ten, spread_labels
from dabs.leaderboard.site.plots import MarkerStyle, choose_axis, short_name, whole_points
from dabs.leaderboard.tables.budget_text import budget_text, flops_text, seconds_text
from dabs.leaderboard.tables.budgets import BudgetTables, Level, Point, non_dominated
from dabs.leaderboard.tables.ranking import Ends
from dabs.leaderboard.tables.render import FAILED, mark, name_of_all, points
from dabs.leaderboard.tables.standing import cut_name

LEFT, RIGHT, TOP = 34, 222, 8  # of the area of a panel that holds points; names are on the right
NAME, MAX_LETTERS = 248, 12  # where the name of a row starts, and how long it may be
LABEL_GAP, MIN_HEIGHT, FOOT = 15, 132, 38  # FOOT: for the ticks and the title of the axis
DODGE = 7  # between rows at the same budget


@dataclass(frozen=True, kw_only=True)
class CostKind:
    """What a figure has on its horizontal axis.

    Attributes:
        key: "budget", "seconds" or "flops".
        title: of the axis.
        heading: of the figure.
        tick: how a value on the axis is written.
        apart: how far apart the labels of two ticks must be.
    """

    key: str
    title: str
    heading: str
    tick: TickText
    apart: float

    def value(self, point: Point) -> float | None:
        """Return where a point is on the axis; None if that is unknown."""
        if self.key == "budget":
            return point.budget
        return point.cost.seconds if self.key == "seconds" else point.cost.flops

    def text(self, point: Point) -> str:
        """Return what a point cost, in words."""
        if self.key == "seconds":
            return f"{seconds_text(point.cost.seconds)} at {budget_text(point.budget)}"
        if self.key == "flops":
            return f"{flops_text(point.cost.flops)} FLOPs at {budget_text(point.budget)}"
        return budget_text(point.budget)


KINDS = (
    CostKind(key="budget", title="× standard steps", heading="Score by budget", tick=budget_text, apart=30),
    CostKind(key="seconds", title="seconds of pretraining", heading="Score by seconds", tick=plain_number, apart=42),
    CostKind(key="flops", title="FLOPs of pretraining", heading="Score by FLOPs", tick=power_of_ten, apart=50),
)


@dataclass(frozen=True, kw_only=True)
class CostMark:
    """One point of a row: its place, the ends of its interval, and the same in words; `best` if it is on the front."""

    x: float
    y: float
    low: float
    high: float
    failed: bool
    best: bool
    title: str


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """A row: its points and the path through them, which is empty for a single point."""

    style: MarkerStyle
    marks: tuple[CostMark, ...]
    path: str


@dataclass(frozen=True, kw_only=True)
class LevelLine:
    """A row without pretraining: a level line at y, dashed as `dash` says."""

    y: float
    dash: str
    title: str


@dataclass(frozen=True, kw_only=True)
class CostLabel:
    """The name of a row beside the panel at y, with its mark, or with a line that leads to its level."""

    name: str
    y: float
    style: MarkerStyle | None
    leader: str


@dataclass(frozen=True, kw_only=True)
class CostPlot:
    """One panel: its title, its axes, what is in it, and the same in words."""

    title: str
    height: float
    bottom: float
    axis_title: str
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    levels: tuple[LevelLine, ...]
    lines: tuple[CostLine, ...]
    labels: tuple[CostLabel, ...]
    front: str
    words: str


DASHES = ("", "7 3", "2 3", "9 3 2 3")  # of level lines, so that they differ without colour
FREE = (RANDOM, RAW, SUMMARY)  # the rows that cost nothing; encoders from elsewhere were pretrained there
Known = dict[str, list[tuple[float, Point]]]  # row -> (cost, point), by ascending budget


def layout_costs(
    budgets: BudgetTables, kind: CostKind, styles: Mapping[str, MarkerStyle], domain: str | None = None
) -> CostPlot | None:
    """Return the panel of one domain, or of all domains; None if no point has a known cost.

    Args:
        budgets: the tables.
        kind: what is on the horizontal axis.
        styles: of the rows to draw.
        domain: the domain; by default all.
    """
    known: Known = {}
    for name in styles:
        found = [(x, point) for point in budgets.points(name, domain) if (x := kind.value(point)) is not None]
        if found:
            known[name] = found
    levels = [level for level in budgets.levels(domain) if level.algorithm in styles]
    if not known:
        return None
    height = max(MIN_HEIGHT, LABEL_GAP * (len(known) + len(levels) - 1) + 8)
    costs = [x for found in known.values() for x, _ in found]
    ticks = tuple(budgets.tables) if kind.key == "budget" else None
    axis = log_axis(costs, LEFT, RIGHT, kind.apart, ticks)
    scale = _Scale(_scores(known, levels), height)
    front = [] if kind.key == "budget" else find_front(known, levels)
    lines = _lines(known, kind, styles, axis, scale, [point for *_, point in front])
    level_lines = _level_lines(levels, scale)
    title = f"{domain}{mark(budgets.first, domain)}" if domain else name_of_all(budgets.first)
    return CostPlot(
        title=title,
        height=TOP + height + FOOT,
        bottom=TOP + height,
        axis_title=kind.title,
        x_ticks=tuple((axis.place(tick), kind.tick(tick)) for tick in axis.ticks),
        y_ticks=tuple((scale.place(tick), whole_points(tick)) for tick in scale.ticks),
        levels=level_lines,
        lines=lines,
        labels=_labels(lines, levels, level_lines, height),
        front=_path([(axis.place(x), scale.place(point.score)) for _, x, point in front]),
        words=_in_words(title, kind, known, levels, front),
    )


class _Scale:
    """The vertical scale of a panel, with round ticks that cover every score and interval."""

    def __init__(self, scores: Sequence[float], height: float) -> None:
        axis = choose_axis((), scores)
        self.low, self.high, self.ticks, self.height = axis.low, axis.high, axis.ticks, height

    def place(self, score: float) -> float:
        """Return the vertical position of a score; higher scores are further up."""
        return round(TOP + self.height * (self.high - score) / (self.high - self.low), 2)


def _scores(known: Known, levels: Sequence[Level]) -> list[float]:
    ends = [end for found in known.values() for _, point in found for end in (point.score, *point.interval)]
    return [*ends, *(level.score for level in levels)]


def find_front(known: Known, levels: Sequence[Level]) -> list[tuple[str, float, Point]]:
    """Return the points of algorithms that no other beats, as (row, cost, point), by ascending cost.

    A row without pretraining costs nothing, so a point has to exceed the best of them. The supervised encoder, which
    has seen the labels, takes no part.
    """
    every = [(name, x, point) for name, found in known.items() if not is_reference(name) for x, point in found]
    floor = max((level.score for level in levels if level.algorithm in FREE), default=None)
    return [every[i] for i in non_dominated([(x, point.score) for _, x, point in every], floor)]


def _lines(
    known: Known,
    kind: CostKind,
    styles: Mapping[str, MarkerStyle],
    axis: LogAxis,
    scale: _Scale,
    front: Sequence[Point],
) -> tuple[CostLine, ...]:
    """Return the rows as lines; at a budget they stand side by side, so that no interval hides another."""
    lines = []
    for i, (name, found) in enumerate(known.items()):
        shift = DODGE * (i - (len(known) - 1) / 2) if kind.key == "budget" else 0.0
        shift = max(-3.0 * DODGE, min(3.0 * DODGE, shift))
        marks = []
        for x, point in found:
            low, high = (scale.place(end) for end in point.interval)
            words = f"{name}, {kind.text(point)}: {_score_words(point.score, point.interval)}"
            place = {"x": round(axis.place(x) + shift, 2), "y": scale.place(point.score), "low": low, "high": high}
            words += ", did not learn" * point.failed
            best = any(point is one for one in front)
            marks.append(CostMark(**place, failed=point.failed, best=best, title=words))
        path = _path([(one.x, one.y) for one in marks])
        lines.append(CostLine(style=styles[name], marks=tuple(marks), path=path))
    return tuple(lines)


def _level_lines(levels: Sequence[Level], scale: _Scale) -> tuple[LevelLine, ...]:
    return tuple(
        LevelLine(
            y=scale.place(level.score),
            dash=DASHES[i % len(DASHES)],
            title=f"{level.algorithm}, without pretraining: {_score_words(level.score, level.interval)}",
        )
        for i, level in enumerate(levels)
    )


def _labels(
    lines: Sequence[CostLine], levels: Sequence[Level], level_lines: Sequence[LevelLine], height: float
) -> tuple[CostLabel, ...]:
    """Return the names beside the panel, each as near to its last point or its level as the others allow."""
    wanted = [line.marks[-1].y for line in lines] + [line.y for line in level_lines]
    places = spread_labels(wanted, LABEL_GAP, TOP + 2, TOP + height)
    labels = []
    for line, y in zip(lines, places, strict=False):
        failed = any(one.failed for one in line.marks)
        name = short_name(line.style.algorithm, MAX_LETTERS) + FAILED * failed
        labels.append(CostLabel(name=name, y=y, style=line.style, leader=""))
    for level, flat, y in zip(levels, level_lines, places[len(lines) :], strict=True):
        leader = f"M{RIGHT} {flat.y}L{NAME - 4} {y}"
        labels.append(CostLabel(name=short_name(level.algorithm, MAX_LETTERS), y=y, style=None, leader=leader))
    return tuple(labels)


def _path(places: Sequence[tuple[float, float]]) -> str:
    """Return SVG path data through some places; empty for fewer than two."""
    return "M" + "L".join(f"{x} {y}" for x, y in places) if len(places) > 1 else ""


def _score_words(score: float, interval: Ends) -> str:
    return f"{points(score)} ({points(interval[0])} to {points(interval[1])})"


def _in_words(
    title: str, kind: CostKind, known: Known, levels: Sequence[Level], front: Sequence[tuple[str, float, Point]]
) -> str:
    rows = []
    for name, found in known.items():
        listed = ", ".join(f"{kind.text(p)} {_score_words(p.score, p.interval)}" for _, p in found)
        rows.append(f"{cut_name(name)}: {listed}")
    rows += [f"{one.algorithm}, without pretraining: {_score_words(one.score, one.interval)}" for one in levels]
    words = f"{title}, {kind.heading.lower()}. {'; '.join(rows)}."
    if kind.key == "budget":
        return words
    best = ", ".join(f"{cut_name(name)} ({kind.text(point)})" for name, _, point in front)
    return f"{words} On the front: {best or 'none'}."
