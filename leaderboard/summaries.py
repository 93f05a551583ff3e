"""Two contestants over the tasks of a domain and over all domains; ranks of more than two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from leaderboard.comparison import Aggregate, Estimate, TaskComparison
from leaderboard.evidence import Evidence, mean_evidence, spread_between
from leaderboard.schema import Metric
from leaderboard.statistics import (
    Spread,
    clipped,
    improvement,
    interquartile_mean,
    mean_spread,
    over_units,
    ranks,
    trimmed_means,
    unit_draws,
)

ALL = "all domains"


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """What two contestants have on one task."""

    row: TaskComparison
    a: Evidence
    b: Evidence
    metric: Metric


def aggregates(
    scores: Sequence[TaskScores], tasks: Mapping[str, Sequence[str]], resamples: int, level: float
) -> tuple[tuple[Aggregate, ...], Aggregate]:
    """The aggregate of each domain in which both have a task, and that of all domains.

    Args:
        scores: a task both have.
        tasks: all tasks of each domain, those one of the two lacks included; a missing task empties the means.
    """
    by_domain = {domain: [one for one in scores if one.row.domain == domain] for domain in tasks}
    spreads, rows = [], []
    for domain, found in by_domain.items():
        if not found:
            continue
        whole = len(found) == len(tasks[domain])
        spreads.append(_domain_spread(found) if whole else None)
        rows.append(_aggregate(domain, [[one] for one in found], whole, spreads[-1], resamples, level))
    units = [found for found in by_domain.values() if found]
    complete = len(rows) == len(tasks) and all(row.complete for row in rows)
    known = [spread for spread in spreads if spread is not None]
    spread = mean_spread(known) if complete and len(known) == len(rows) else None
    if len(units) == 1:  # of a single domain the tasks are what is drawn
        return tuple(rows), _aggregate(ALL, [[one] for one in units[0]], complete, spread, resamples, level)
    return tuple(rows), _aggregate(ALL, units, complete, spread, resamples, level)


def _domain_spread(found: Sequence[TaskScores]) -> Spread | None:
    """Seeds move all tasks of a domain together, as they share the encoder: the domain's mean is taken seed by seed."""
    a, b = mean_evidence([one.a for one in found]), mean_evidence([one.b for one in found])
    return spread_between(a, b) if a and b else None


def _aggregate(
    scope: str,
    units: Sequence[Sequence[TaskScores]],
    complete: bool,
    spread: Spread | None,
    resamples: int,
    level: float,
) -> Aggregate:
    """Means over units (tasks of a domain, or domains), each counting the same."""
    every = [one for unit in units for one in unit]
    drawn_RU = unit_draws(len(units), resamples)
    a = float(np.mean([np.mean([one.a.mean for one in unit]) for unit in units]))
    b = float(np.mean([np.mean([one.b.mean for one in unit]) for unit in units]))
    gap_U = np.array([np.mean([one.a.mean - one.b.mean for one in unit]) for unit in units])
    verdicts = [one.row.verdict for one in every]
    iqm_a, iqm_b, iqm_difference = _interquartile(units, drawn_RU, level)
    return Aggregate(
        scope=scope,
        tasks=len(every),
        complete=complete,
        a=a if complete else None,
        b=b if complete else None,
        difference=_estimate(a - b, spread, level) if complete else None,
        over_tasks=over_units(a - b, gap_U[drawn_RU].mean(axis=1), len(units), level) if complete else None,
        wins=verdicts.count("win"),
        ties=verdicts.count("tie"),
        losses=verdicts.count("loss"),
        improvement=_improvement(units, drawn_RU, level) if complete else None,
        iqm_a=iqm_a if complete else None,
        iqm_b=iqm_b if complete else None,
        iqm_difference=iqm_difference if complete else None,
    )


def _estimate(value: float, spread: Spread | None, level: float) -> Estimate:
    return spread.estimate(value, level) if spread else Estimate(value=value)


def _improvement(units: Sequence[Sequence[TaskScores]], drawn_RU: np.ndarray, level: float) -> Estimate:
    """Mean over tasks; a resample draws units with all their tasks. p is that of 1/2."""
    sums_U = np.array([sum(improvement(one.a.scores_S, one.b.scores_S) - 0.5 for one in unit) for unit in units])
    sizes_U = np.array([len(unit) for unit in units])
    draws_R = sums_U[drawn_RU].sum(axis=1) / sizes_U[drawn_RU].sum(axis=1)
    centred = over_units(float(sums_U.sum() / sizes_U.sum()), draws_R, len(units), level)
    return clipped(centred.shifted(0.5), 0.0, 1.0)


def _interquartile(
    units: Sequence[Sequence[TaskScores]], drawn_RU: np.ndarray, level: float
) -> tuple[float, float, Estimate]:
    """The interquartile mean of each side, and of their difference with an interval over units."""
    means, draws = [], []
    for side in ("a", "b"):
        parts = [np.concatenate([_normalised(one, side) for one in unit]) for unit in units]
        unit_N = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        means.append(interquartile_mean(np.concatenate(parts)))
        draws.append(trimmed_means(np.concatenate(parts), unit_N, drawn_RU))
    gap = over_units(means[0] - means[1], draws[0] - draws[1], len(units), level)
    return means[0], means[1], gap


def _normalised(one: TaskScores, side: str) -> np.ndarray:
    """Scores (S,) with chance at 0 and a perfect score at 1, so that metrics share a scale."""
    scores_S = (one.a if side == "a" else one.b).scores_S
    return np.asarray((scores_S - one.metric.chance) / max(one.metric.high - one.metric.chance, 1e-12))


def rank_rows(
    names: Sequence[str],
    board: Mapping[tuple[str, str], Mapping[str, Evidence]],
    tasks: Mapping[str, Sequence[str]],
    resamples: int,
    level: float,
) -> dict[str, list[tuple[str, Estimate]]]:
    """Mean rank of each of more than two contestants by scope, over the tasks that all of them have."""
    shared = {domain: [t for t in found if len(board[domain, t]) == len(names)] for domain, found in tasks.items()}
    tables = {
        domain: ranks(np.array([[board[domain, task][name].mean for name in names] for task in found]))
        for domain, found in shared.items()
        if found
    }
    if len(names) < 3 or not tables:
        return {}
    by_scope = {domain: table for domain, table in tables.items() if len(shared[domain]) == len(tasks[domain])}
    if len(by_scope) == len(tasks):
        means = [table.mean(axis=0) for table in tables.values()]
        by_scope[ALL] = np.array(means) if len(means) > 1 else next(iter(tables.values()))
    return {scope: _ranked(names, table, resamples, level) for scope, table in by_scope.items()}


def _ranked(names: Sequence[str], table_UA: np.ndarray, resamples: int, level: float) -> list[tuple[str, Estimate]]:
    draws_RA = table_UA[unit_draws(len(table_UA), resamples)].mean(axis=1)
    rows = []
    for i, name in enumerate(names):
        estimate = over_units(float(table_UA[:, i].mean()), draws_RA[:, i], len(table_UA), level)
        rows.append((name, clipped(estimate.untested(), 1.0, float(len(names)))))
    return sorted(rows, key=lambda row: row[1].value)
