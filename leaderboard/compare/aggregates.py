"""Two contestants over the tasks of a domain and over all domains; ranks of more than two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from dabs.leaderboard.compare.model import Aggregate, Estimate, TaskComparison
from dabs.leaderboard.compare.scores import Evidence, mean_evidence, spread_between, steady
from dabs.leaderboard.compare.statistics import (
    Spread,
    added,
    clipped,
    improvement,
    interquartile_mean,
    mean_spread,
    over_units,
    ranks,
    trimmed_means,
    unit_draws,
)
from dabs.results.schema import MetricRecord

ALL = "all domains"
Tasks = Mapping[str, Sequence[str]]  # domain -> the tasks that any contestant has


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """What two contestants have on one task."""

    row: TaskComparison
    a: Evidence
    b: Evidence
    metric: MetricRecord


def domain_means(
    board: Mapping[tuple[str, str], Mapping[str, Evidence]], tasks: Tasks
) -> dict[str, dict[str, Evidence]]:
    """The evidence on each domain's mean, of the contestants that have all its tasks with the same seeds.

    Seeds move all tasks of a domain together, as they share the encoder: the mean is taken seed by seed.
    """
    whole: dict[str, dict[str, Evidence]] = {}
    for domain, names in tasks.items():
        found = [board[domain, task] for task in names]
        means = {
            name: mean_evidence([one[name] for one in found]) for name in found[0] if all(name in o for o in found)
        }
        whole[domain] = {name: mean for name, mean in means.items() if mean}
    steady(whole)
    return whole


def aggregates(
    pair: tuple[str, str],
    scores: Sequence[TaskScores],
    whole: Mapping[str, Mapping[str, Evidence]],
    tasks: Tasks,
    resamples: int,
    level: float,
) -> tuple[tuple[Aggregate, ...], Aggregate]:
    """The aggregate of each domain in which both have a task, and that of all domains.

    Args:
        pair: the two names.
        scores: a task both have.
        whole: from `domain_means`.
        tasks: all tasks of each domain, those one of the two lacks included; a missing task empties the means.
        resamples: of tasks, and of domains.
        level: of the intervals.
    """
    units = {domain: [one for one in scores if one.row.domain == domain] for domain in tasks}
    units = {domain: found for domain, found in units.items() if found}
    sides = {domain: [found[name] for name in pair] for domain, found in whole.items() if all(n in found for n in pair)}
    rows = []
    for domain, found in units.items():
        spread = spread_between(*sides[domain]) if domain in sides else None
        complete = len(found) == len(tasks[domain])
        rows.append(_aggregate(domain, found, complete, spread, resamples, level))
    # the sum over domains needs no steadying: what one domain gains another loses
    spread = (
        mean_spread([spread_between(*both, raw=True) for both in sides.values()]) if len(sides) == len(tasks) else None
    )
    complete = len(rows) == len(tasks) and all(row.complete for row in rows)
    if len(units) == 1 and complete:
        return tuple(rows), replace(rows[0], scope=ALL)
    return tuple(rows), _overall(list(units.values()), complete, spread, resamples, level)


def _aggregate(
    domain: str, found: Sequence[TaskScores], complete: bool, spread: Spread | None, resamples: int, level: float
) -> Aggregate:
    """A domain. Its tasks share their encoders, so a bootstrap over tasks says nothing of other seeds.

    Therefore the interval over tasks adds the variance from seeds and examples to that from tasks (which counts some of
    the examples' part twice), and the interquartile mean and the probability of improvement stand without intervals.
    """
    if not complete:
        return _counted(domain, found, complete)
    a, b = float(np.mean([one.a.mean for one in found])), float(np.mean([one.b.mean for one in found]))
    gap_T = np.array([one.a.mean - one.b.mean for one in found])
    over = over_units(a - b, gap_T[unit_draws(len(found), resamples)].mean(axis=1), len(found), level)
    iqm_a, iqm_b = (interquartile_mean(np.concatenate([_normalised(one, side) for one in found])) for side in "ab")
    return replace(
        _counted(domain, found, complete),
        a=a,
        b=b,
        difference=spread.estimate(a - b, level) if spread else Estimate(value=a - b),
        over_tasks=added(over, spread, level) if spread else Estimate(value=a - b),
        improvement=Estimate(value=float(np.mean([improvement(one.a.scores_S, one.b.scores_S) for one in found]))),
        iqm_a=iqm_a,
        iqm_b=iqm_b,
        iqm_difference=Estimate(value=iqm_a - iqm_b),
    )


def _counted(scope: str, found: Sequence[TaskScores], complete: bool) -> Aggregate:
    """The verdicts of a scope, the means empty."""
    verdicts = [one.row.verdict for one in found]
    return Aggregate(
        scope=scope,
        tasks=len(found),
        complete=complete,
        wins=verdicts.count("win"),
        ties=verdicts.count("tie"),
        losses=verdicts.count("loss"),
    )


def _overall(
    units: Sequence[Sequence[TaskScores]], complete: bool, spread: Spread | None, resamples: int, level: float
) -> Aggregate:
    """All domains, each counting the same. They were pretrained apart, so a bootstrap over domains covers seeds too."""
    counted = _counted(ALL, [one for unit in units for one in unit], complete)
    if not complete:
        return counted
    drawn_RU = unit_draws(len(units), resamples)
    a = float(np.mean([np.mean([one.a.mean for one in unit]) for unit in units]))
    b = float(np.mean([np.mean([one.b.mean for one in unit]) for unit in units]))
    gap_U = np.array([np.mean([one.a.mean - one.b.mean for one in unit]) for unit in units])
    iqm_a, iqm_b, iqm_difference = _interquartile(units, drawn_RU, level)
    return replace(
        counted,
        a=a,
        b=b,
        difference=spread.estimate(a - b, level) if spread else Estimate(value=a - b),
        over_tasks=over_units(a - b, gap_U[drawn_RU].mean(axis=1), len(units), level),
        improvement=_improvement(units, drawn_RU, level),
        iqm_a=iqm_a,
        iqm_b=iqm_b,
        iqm_difference=iqm_difference,
    )


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
        draws.append(_trimmed(tuple(np.concatenate(parts)), tuple(unit_N), len(drawn_RU)))
    gap = over_units(means[0] - means[1], draws[0] - draws[1], len(units), level)
    return means[0], means[1], gap


@lru_cache(maxsize=256)
def _trimmed(scores: tuple[float, ...], units: tuple[int, ...], resamples: int) -> np.ndarray:
    """`trimmed_means` of one contestant, which meets many others with the same scores."""
    return trimmed_means(np.array(scores), np.array(units), unit_draws(max(units) + 1, resamples))


def _normalised(one: TaskScores, side: str) -> np.ndarray:
    """Scores (S,) with chance at 0 and a perfect score at 1, so that metrics share a scale."""
    scores_S = (one.a if side == "a" else one.b).scores_S
    return np.asarray((scores_S - one.metric.chance) / max(one.metric.high - one.metric.chance, 1e-12))


def rank_rows(
    names: Sequence[str],
    board: Mapping[tuple[str, str], Mapping[str, Evidence]],
    tasks: Tasks,
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
    return {
        scope: _ranked(names, table, resamples, level, apart=scope == ALL and len(tables) > 1)
        for scope, table in by_scope.items()
    }


def _ranked(
    names: Sequence[str], table_UA: np.ndarray, resamples: int, level: float, *, apart: bool
) -> list[tuple[str, Estimate]]:
    draws_RA = table_UA[unit_draws(len(table_UA), resamples)].mean(axis=1)
    rows = []
    for i, name in enumerate(names):
        estimate = over_units(float(table_UA[:, i].mean()), draws_RA[:, i], len(table_UA), level)
        alone = Estimate(value=estimate.value)  # tasks of one domain share their encoders
        rows.append((name, clipped(estimate.untested(), 1.0, float(len(names))) if apart else alone))
    return sorted(rows, key=lambda row: row[1].value)
