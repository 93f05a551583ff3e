"""The figure of a comparison: both sides' scores and their difference, by domain.

The intervals of the scores are those of tables, and the difference is the paired one of `dabs compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dabs.errors import RequestError
from dabs.leaderboard.compare.aggregates import ALL_DOMAINS
from dabs.leaderboard.compare.contestants import Contestant
from dabs.leaderboard.compare.model import Comparison, Estimate
from dabs.leaderboard.compare.text_tables import heading, interval_text, printable, short_name, signed_points
from dabs.leaderboard.site import standalone
from dabs.leaderboard.site.pdf import require_typst, to_pdf
from dabs.leaderboard.site.plots import MarkerStyle, assign_styles, choose_axis, whole_points
from dabs.leaderboard.tables.aggregate import counted_domains
from dabs.leaderboard.tables.intervals import TableIntervals, build_intervals
from dabs.leaderboard.tables.ranking import Ends
from dabs.leaderboard.tables.render import COVERS, FAILED, points
from dabs.utils.files import replacing

SCORES, DIFFERENCES, WIDTH = (146, 372), (404, 590), 742  # columns, and the whole; names left, numbers right
KEY, HEAD, ROW, APART, FOOT = 22, 26, 32, 8, 24  # heights; APART: above all domains
SIDE = 6  # the two sides of a row are this far above and below its middle


@dataclass(frozen=True, kw_only=True)
class SideMark:
    """The score of one side in one row: its place, the ends of its interval, and whether a run did not learn."""

    style: MarkerStyle
    x: float
    y: float
    low: float
    high: float
    failed: bool


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """One domain, or all of them: both sides, and the difference as (place, low, high) and as text."""

    name: str
    y: float
    sides: tuple[SideMark, ...]
    difference: tuple[float, float, float]
    text: str


@dataclass(frozen=True, kw_only=True)
class ComparisonPlot:
    """The whole figure; ticks are (place, text), and `words` says the same."""

    height: float
    bottom: float
    sides: tuple[tuple[float, MarkerStyle, str], ...]
    score_ticks: tuple[tuple[float, str], ...]
    difference_ticks: tuple[tuple[float, str], ...]
    zero: float
    rows: tuple[ComparisonRow, ...]
    words: str


def write_comparison(comparison: Comparison, contestants: Sequence[Contestant], path: Path) -> None:
    """Draw the comparison of two contestants into an SVG or PDF file.

    Args:
        comparison: of exactly two contestants.
        contestants: the same, with their results.
        path: the file, which ends in .svg or .pdf.

    Raises:
        RequestError: there are more than two contestants, or no domain has a mean on both sides.
    """
    if len(comparison.pairs) != 1:
        names = ", ".join(one.name for one in comparison.contestants)
        raise RequestError(f"--figure draws two sides, not {len(contestants)} ({names}). Name two with --algorithms.")
    plot = layout_comparison(comparison, contestants)
    title = heading(comparison)
    text = standalone.draw_comparison(plot, WIDTH, title, _notes(comparison))
    content = to_pdf(text, title) if path.suffix == ".pdf" else text.encode()
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def refuse_other_formats(path: Path) -> None:
    """Raise RequestError unless a file can be written: SVG always, PDF if the package for it is installed."""
    if path.suffix not in (".svg", ".pdf"):
        raise RequestError(
            f"--figure writes .svg and .pdf, not {path.name}. Name it {path.stem}.svg or {path.stem}.pdf."
        )
    if path.suffix == ".pdf":
        require_typst()


@dataclass(frozen=True, kw_only=True)
class _Numbers:
    """What one row shows, before it has a place: means, intervals and failures of both sides, and their difference."""

    scope: str
    means: tuple[float, float]
    ends: tuple[Ends, Ends]
    failed: tuple[bool, bool]
    difference: Estimate

    @property
    def span(self) -> Ends:
        """The ends of the difference, which are the difference itself where it has no interval."""
        one = self.difference
        return (one.value, one.value) if one.low is None or one.high is None else (one.low, one.high)

    def __str__(self) -> str:
        """Return the row in words."""
        both = zip("AB", self.means, self.ends, strict=True)
        sides = [f"{name} {points(mean)} ({points(low)} to {points(high)})" for name, mean, (low, high) in both]
        return f"{self.scope}: {', '.join(sides)}, difference {_difference_text(self.difference)}"


def layout_comparison(comparison: Comparison, contestants: Sequence[Contestant]) -> ComparisonPlot:
    """Return the figure of two contestants: a row for each domain with means on both sides, then all domains.

    Raises:
        RequestError: no domain has a mean on both sides.
    """
    pair = comparison.pairs[0]
    numbers = _all_numbers(comparison, contestants)
    if not numbers:
        raise RequestError("there is nothing to draw: no domain has all of its tasks on both sides.")
    styles = list(assign_styles(["A", "B"]).values())
    scores = _Scale(SCORES, [v for one in numbers for v in (*one.means, *one.ends[0], *one.ends[1])])
    gaps = _Scale(DIFFERENCES, [0.0, *(end for one in numbers for end in one.span)])
    rows = []
    for i, one in enumerate(numbers):
        y = KEY + HEAD + ROW * (i + 0.5) + APART * (one.scope == ALL_DOMAINS)
        marks = []
        for k, shift in enumerate((-SIDE, SIDE)):
            low, high = map(scores.place, one.ends[k])
            x = scores.place(one.means[k])
            marks.append(SideMark(style=styles[k], x=x, y=y + shift, low=low, high=high, failed=one.failed[k]))
        low, high = map(gaps.place, one.span)
        bar = (gaps.place(one.difference.value), low, high)
        name = one.scope + FAILED * any(one.failed)
        text = _difference_text(one.difference)
        rows.append(ComparisonRow(name=name, y=y, sides=tuple(marks), difference=bar, text=text))
    bottom, names = rows[-1].y + ROW / 2, (short_name(pair.a), short_name(pair.b))
    return ComparisonPlot(
        height=bottom + FOOT,
        bottom=bottom,
        sides=tuple((8.0 + WIDTH / 2 * k, styles[k], f"{'AB'[k]}: {names[k][:48]}") for k in (0, 1)),
        score_ticks=tuple((scores.place(tick), whole_points(tick)) for tick in scores.ticks),
        difference_ticks=tuple((gaps.place(tick), whole_points(tick)) for tick in gaps.ticks),
        zero=gaps.place(0.0),
        rows=tuple(rows),
        words=f"{heading(comparison)}. A is {names[0]}, B is {names[1]}. {'; '.join(map(str, numbers))}.",
    )


class _Scale:
    """A horizontal scale with round ticks that covers some values."""

    def __init__(self, column: Ends, values: Sequence[float]) -> None:
        self.axis, (self.start, self.end) = choose_axis((), values), column

    @property
    def ticks(self) -> tuple[float, ...]:
        """The values that have a tick."""
        return self.axis.ticks

    def place(self, value: float) -> float:
        """Return the position of a value."""
        share = (value - self.axis.low) / (self.axis.high - self.axis.low)
        return round(self.start + (self.end - self.start) * share, 2)


def _all_numbers(comparison: Comparison, contestants: Sequence[Contestant]) -> list[_Numbers]:
    """Return the rows of the figure: the domains that both sides have in full, and all domains if there are several."""
    pair = comparison.pairs[0]
    found = []
    intervals = _intervals(comparison, contestants)
    failed = {one.name: {r.domain for r in one.results if not r.pretraining.learning.learned} for one in contestants}
    counted = set(counted_domains(comparison.tasks, comparison.suite))
    for one in (*pair.domains, *([pair.overall] if len(pair.domains) > 1 else [])):
        if one.a is None or one.b is None or one.difference is None:
            continue
        scopes = counted if one.scope == ALL_DOMAINS else {one.scope}
        found.append(
            _Numbers(
                scope=one.scope,
                means=(one.a, one.b),
                ends=(_ends(intervals, one.scope, pair.a), _ends(intervals, one.scope, pair.b)),
                failed=(bool(failed[pair.a] & scopes), bool(failed[pair.b] & scopes)),
                difference=one.difference,
            )
        )
    return found


def _intervals(comparison: Comparison, contestants: Sequence[Contestant]) -> TableIntervals:
    """Return the intervals that a table of the two sides has, over the domains that are compared."""
    cells = {
        (one.name, domain, task): [placed.result for placed in cell]
        for one in contestants
        for (domain, task), cell in one.cells.items()
        if domain in comparison.tasks
    }
    return build_intervals(cells, comparison.tasks, counted_domains(comparison.tasks, comparison.suite))


def _ends(intervals: TableIntervals, scope: str, name: str) -> Ends:
    return intervals.overall[name].ends if scope == ALL_DOMAINS else intervals.domains[name, scope].ends


def _difference_text(difference: Estimate) -> str:
    ends = f" ({interval_text(difference)})" if difference.low is not None else ""
    return f"{signed_points(difference.value)}{ends}"


def _notes(comparison: Comparison) -> list[str]:
    """Return what the figure says below itself: how it is read, and the notes of the comparison."""
    level = f"{100 * comparison.level:g} %"
    words = (
        f"Left: score × 100 with its 95 % interval over {COVERS}, as in tables. Right: A − B in points with its "
        f"{level} interval, paired where both sides have predictions, and not corrected for the number of domains. "
        f"Crossed marks and {FAILED}: includes a run that did not learn."
    )
    return [words, *(printable(note) for note in comparison.notes)]
