"""A comparison as plain tables of words, the same for every format that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dabs.config import protocol_name
from dabs.leaderboard.compare.model import Aggregate, Comparison, Estimate, Pair, TaskComparison
from dabs.leaderboard.tables.render import EMPTY, points

LONGEST = 80  # characters of a name that are shown


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One table: a title, the columns' heads, and rows of words; the first `words` columns are text, others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int


def sheets_of(comparison: Comparison) -> list[Sheet]:
    """Two contestants: their domains and tasks. More: every pair over all domains, and the ranks."""
    if len(comparison.pairs) == 1:
        return [_domains(comparison.pairs[0], comparison), _tasks(comparison.pairs[0], comparison)]
    return [_pairs(comparison), *_ranks(comparison)]


def heading(comparison: Comparison) -> str:
    """What is compared, in one line."""
    names = " and ".join(shown(entry.name) for entry in comparison.contestants)
    return f"{names}: {comparison.suite} suite, {protocol_name(comparison.protocol)}"


def legend(comparison: Comparison) -> str:
    """How to read the numbers."""
    level = f"{100 * comparison.level:g} %"
    return (
        f"Scores × 100; A − B with its {level} interval over {_covered(comparison)}. Verdicts are A's after Holm's "
        f"correction over tasks at {comparison.alpha:g}. {comparison.resamples:,} resamples. "
        "“Other tasks”: the interval if the tasks were drawn again too. "
        "P(A > B): probability that a run of A scores above a run of B. IQM: interquartile mean of (score − chance) / "
        "(best − chance)."
    )


def _covered(comparison: Comparison) -> str:
    """What the tasks' intervals cover, in words; several where the tasks differ in it."""
    return " or ".join(sorted({task.covers for pair in comparison.pairs for task in pair.tasks}))


def shown(name: str) -> str:
    """A name that cannot disturb a terminal or a page: printable, and not endless."""
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}…"


def probability(p: float | None) -> str:
    """p with two significant digits, never 0."""
    if p is None:
        return EMPTY
    return "<0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def _signed(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _interval(estimate: Estimate | None, *, signed: bool = True) -> str:
    if estimate is None or estimate.low is None or estimate.high is None:
        return EMPTY
    show = _signed if signed else points
    return f"{show(estimate.low)} to {show(estimate.high)}"


def _summary(row: Aggregate) -> tuple[str, ...]:
    """The numbers of an aggregate, in the order of `_SUMMARY`."""
    difference = row.difference
    return (
        points(row.a),
        points(row.b),
        _signed(difference.value) if difference else EMPTY,
        _interval(difference),
        probability(difference.p if difference else None),
        _interval(row.over_tasks),
        f"{row.wins}/{row.ties}/{row.losses}",
        points(row.improvement.value) if row.improvement else EMPTY,
        points(row.iqm_a),
        points(row.iqm_b),
    )


_SUMMARY = ("A", "B", "A − B", "interval", "p", "other tasks", "win/tie/loss", "P(A > B)", "IQM A", "IQM B")


def _versus(pair: Pair) -> str:
    return f"A = {shown(pair.a)}, B = {shown(pair.b)}"


def _domains(pair: Pair, comparison: Comparison) -> Sheet:
    rows = [*pair.domains, pair.overall]
    return Sheet(
        title=f"By domain: {_versus(pair)}",
        head=("domain", "tasks", *_SUMMARY),
        rows=tuple((row.scope, _count(row, comparison), *_summary(row)) for row in rows),
        words=1,
    )


def _count(row: Aggregate, comparison: Comparison) -> str:
    """How many tasks, and of how many when some are missing."""
    everything = sum(len(tasks) for domain, tasks in comparison.tasks.items())
    whole = len(comparison.tasks[row.scope]) if row.scope in comparison.tasks else everything
    return str(row.tasks) if row.tasks == whole else f"{row.tasks} of {whole}"


def _tasks(pair: Pair, comparison: Comparison) -> Sheet:
    return Sheet(
        title=f"By task: {_versus(pair)}",
        head=("task", "metric", "verdict", "A", "B", "A − B", "interval", "p", "p (Holm)"),
        rows=tuple(_task(row) for row in pair.tasks),
        words=3,
    )


def _task(row: TaskComparison) -> tuple[str, ...]:
    return (
        f"{row.domain}/{row.task}",
        row.metric,
        row.verdict,
        points(row.a),
        points(row.b),
        _signed(row.difference.value),
        _interval(row.difference),
        probability(row.difference.p),
        probability(row.p_holm),
    )


def _pairs(comparison: Comparison) -> Sheet:
    rows = tuple((shown(pair.a), shown(pair.b), *_summary(pair.overall)) for pair in comparison.pairs)
    head = ("A is", "B is", *_SUMMARY)
    return Sheet(title="Every pair, all domains", head=head, rows=rows, words=2)


def _ranks(comparison: Comparison) -> Iterator[Sheet]:
    """A row a contestant, a column a scope, all domains first."""
    scopes = list(reversed(comparison.ranks))
    if not scopes:
        return
    by_name = {scope: {rank.name: rank.rank for rank in ranks} for scope, ranks in comparison.ranks.items()}
    names = [rank.name for rank in comparison.ranks[scopes[0]]]
    rows = tuple((shown(name), *(_rank(by_name[scope][name]) for scope in scopes)) for name in names)
    yield Sheet(title="Mean rank over tasks (1 is best)", head=("algorithm", *scopes), rows=rows, words=1)


def _rank(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


def columns(sheet: Sheet) -> Sequence[bool]:
    """Whether each column holds numbers."""
    return [i >= sheet.words for i in range(len(sheet.head))]
