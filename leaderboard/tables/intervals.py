"""Intervals of means over seeds, tasks and domains, from published intervals.

A mean over seeds is uncertain for two reasons: the test data, which all seeds share, and the pretraining seeds. The
test data's part is that of the published intervals, and more seeds do not reduce it. The seeds' part is the variance
over seeds divided by their number. The published part includes what the examples do to one seed alone, which the
variance over seeds includes as well, so these intervals are slightly wide; only predictions can tell the two apart.

The same seed moves all tasks of a domain, which share their encoders, so a domain's mean is taken seed by seed. Domains
are pretrained separately. `build_intervals` is what tables call.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from statistics import variance as sample_variance

from dabs.evaluation.log_odds import Bounds, error_of_interval, log_odds_interval, t_quantile
from dabs.leaderboard.tables.compatibility import has_encoder
from dabs.leaderboard.tables.variance import ScoreVariance, SeedVariance, shrink_all, variance_of_mean
from dabs.results.schema import Result

CellKey = tuple[str, str, str]  # algorithm, domain, task


@dataclass(frozen=True, kw_only=True)
class MeanInterval:
    """The interval of a mean.

    Attributes:
        low, high: its ends, within the bounds of the metric.
        test_data_only: the mean is of encoders with one seed, and the interval says nothing about other seeds.
    """

    low: float
    high: float
    test_data_only: bool

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high

    @property
    def covers(self) -> str:
        """What the interval covers, in words."""
        return "test data only, one seed" if self.test_data_only else "seeds and test data"


@dataclass(frozen=True, kw_only=True)
class SeedScores:
    """The scores of one algorithm on a task, or their mean over tasks, with the uncertainty from the test data.

    Attributes:
        seeds: ascending; empty where the tasks have different seeds.
        scores: one per seed, in the same order.
        mean: mean over seeds, and over tasks.
        test_error: standard error of a score from the test data.
        units: number of examples or groups in the test data; of several tasks, the smallest.
        test_split: hash of the test split; tasks with the same hash have the same examples.
        seedless: no seed could vary (the raw input).
        level: confidence level of the published intervals.
        bounds: of the metric; of several tasks, their mean.
        unpaired: variance of `mean` from seeds and its degrees of freedom, where the tasks have different seeds.
    """

    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    mean: float
    test_error: float
    units: int
    test_split: str
    seedless: bool
    level: float
    bounds: Bounds
    unpaired: SeedVariance = None

    @property
    def seed_variance(self) -> SeedVariance:
        """Sample variance of the scores over seeds and its degrees of freedom; None for one seed."""
        return (sample_variance(self.scores), len(self.scores) - 1.0) if len(self.scores) > 1 else None


def scores_of_cell(results: Sequence[Result]) -> SeedScores:
    """Return the scores of one algorithm on one task under one protocol, from the results of all its seeds."""
    results = sorted(results, key=lambda result: result.seed)
    first = results[0]
    return SeedScores(
        seeds=tuple(result.seed for result in results),
        scores=tuple(result.score for result in results),
        mean=fmean(result.score for result in results),
        test_error=math.sqrt(fmean(published_error(result) ** 2 for result in results)),
        units=min(result.interval.units for result in results),
        test_split=first.data.split_sha256.test,
        seedless=not has_encoder(first),
        level=first.interval.level,
        bounds=(first.metric.low, first.metric.high),
    )


def published_error(result: Result) -> float:
    """Return the standard error of a score from the test data, according to its published interval."""
    interval = result.interval
    ends, df = (interval.low, interval.high), max(interval.units - 1, 1)
    return error_of_interval(result.score, ends, df, interval.level, (result.metric.low, result.metric.high))


def mean_of_tasks(parts: Sequence[SeedScores], shrunk: Sequence[SeedVariance]) -> SeedScores:
    """Return the mean over tasks, seed by seed.

    The test errors of tasks on the same examples are taken as fully dependent. Where the tasks have different seeds, so
    are the effects of the seeds.

    Args:
        parts: one per task.
        shrunk: the seed variance of each task, used where the tasks have different seeds.
    """
    by_split: dict[str, float] = defaultdict(float)
    for part in parts:
        by_split[part.test_split] += part.test_error
    paired = len({part.seeds for part in parts}) == 1
    return SeedScores(
        seeds=parts[0].seeds if paired else (),
        scores=tuple(fmean(scores) for scores in zip(*(part.scores for part in parts), strict=True)) if paired else (),
        mean=fmean(part.mean for part in parts),
        test_error=math.hypot(*by_split.values()) / len(parts),
        units=min(part.units for part in parts),
        test_split=parts[0].test_split,
        seedless=all(part.seedless for part in parts),
        level=parts[0].level,
        bounds=(fmean(part.bounds[0] for part in parts), fmean(part.bounds[1] for part in parts)),
        unpaired=None if paired else _dependent_seeds(parts, shrunk),
    )


def _dependent_seeds(parts: Sequence[SeedScores], variances: Sequence[SeedVariance]) -> SeedVariance:
    """Return the variance of the mean over tasks if seeds move all tasks alike; None if a task has one seed."""
    known = [(found, len(part.scores)) for found, part in zip(variances, parts, strict=True) if found]
    if len(known) < len(parts):
        return None
    deviation = sum(math.sqrt(found[0] / size) for found, size in known) / len(parts)
    return deviation**2, min(found[1] for found, _ in known)


def variance_of_scores(one: SeedScores, seed_variance: SeedVariance) -> ScoreVariance:
    """Return the variance of a mean over seeds.

    Args:
        one: the scores.
        seed_variance: variance of one seed's score: `one.seed_variance`, or from `shrink_all`.
    """
    seeds: tuple[tuple[float, float], ...] = ()
    if not one.seedless and one.unpaired:
        seeds = (one.unpaired,)
    elif not one.seedless and seed_variance:
        seeds = ((seed_variance[0] / len(one.scores), seed_variance[1]),)
    return ScoreVariance(examples=one.test_error**2, shared=one.test_error**2, df=max(one.units - 1, 1), seeds=seeds)


def interval_of_scores(one: SeedScores, variance: ScoreVariance) -> MeanInterval:
    """Return Student's interval of `one.mean` at the level of the published intervals, within the metric's bounds.

    Without a part from seeds it is on the scale of log odds, and that of a single result is the published one. The
    wide quantiles of two or three seeds would stretch that scale out of all proportion, so with seeds it is symmetric.
    """
    error, df = math.sqrt(variance.total), variance.total_df
    if variance.seeds:
        half = t_quantile(df, one.level) * error
        low, high = max(one.mean - half, one.bounds[0]), min(one.mean + half, one.bounds[1])
    else:
        low, high = log_odds_interval(one.mean, error, df, one.level, one.bounds, one.units)
    return MeanInterval(low=low, high=high, test_data_only=not one.seedless and not variance.seeds)


@dataclass(frozen=True, kw_only=True)
class TableIntervals:
    """The intervals of a table; a mean that lacks a task has none.

    Attributes:
        cells: by (algorithm, domain, task).
        domains: by (algorithm, domain).
        overall: by algorithm.
    """

    cells: dict[CellKey, MeanInterval]
    domains: dict[tuple[str, str], MeanInterval]
    overall: dict[str, MeanInterval]


def build_intervals(
    cells: Mapping[CellKey, Sequence[Result]], tasks: Mapping[str, Sequence[str]], counted: Collection[str]
) -> TableIntervals:
    """Return the intervals of all cells, domain means and overall means.

    Args:
        cells: the results of all seeds, by (algorithm, domain, task), of one protocol.
        tasks: all tasks of each domain.
        counted: the domains that make up the overall mean.
    """
    found = TableIntervals(cells={}, domains={}, overall={})
    by_algorithm: dict[str, dict[tuple[str, str], SeedScores]] = defaultdict(dict)
    for (algorithm, domain, task), results in sorted(cells.items()):  # so that no order changes a digit
        by_algorithm[algorithm][domain, task] = scores_of_cell(results)
    for algorithm, own in by_algorithm.items():
        shrunk = shrink_all({key: one.seed_variance for key, one in own.items()})
        for (domain, task), one in own.items():
            spread = variance_of_scores(one, shrunk[domain, task])
            found.cells[algorithm, domain, task] = interval_of_scores(one, spread)
        complete = {d: [(d, task) for task in names] for d, names in tasks.items() if all((d, t) in own for t in names)}
        means = {
            domain: mean_of_tasks([own[key] for key in keys], [shrunk[key] for key in keys])
            for domain, keys in complete.items()
        }
        spreads = shrink_all({domain: one.seed_variance for domain, one in means.items()})
        for domain, one in means.items():
            found.domains[algorithm, domain] = interval_of_scores(one, variance_of_scores(one, spreads[domain]))
        if counted and all(domain in means for domain in counted):
            found.overall[algorithm] = _interval_of_domains([means[domain] for domain in counted])
    return found


def _interval_of_domains(means: Sequence[SeedScores]) -> MeanInterval:
    """Return the interval of the mean over domains.

    Seed variances are not shrunk: that takes from one domain what it adds to another, so a sum has no need of it.
    """
    variances = [variance_of_scores(one, one.seed_variance) for one in means]
    if any(not variance.seeds and not one.seedless for one, variance in zip(means, variances, strict=True)):
        variances = [replace(variance, seeds=()) for variance in variances]  # of other seeds, too little is known
    return interval_of_scores(mean_of_tasks(means, [None] * len(means)), variance_of_mean(variances))
