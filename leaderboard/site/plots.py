"""The layout of the dot plots, which templates draw inline and as files.

All lengths are in SVG user units. A plot is as wide as a page on a phone, so that its text has the same size
everywhere. In each lane the algorithms stand in the order of their means, and the reference rows apart below them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dabs.evaluation.reference_rows import RANDOM, has_no_seed, is_reference, reference_place
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.ranking import Ends, SharedRank, column_ranks
from dabs.leaderboard.tables.render import ALL_DOMAINS, FAILED, mark, points
from dabs.leaderboard.tables.standing import cut_name, seed_means

WIDTH, LEFT, RIGHT = 340, 98, 330  # of a plot, and the ends of its axis; names are on the left
LANE_HEAD, LANE_ROW, LANE_GAP, APART = 20, 17, 12, 6  # APART: extra space above the reference rows
SEED_DROP = 5.5  # the dots of single seeds are this much below the mean
MAX_LETTERS = 14  # of a name in a plot
_SHAPES = (
    "M-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0-8.4 0z",
    "M-3.7-3.7h7.4v7.4h-7.4z",
    "M0-5.2 5.2 0 0 5.2-5.2 0z",
    "M0-4.8 4.9 3.7h-9.8z",
    "M0 4.8 4.9-3.7h-9.8z",
    "M-1.7-4.8h3.4v3.1h3.1v3.4h-3.1v3.1h-3.4v-3.1h-3.1v-3.4h3.1z",
)
_SHAPE_NAMES = ("circle", "square", "diamond", "triangle", "inverted triangle", "cross")


def name_shape(reference: str) -> str:
    """Return what the mark of a reference row is called in words."""
    return _SHAPE_NAMES[reference_place(reference)]


def short_name(name: str, letters: int = MAX_LETTERS) -> str:
    """Return the name of a row, cut to a number of letters."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def whole_points(value: float) -> str:
    """Return a tick times 100 without decimals, with a true minus sign."""
    return f"{100 * value:.0f}".replace("-0", "0").replace("-", "−")


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
class Axis:
    """The scale of one plot, or of several that are to be compared; ticks are scores."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Return the horizontal position of a score."""
        return round(LEFT + (RIGHT - LEFT) * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a lane shows of one row: its mean and interval, the score of each seed, its rank, and what went wrong."""

    algorithm: str
    mean: float
    interval: Ends
    seeds: Mapping[int, float]
    rank: SharedRank | None
    failed: bool

    def __str__(self) -> str:
        """Return everything in words."""
        low, high = self.interval
        words = f"{self.algorithm}: {points(self.mean)} ({points(low)} to {points(high)})"
        words += f", rank {self.rank}" if self.rank else ""
        if self.seeds:
            words += f", seed{'s' * (len(self.seeds) > 1)} " + ", ".join(
                f"{seed}: {points(value)}" for seed, value in self.seeds.items()
            )
        return words + ", includes a run that did not learn" * self.failed


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One row of a lane: its mean at x, its interval from low to high, its seeds; `title` says the same in words."""

    style: MarkerStyle
    name: str
    x: float
    low: float
    high: float
    y: float
    seeds: tuple[float, ...]
    title: str


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One task or mean: its heading, the rows below it, and the positions of chance and of the random encoder."""

    label: str
    note: str
    y: float
    bottom: float
    chance: float | None
    floor: float | None
    dots: tuple[Dot, ...]


@dataclass(frozen=True, kw_only=True)
class DotPlot:
    """One panel: its title, its lanes on one axis, and the same in words for those who do not see it."""

    title: str
    height: float
    ticks: tuple[tuple[float, str], ...]
    lanes: tuple[Lane, ...]
    words: str


def assign_styles(algorithms: Sequence[str]) -> dict[str, MarkerStyle]:
    """Return a style for each algorithm; with more than six besides the references, colours and shapes pair anew."""
    learned = [name for name in algorithms if not is_reference(name)]
    styles = {}
    for name in algorithms:
        if is_reference(name):
            tone, shape = "reference", _SHAPES[reference_place(name)]
        else:
            i = learned.index(name)
            tone, shape = f"tone-{i % 6}", _SHAPES[(i + i // 6) % 6]
        styles[name] = MarkerStyle(algorithm=name, tone=tone, shape=shape)
    return styles


def task_scores(table: Table, domain: str, task: str) -> list[Score]:
    """Return what a lane shows of one task: the algorithms, the best first, then the reference rows."""
    ranks, found = column_ranks(table, domain, task), []
    for name in table.algorithms:
        cell = table.cell(name, domain, task)
        if cell:
            seeds = {} if has_no_seed(name) else dict(zip(cell.seeds, cell.scores, strict=True))
            rank, failed = ranks.get(name), bool(cell.failed)
            found.append(
                Score(algorithm=name, mean=cell.mean, interval=cell.interval, seeds=seeds, rank=rank, failed=failed)
            )
    return _in_order(found)


def mean_scores(table: Table, domain: str | None = None) -> list[Score]:
    """Return what a lane shows of the mean of a domain, or of all domains, in the order of `task_scores`."""
    ranks, found = column_ranks(table, domain), []
    for name in table.algorithms:
        mean = table.overall(name) if domain is None else table.domain_mean(name, domain)
        ends = table.overall_interval(name) if domain is None else table.domain_interval(name, domain)
        if mean is not None and ends is not None:
            seeds = {} if has_no_seed(name) else seed_means(table, name, domain)
            failed = table.has_failed(name, domain)
            found.append(
                Score(algorithm=name, mean=mean, interval=ends, seeds=seeds, rank=ranks.get(name), failed=failed)
            )
    return _in_order(found)


def _in_order(scores: Iterable[Score]) -> list[Score]:
    def key(score: Score) -> tuple[int, float, str]:
        reference = is_reference(score.algorithm)
        return (1 + reference_place(score.algorithm) if reference else 0, -score.mean, score.algorithm)

    return sorted(scores, key=key)


def choose_axis(scores: Iterable[Score], further: Iterable[float] = ()) -> Axis:
    """Return an axis that covers means, intervals and seeds, with a tick every 1, 2, 5, 10, 20 or 50 points.

    Args:
        scores: of every panel that shares the axis.
        further: other scores to cover, such as chance.
    """
    values = [v for score in scores for v in (*score.interval, score.mean, *score.seeds.values())] + list(further)
    low, high = min(values), max(values)
    span = max(high - low, 0.02)
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if span / s <= 6)
    first, last = math.floor(low / step), math.ceil(max(high, low + span) / step)
    ticks = tuple(i * step for i in range(first, last + 1))
    return Axis(low=ticks[0], high=ticks[-1], ticks=ticks)


def task_axis(tables: Iterable[Table], domain: str, task: str | None = None) -> Axis | None:
    """Return the one axis of all panels of a task, or of all tasks of a domain; None without any score."""
    scores, chances = [], []
    for table in tables:
        for name in table.tasks[domain] if task is None else (task,):
            scores += task_scores(table, domain, name)
            chances += [table.info[domain, name].metric.chance] if (domain, name) in table.info else []
    return choose_axis(scores, chances) if scores else None


def layout_tasks(
    table: Table, domain: str, styles: Mapping[str, MarkerStyle], axis: Axis | None, title: str = ""
) -> DotPlot | None:
    """Return the plot of a domain with one lane per task; None if no row has a result in it.

    Args:
        table: the rows to draw, and the tasks of the domain that get a lane.
        domain: the domain.
        styles: of these rows.
        axis: from `task_axis`, over all tables whose panels are to be compared.
        title: of the panel; the domain's name by default.
    """
    lanes: list[Lane] = []
    words, y = [], 4.0
    for task in table.tasks[domain]:
        scores = task_scores(table, domain, task)
        if scores and axis:
            info = table.info[domain, task]
            label = f"{task}{mark(table, domain, task)}"
            lanes.append(_layout_lane(label, info.metric.name, scores, y, styles, axis, chance=info.metric.chance))
            words.append(_in_words(label, scores))
            y = lanes[-1].bottom + LANE_GAP
    return _plot(title or domain, lanes, words, axis, y) if axis and lanes else None


def layout_overview(table: Table, styles: Mapping[str, MarkerStyle], axis: Axis | None) -> list[DotPlot]:
    """Return one panel per mean, all domains first; the reference rows share a row below the algorithms.

    Args:
        table: the rows to draw.
        styles: of these rows.
        axis: from `choose_axis`, over the means of all tables whose panels are to be compared.
    """
    panels = []
    for domain in (None, *table.tasks):
        scores = mean_scores(table, domain)
        if scores and axis:
            title = f"{domain}{mark(table, domain)}" if domain else ALL_DOMAINS
            lane = _layout_lane("", "", scores, 4.0 - LANE_HEAD, styles, axis, compact=True)
            panels.append(_plot(title, [lane], [_in_words(title, scores)], axis, lane.bottom + LANE_GAP))
    return panels


def overview_axis(tables: Iterable[Table]) -> Axis | None:
    """Return the one axis of every panel of an overview; None without any mean."""
    scores = [s for table in tables for domain in (None, *table.tasks) for s in mean_scores(table, domain)]
    ranked = [score for score in scores if not is_reference(score.algorithm)]
    points_alone = [score.mean for score in scores if is_reference(score.algorithm)]  # drawn without intervals
    return choose_axis(ranked, points_alone) if scores else None


def _plot(title: str, lanes: list[Lane], words: list[str], axis: Axis, y: float) -> DotPlot:
    ticks = tuple((axis.place(tick), whole_points(tick)) for tick in axis.ticks)
    return DotPlot(title=title, height=y + 14, ticks=ticks, lanes=tuple(lanes), words=" ".join(words))


def _layout_lane(
    label: str,
    note: str,
    scores: Sequence[Score],
    y: float,
    styles: Mapping[str, MarkerStyle],
    axis: Axis,
    *,
    chance: float | None = None,
    compact: bool = False,
) -> Lane:
    """Return a lane whose top is at y; where it is compact, the reference rows share one row without intervals."""
    dots, row, apart = [], 0, 0
    for i, score in enumerate(scores):
        reference = is_reference(score.algorithm)
        first = reference and (i == 0 or not is_reference(scores[i - 1].algorithm))
        apart = APART if reference and row else apart
        row += not (compact and reference and not first)
        name = short_name(score.algorithm)
        name += FAILED * score.failed
        if compact and reference:
            name = "references" if first else ""
        x = axis.place(score.mean)
        low, high = (x, x) if compact and reference else map(axis.place, score.interval)
        dots.append(
            Dot(
                style=styles[score.algorithm],
                name=name,
                x=x,
                low=low,
                high=high,
                y=y + LANE_HEAD + LANE_ROW * (row - 0.5) + apart,
                seeds=() if compact and reference else tuple(map(axis.place, score.seeds.values())),
                title=str(score),
            )
        )
    floors = [dot.x for dot in dots if dot.style.algorithm == RANDOM]
    return Lane(
        label=label,
        note=note,
        y=y,
        bottom=y + LANE_HEAD + LANE_ROW * row + apart,
        chance=None if chance is None else axis.place(chance),
        floor=floors[0] if compact and floors else None,
        dots=tuple(dots),
    )


def _in_words(label: str, scores: Iterable[Score]) -> str:
    listed = (
        f"{cut_name(s.algorithm)} {points(s.mean)} ({points(s.interval[0])} to {points(s.interval[1])})" for s in scores
    )
    return f"{label}: {'; '.join(listed)}."
