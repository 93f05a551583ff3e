"""Two contestants over the tasks of a domain and over all domains, and mean ranks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from dabs.leaderboard.compare.contestants import TaskKey
from dabs.leaderboard.compare.model import Aggregate, Estimate, TaskComparison
from dabs.leaderboard.compare.scores import Evidence, mean_evidence, shrink_seed_variance, variance_between
from dabs.leaderboard.compare.statistics import (
    add_variance,
    clip_interval,
    draw_units,
    estimate_over_units,
    estimate_with,
    interquartile_mean,
    probability_of_improvement,
    rank_algorithms,
    resampled_interquartile_means,
)
from dabs.leaderboard.tables.aggregate import Tasks
from dabs.leaderboard.tables.variance import ScoreVariance, variance_of_mean
from dabs.results.schema import MetricRecord

ALL_DOMAINS = "all domains"


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """The scores of two contestants on one task, with their comparison."""

    comparison: TaskComparison
    a: Evidence
    b: Evidence
    metric: MetricRecord

    @property
    def gap(self) -> float:
        """Mean score of a minus that of b."""
        return self.a.mean - self.b.mean

    @property
    def improvement(self) -> float:
        """Share of pairs of runs in which a scores higher."""
        return probability_of_improvement(self.a.scores_S, self.b.scores_S)

    def normalised(self, side: str) -> np.ndarray:
        """Return the scores (S,) of "a" or "b" with chance at 0 and a perfect score at 1, so that metrics are alike."""
        scores_S = (self.a if side == "a" else self.b).scores_S
        return np.asarray((scores_S - self.metric.chance) / max(self.metric.high - self.metric.chance, 1e-12))


def domain_evidence(by_task: Mapping[TaskKey, Mapping[str, Evidence]], tasks: Tasks) -> dict[str, dict[str, Evidence]]:
    """Return the evidence on each domain's mean, for the contestants that have all its tasks with the same seeds.

    The tasks of a domain share their encoders, so a seed moves them together: the mean is taken seed by seed.
    """
    by_domain: dict[str, dict[str, Evidence]] = {}
    for domain, names in tasks.items():
        parts = [by_task[domain, task] for task in names]
        means = {
            name: mean_evidence([part[name] for part in parts])
            for name in parts[0]
            if all(name in part for part in parts)
        }
        by_domain[domain] = {name: mean for name, mean in means.items() if mean}
    shrink_seed_variance(by_domain)
    return by_domain


def aggregate_pair(
    pair: tuple[str, str],
    scores: Sequence[TaskScores],
    by_domain: Mapping[str, Mapping[str, Evidence]],
    tasks: Tasks,
    counted: Collection[str],
    resamples: int,
    level: float,
) -> tuple[tuple[Aggregate, ...], Aggregate]:
    """Return the aggregate of each domain in which both have a task, and that of all domains.

    Args:
        pair: the two names.
        scores: one item per task that both have.
        by_domain: from `domain_evidence`.
        tasks: all tasks of each domain, including those that one of the two lacks; a missing task empties the means.
        counted: the domains that make up "all domains".
        resamples: number of resamples of tasks, and of domains.
        level: confidence level of the intervals.
    """
    units = {domain: [one for one in scores if one.comparison.domain == domain] for domain in tasks}
    units = {domain: found for domain, found in units.items() if found}
    sides = {
        domain: [found[name] for name in pair]
        for domain, found in by_domain.items()
        if all(name in found for name in pair)
    }
    domains = []
    for domain, found in units.items():
        variance = variance_between(*sides[domain]) if domain in sides else None
        complete = len(found) == len(tasks[domain])
        domains.append(_aggregate_domain(domain, found, complete, variance, resamples, level))
    # not shrunk: shrinking takes from one domain what it adds to another, so the sum over domains has no need of it
    variances = [variance_between(*sides[domain], shrunk=False) for domain in counted if domain in sides]
    variance = variance_of_mean(variances) if len(variances) == len(counted) else None
    own = {one.scope: one for one in domains if one.scope in counted}
    complete = len(own) == len(counted) and all(one.complete for one in own.values())
    if len(own) == 1 and complete:
        return tuple(domains), replace(*own.values(), scope=ALL_DOMAINS)
    return tuple(domains), _aggregate_all([units[domain] for domain in own], complete, variance, resamples, level)


def _aggregate_domain(
    domain: str,
    found: Sequence[TaskScores],
    complete: bool,
    variance: ScoreVariance | None,
    resamples: int,
    level: float,
) -> Aggregate:
    """Aggregate one domain. Its tasks share their encoders, so a bootstrap over tasks says nothing of other seeds.

    The interval over tasks therefore adds the variance from seeds and examples to that from tasks, which counts some of
    the examples' part twice. The interquartile mean and the probability of improvement get no interval.
    """
    counts = _count_verdicts(domain, found, complete)
    if not complete:
        return counts
    a, b = float(np.mean([one.a.mean for one in found])), float(np.mean([one.b.mean for one in found]))
    gap_T = np.array([one.gap for one in found])
    draws_R = gap_T[draw_units(len(found), resamples)].mean(axis=1)
    over_tasks = estimate_over_units(a - b, draws_R, len(found), level)
    iqm_a, iqm_b = (interquartile_mean(np.concatenate([one.normalised(side) for one in found])) for side in "ab")
    return replace(
        counts,
        a=a,
        b=b,
        difference=estimate_with(a - b, variance, level) if variance else Estimate(value=a - b),
        over_tasks=add_variance(over_tasks, variance, level) if variance else Estimate(value=a - b),
        improvement=Estimate(value=float(np.mean([one.improvement for one in found]))),
        iqm_a=iqm_a,
        iqm_b=iqm_b,
        iqm_difference=Estimate(value=iqm_a - iqm_b),
    )


def _count_verdicts(scope: str, found: Sequence[TaskScores], complete: bool) -> Aggregate:
    """Return the verdicts of a scope, with empty means."""
    verdicts = [one.comparison.verdict for one in found]
    return Aggregate(
        scope=scope,
        tasks=len(found),
        complete=complete,
        wins=verdicts.count("win"),
        ties=verdicts.count("tie"),
        losses=verdicts.count("loss"),
    )


def _aggregate_all(
    units: Sequence[Sequence[TaskScores]],
    complete: bool,
    variance: ScoreVariance | None,
    resamples: int,
    level: float,
) -> Aggregate:
    """Aggregate all domains with equal weights.

    Domains were pretrained separately, so a bootstrap over domains covers seeds as well.
    """
    counts = _count_verdicts(ALL_DOMAINS, [one for unit in units for one in unit], complete)
    if not complete:
        return counts
    drawn_RU = draw_units(len(units), resamples)
    a = float(np.mean([np.mean([one.a.mean for one in unit]) for unit in units]))
    b = float(np.mean([np.mean([one.b.mean for one in unit]) for unit in units]))
    gap_U = np.array([np.mean([one.gap for one in unit]) for unit in units])
    iqm_a, iqm_b, iqm_difference = _interquartile_means(units, drawn_RU, level)
    return replace(
        counts,
        a=a,
        b=b,
        difference=estimate_with(a - b, variance, level) if variance else Estimate(value=a - b),
        over_tasks=estimate_over_units(a - b, gap_U[drawn_RU].mean(axis=1), len(units), level),
        improvement=_mean_improvement(units, drawn_RU, level),
        iqm_a=iqm_a,
        iqm_b=iqm_b,
        iqm_difference=iqm_difference,
    )


def _mean_improvement(units: Sequence[Sequence[TaskScores]], drawn_RU: np.ndarray, level: float) -> Estimate:
    """Return the mean over tasks, and the p of its being 1/2; a resample draws units with all their tasks."""
    sums_U = np.array([sum(one.improvement - 0.5 for one in unit) for unit in units])
    sizes_U = np.array([len(unit) for unit in units])
    draws_R = sums_U[drawn_RU].sum(axis=1) / sizes_U[drawn_RU].sum(axis=1)
    centred = estimate_over_units(float(sums_U.sum() / sizes_U.sum()), draws_R, len(units), level)
    return clip_interval(centred.shifted(0.5), 0.0, 1.0)


def _interquartile_means(
    units: Sequence[Sequence[TaskScores]], drawn_RU: np.ndarray, level: float
) -> tuple[float, float, Estimate]:
    """Return the interquartile mean of each side, and their difference with an interval over units."""
    means, draws = [], []
    for side in ("a", "b"):
        parts = [np.concatenate([one.normalised(side) for one in unit]) for unit in units]
        unit_N = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        means.append(interquartile_mean(np.concatenate(parts)))
        draws.append(_cached_interquartile_means(tuple(np.concatenate(parts)), tuple(unit_N), len(drawn_RU)))
    difference = estimate_over_units(means[0] - means[1], draws[0] - draws[1], len(units), level)
    return means[0], means[1], difference


@lru_cache(maxsize=256)
def _cached_interquartile_means(scores: tuple[float, ...], units: tuple[int, ...], resamples: int) -> np.ndarray:
    """Cache `resampled_interquartile_means`, as a contestant has the same scores in many pairs."""
    return resampled_interquartile_means(np.array(scores), np.array(units), draw_units(max(units) + 1, resamples))


def mean_ranks(
    names: Sequence[str],
    by_task: Mapping[TaskKey, Mapping[str, Evidence]],
    tasks: Tasks,
    counted: Collection[str],
    resamples: int,
    level: float,
) -> dict[str, list[tuple[str, Estimate]]]:
    """Return the mean rank of each contestant by scope, over the tasks that all have; nothing for fewer than three."""
    shared = {domain: [t for t in found if len(by_task[domain, t]) == len(names)] for domain, found in tasks.items()}
    by_domain = {
        domain: rank_algorithms(np.array([[by_task[domain, task][name].mean for name in names] for task in found]))
        for domain, found in shared.items()
        if found
    }
    if len(names) < 3 or not by_domain:
        return {}
    by_scope = {domain: ranks for domain, ranks in by_domain.items() if len(shared[domain]) == len(tasks[domain])}
    if all(domain in by_scope for domain in counted):
        means = [by_domain[domain].mean(axis=0) for domain in counted]
        by_scope[ALL_DOMAINS] = np.array(means) if len(means) > 1 else by_domain[next(iter(counted))]
    return {
        scope: _mean_ranks_of(names, ranks, resamples, level, with_interval=scope == ALL_DOMAINS and len(counted) > 1)
        for scope, ranks in by_scope.items()
    }


def _mean_ranks_of(
    names: Sequence[str], ranks_UA: np.ndarray, resamples: int, level: float, *, with_interval: bool
) -> list[tuple[str, Estimate]]:
    """Return the mean rank over units, best first.

    Only domains give an interval: the tasks of one domain share their encoders.
    """
    draws_RA = ranks_UA[draw_units(len(ranks_UA), resamples)].mean(axis=1)
    rows = []
    for i, name in enumerate(names):
        estimate = estimate_over_units(float(ranks_UA[:, i].mean()), draws_RA[:, i], len(ranks_UA), level)
        clipped = clip_interval(estimate.without_p(), 1.0, float(len(names)))
        rows.append((name, clipped if with_interval else Estimate(value=estimate.value)))
    return sorted(rows, key=lambda row: row[1].value)
