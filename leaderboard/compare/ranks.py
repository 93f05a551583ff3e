"""Ranks by paired tests: how many rows are better, as `dabs compare` tests them.

Two rows differ in a domain, or over all domains, where the p of their difference is below alpha after Holm's correction
over all pairs of that column. A row's rank is one more than the number of rows that are better, so rows that the tests
cannot tell apart may share a rank.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations

from dabs.evaluation.reference_rows import is_reference
from dabs.leaderboard.compare.aggregates import domain_evidence
from dabs.leaderboard.compare.contestants import Contestant, make_contestant
from dabs.leaderboard.compare.model import Comparison, Estimate, Verdict
from dabs.leaderboard.compare.pairwise import ALPHA, RESAMPLES, gather_all, pair_verdict, tasks_by_domain
from dabs.leaderboard.compare.scores import Evidence, variance_between
from dabs.leaderboard.compare.statistics import estimate_with, holm_correction
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.ranking import TestedRanks
from dabs.leaderboard.tables.variance import variance_of_mean
from dabs.results.entries import Entry

MAX_RANKED = 20  # rows that are tested against each other; of more, the best
Difference = tuple[str, str, Estimate]  # a, b, mean(a) - mean(b)


def judge(differences: Sequence[Difference], alpha: float = ALPHA) -> list[Verdict]:
    """Return a's verdict on b for each pair of a column, by Holm's correction over all of them; a tie without p."""
    corrected = holm_correction([estimate.p for _, _, estimate in differences])
    return [pair_verdict(one.value, p, alpha) for (_, _, one), p in zip(differences, corrected, strict=True)]


def rank_differences(names: Iterable[str], differences: Sequence[Difference], alpha: float = ALPHA) -> dict[str, int]:
    """Return the rank of each row: one more than the number of rows that are better.

    Args:
        names: the rows.
        differences: one for each pair of rows; a pair without p is a tie.
        alpha: level of the tests after Holm's correction over the pairs.
    """
    ranks = dict.fromkeys(names, 1)
    for (a, b, _), verdict in zip(differences, judge(differences, alpha), strict=True):
        if verdict != "tie":
            ranks[b if verdict == "win" else a] += 1
    return ranks


def columns_of(comparison: Comparison, names: Collection[str]) -> dict[str | None, list[Difference]]:
    """Return the tested differences of some rows in each domain, and over all domains under None."""
    columns: dict[str | None, list[Difference]] = {None: []}
    for pair in comparison.pairs:
        for one in (*pair.domains, pair.overall) if pair.a in names and pair.b in names else ():
            scope = one.scope if one.scope in comparison.tasks else None
            if one.complete and one.difference is not None:
                columns.setdefault(scope, []).append((pair.a, pair.b, one.difference))
    return columns


def ranks_of_comparison(comparison: Comparison, names: Collection[str]) -> TestedRanks:
    """Return the ranks of some rows in each domain and over all domains, by the tests of a comparison.

    Args:
        comparison: the tests.
        names: the rows to rank; those that were not tested have no rank.
    """
    return _rank_columns(columns_of(comparison, names), comparison.alpha)


def _rank_columns(columns: Mapping[str | None, Sequence[Difference]], alpha: float) -> TestedRanks:
    """Return the ranks in each column that has a pair."""
    ranks: TestedRanks = {}
    for scope, pairs in columns.items():
        if pairs:
            names = dict.fromkeys(name for a, b, _ in pairs for name in (a, b))
            ranks[scope] = rank_differences(names, pairs, alpha)
    return ranks


def rank_entries(entries: Iterable[Entry], table: Table, *, resamples: int = RESAMPLES) -> TestedRanks:
    """Return the ranks of the algorithms of a table in each domain and over all domains, by paired tests.

    The tests are those of `dabs compare` on the same results; only what a rank needs is computed. That takes about five
    seconds for a row of three seeds in the lite suite, most of them for the task that is scored by AUROC.

    Args:
        entries: the rows with their predictions, under the names of the table.
        table: the table of one protocol; the reference rows are not ranked, and of many rows only the best.
        resamples: number of resamples of test examples (or groups).

    Raises:
        DabsError: predictions cannot be read or do not belong to their results.
    """
    chosen = _best_names(table)
    contestants = [
        make_contestant(entry.name, str(entry.folder or entry.name), placed)
        for entry in entries
        if entry.name in chosen and (placed := [one for one in entry.placed if one.result.protocol == table.protocol])
    ]
    return rank_contestants(contestants, tuple(table.counted), resamples=resamples) if len(contestants) > 1 else {}


def _best_names(table: Table) -> set[str]:
    """Return the algorithms of a table, the best `MAX_RANKED` by the mean of all domains if there are more."""

    def key(name: str) -> tuple[float, str]:
        mean = table.overall(name)
        return (float("inf") if mean is None else -mean, name)

    return set(sorted((name for name in table.algorithms if not is_reference(name)), key=key)[:MAX_RANKED])


def rank_contestants(
    contestants: Sequence[Contestant], counted: Collection[str], *, alpha: float = ALPHA, resamples: int = RESAMPLES
) -> TestedRanks:
    """Return the ranks of some contestants in each domain and over all domains; those without a mean have none.

    Args:
        contestants: at least two, all of one protocol.
        counted: the domains that make up "all domains".
        alpha, resamples: as for `pairwise.compare_contestants`.
    """
    by_task, _ = gather_all(contestants, resamples)
    by_domain = domain_evidence(by_task, tasks_by_domain(by_task))
    columns: dict[str | None, list[Difference]] = {}
    whole = [one.name for one in contestants if all(one.name in by_domain.get(domain, {}) for domain in counted)]
    shrunk = len(counted) == 1  # as in `aggregates`: the mean of several domains has no need of it
    columns[None] = [
        (a, b, _difference(_sides(by_domain, counted, a, b), alpha, shrunk=shrunk)) for a, b in combinations(whole, 2)
    ]
    for domain, found in by_domain.items():
        columns[domain] = [(a, b, _difference([(found[a], found[b])], alpha)) for a, b in combinations(found, 2)]
    return _rank_columns(columns, alpha)


def _sides(
    by_domain: Mapping[str, Mapping[str, Evidence]], counted: Collection[str], a: str, b: str
) -> list[tuple[Evidence, Evidence]]:
    return [(by_domain[domain][a], by_domain[domain][b]) for domain in counted]


def _difference(sides: Sequence[tuple[Evidence, Evidence]], alpha: float, *, shrunk: bool = True) -> Estimate:
    """Return the difference of two means over domains, as `aggregates` computes it."""
    value = sum(a.mean - b.mean for a, b in sides) / len(sides)
    variance = variance_of_mean([variance_between(a, b, shrunk=shrunk) for a, b in sides])
    return estimate_with(value, variance, 1 - alpha)
