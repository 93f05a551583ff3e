"""A comparison as tables of plain text, shared by all output formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dabs.config import protocol_name
from dabs.leaderboard.compare.aggregates import ALL_DOMAINS
from dabs.leaderboard.compare.model import Aggregate, Comparison, Estimate, Pair, TaskComparison
from dabs.leaderboard.tables.aggregate import counted_domains
from dabs.leaderboard.tables.render import EMPTY, points

MAX_NAME_LENGTH = 80  # longer names are cut


@dataclass(frozen=True, kw_only=True)
class TextTable:
    """A table of text: the first `text_columns` columns hold words, the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether each column holds numbers."""
        return tuple(i >= self.text_columns for i in range(len(self.head)))


def text_tables(comparison: Comparison) -> list[TextTable]:
    """Return the tables to show.

    For two contestants these are their domains and tasks; for more, every pair over all domains and the ranks.
    """
    if len(comparison.pairs) == 1:
        return [_domain_table(comparison.pairs[0], comparison), _task_table(comparison.pairs[0])]
    return [_pair_table(comparison), *_rank_tables(comparison)]


def heading(comparison: Comparison) -> str:
    """Return in one line what is compared."""
    names = " and ".join(short_name(one.name) for one in comparison.contestants)
    return f"{names}: {comparison.suite} suite, {protocol_name(comparison.protocol)}"


def legend(comparison: Comparison) -> str:
    """Return how to read the numbers."""
    level = f"{100 * comparison.level:g} %"
    return (
        f"Scores × 100; A − B with its {level} interval over {_sources_of_uncertainty(comparison)}. "
        f"Verdicts are A's after Holm's correction over tasks at {comparison.alpha:g}. "
        f"{comparison.resamples:,} resamples. "
        "“Other tasks”: the interval if the tasks had been drawn anew as well. "
        "P(A > B): probability that a run of A scores above a run of B. IQM: interquartile mean of (score − chance) / "
        "(best − chance)."
    )


def _sources_of_uncertainty(comparison: Comparison) -> str:
    """Return what the tasks' intervals cover, in words; several phrases where tasks differ."""
    return " or ".join(sorted({task.covers for pair in comparison.pairs for task in pair.tasks}))


def printable(text: str) -> str:
    """Replace characters that could steer a terminal or a page."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def short_name(name: str) -> str:
    """Return a name that is printable and at most `MAX_NAME_LENGTH` characters long."""
    clean = printable(name)
    return clean if len(clean) <= MAX_NAME_LENGTH else f"{clean[: MAX_NAME_LENGTH - 1]}…"


def probability(p: float | None) -> str:
    """Format p with two significant digits, never as 0; a missing p is a dash."""
    if p is None:
        return EMPTY
    return "<0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def signed_points(value: float) -> str:
    """Format a difference times 100 with its sign, and no sign for 0.0."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def interval_text(estimate: Estimate | None) -> str:
    """Format an interval times 100 as `1.0 to 2.0` with signs, or as a dash where there is none."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return EMPTY
    return f"{signed_points(estimate.low)} to {signed_points(estimate.high)}"


def _aggregate_cells(row: Aggregate) -> tuple[str, ...]:
    """Return the numbers of an aggregate, in the order of `_AGGREGATE_HEAD`."""
    difference = row.difference
    return (
        points(row.a),
        points(row.b),
        signed_points(difference.value) if difference else EMPTY,
        interval_text(difference),
        probability(difference.p if difference else None),
        interval_text(row.over_tasks),
        f"{row.wins}/{row.ties}/{row.losses}",
        points(row.improvement.value) if row.improvement else EMPTY,
        points(row.iqm_a),
        points(row.iqm_b),
    )


_AGGREGATE_HEAD = ("A", "B", "A − B", "interval", "p", "other tasks", "win/tie/loss", "P(A > B)", "IQM A", "IQM B")


def _versus(pair: Pair) -> str:
    return f"A = {short_name(pair.a)}, B = {short_name(pair.b)}"


def _domain_table(pair: Pair, comparison: Comparison) -> TextTable:
    rows = [*pair.domains, pair.overall]
    return TextTable(
        title=f"By domain: {_versus(pair)}",
        head=("domain", "tasks", *_AGGREGATE_HEAD),
        rows=tuple(
            (_scope_name(row.scope, comparison), _task_count(row, comparison), *_aggregate_cells(row)) for row in rows
        ),
        text_columns=1,
    )


def _scope_name(scope: str, comparison: Comparison) -> str:
    """Return a scope's name; "all domains" says when some were left out."""
    if scope in comparison.tasks or not comparison.left_out:
        return scope
    return f"{scope} but {', '.join(comparison.left_out)}"


def _task_count(row: Aggregate, comparison: Comparison) -> str:
    """Return the number of tasks that both have, and out of how many when some are missing."""
    whole = counted_domains(comparison.tasks, comparison.suite)
    scopes = [row.scope] if row.scope in comparison.tasks else list(whole)
    total = sum(len(comparison.tasks[domain]) for domain in scopes)
    return str(row.tasks) if row.tasks == total else f"{row.tasks} of {total}"


def _task_table(pair: Pair) -> TextTable:
    return TextTable(
        title=f"By task: {_versus(pair)}",
        head=("task", "metric", "verdict", "A", "B", "A − B", "interval", "p", "p (Holm)"),
        rows=tuple(_task_cells(task) for task in pair.tasks),
        text_columns=3,
    )


def _task_cells(task: TaskComparison) -> tuple[str, ...]:
    return (
        f"{task.domain}/{task.task}",
        task.metric,
        task.verdict,
        points(task.a),
        points(task.b),
        signed_points(task.difference.value),
        interval_text(task.difference),
        probability(task.difference.p),
        probability(task.p_holm),
    )


def _pair_table(comparison: Comparison) -> TextTable:
    rows = tuple((short_name(pair.a), short_name(pair.b), *_aggregate_cells(pair.overall)) for pair in comparison.pairs)
    head = ("A is", "B is", *_AGGREGATE_HEAD)
    return TextTable(title=f"Every pair, {_scope_name(ALL_DOMAINS, comparison)}", head=head, rows=rows, text_columns=2)


def _rank_tables(comparison: Comparison) -> Iterator[TextTable]:
    """Yield one table with a row per contestant and a column per scope, all domains first; none without ranks."""
    scopes = list(reversed(comparison.ranks))
    if not scopes:
        return
    by_name = {scope: {rank.name: rank.rank for rank in ranks} for scope, ranks in comparison.ranks.items()}
    names = [rank.name for rank in comparison.ranks[scopes[0]]]
    rows = tuple((short_name(name), *(_rank(by_name[scope][name]) for scope in scopes)) for name in names)
    yield TextTable(
        title="Mean rank over tasks (1 is best)",
        head=("algorithm", *(_scope_name(scope, comparison) for scope in scopes)),
        rows=rows,
        text_columns=1,
    )


def _rank(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"
