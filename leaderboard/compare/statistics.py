"""The statistics of a comparison: exact tests, corrections, and intervals that cover with few seeds and few tasks.

A difference of two mean scores is uncertain in two ways that cross: the pretraining seeds (of each algorithm, two or
three of them) and the test examples (about a thousand, the same for all models). Resampling both with replacement, the
plain hierarchical bootstrap, covers 86 to 94 % instead of 95 % with two seeds: it shrinks the seeds' variance by
(S - 1) / S and takes it for known. Here the examples are resampled; the seeds' variance is the unbiased one, steadied
by that of the algorithm's other tasks; and the interval is Student's with Satterthwaite's degrees of freedom.
`benchmarks/coverage.py` measures what each of these ways covers.

S seeds of a contestant, K models (all seeds of all contestants), R resamples, T tasks, U units that are resampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import binom, rankdata

from dabs.leaderboard.compare.model import Estimate


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided exact p of McNemar's test: that the examples only one of two models gets right are a coin's throws."""
    thrown = only_a + only_b
    return float(min(1.0, 2 * binom.cdf(min(only_a, only_b), thrown, 0.5))) if thrown else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p after Holm's step-down correction: rejecting those below alpha keeps any false alarm at all below alpha."""
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    steps = np.maximum.accumulate((count - np.arange(count)) * np.asarray(p_values, dtype=float)[order])
    corrected = np.empty(count)
    corrected[order] = np.minimum(steps, 1.0)
    return [float(p) for p in corrected]


FEW = 9.0  # degrees of freedom of ten groups


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The variance of a difference of two mean scores, in its parts.

    Attributes:
        examples: from the choice of test examples, for just these models.
        shared: the part of it that all seeds share, so that more seeds would not lessen it.
        df: its degrees of freedom: examples (or groups) less one.
        seeds: from each contestant's seeds, what single seeds make of the examples included: (variance of the mean,
            degrees of freedom).
    """

    examples: float
    shared: float
    df: float
    seeds: tuple[tuple[float, float], ...] = ()

    @property
    def variance(self) -> float:
        """In total; never less than what the examples alone make."""
        return max(self.shared + sum(part for part, _ in self.seeds), self.examples)

    @property
    def freedom(self) -> float:
        """Satterthwaite's (1946) degrees of freedom of the total; at least those of its least certain part.

        Fewer than ten groups can agree by luck and their part then looks small, so their degrees of freedom are kept.
        """
        parts = [*self.seeds, (self.shared, self.df)] if self.seeds else [(self.examples, self.df)]
        doubt = sum(part**2 / df for part, df in parts)
        least = min(df for part, df in parts if part > 0 or doubt == 0)
        freedom = max(least, self.variance**2 / doubt) if doubt > 0 else self.df
        return min(freedom, self.df) if self.df < FEW else freedom

    def estimate(self, value: float, level: float) -> Estimate:
        """`value` with its interval and the p of its being zero."""
        return student(value, float(np.sqrt(self.variance)), self.freedom, level)


BORROWED = 2.0  # degrees of freedom that the mean over tasks is worth beside a task's own seeds


def steadied(variances: Sequence[float], dfs: Sequence[float]) -> list[tuple[float, float]]:
    """One algorithm's variances over seeds, a task each, drawn towards their mean: (variance, degrees of freedom).

    Two seeds can lie close by luck, and the task would then look certain. The mean over tasks counts as two further
    degrees of freedom of every task (fewer where it rests on fewer); its arithmetic mean guards against tasks whose
    seeds truly differ more. In the manner of Smyth (2004), with a fixed prior in place of an estimated one.
    """
    total = sum(dfs)
    mean = sum(variance * df for variance, df in zip(variances, dfs, strict=True)) / total if total else 0.0
    rows = []
    for variance, df in zip(variances, dfs, strict=True):
        borrowed = min(BORROWED, total - df)
        rows.append(((borrowed * mean + df * variance) / (borrowed + df), borrowed + df))
    return rows


Seeds = tuple[float, float] | None  # variance of one seed's score and its degrees of freedom; None with one seed


def spread_of(
    cov_KK: np.ndarray, sizes: tuple[int, int], seeds: tuple[Seeds, Seeds], fixed: tuple[bool, bool], df: float
) -> Spread:
    """The spread of the mean score of a's seeds less that of b's.

    Args:
        cov_KK: covariance of all scores from resampling test examples, those of a first.
        sizes: how many seeds a and b have.
        seeds: variance of each one's scores over its seeds.
        fixed: whether a and b have no seed that could vary (the raw input).
        df: degrees of freedom of `cov_KK`.

    With one seed of a contestant that has seeds, nothing is known of them: the spread is then that of the examples.
    """
    w_K = np.concatenate([np.full(sizes[0], 1 / sizes[0]), np.full(sizes[1], -1 / sizes[1])])
    examples = float(w_K @ cov_KK @ w_K)
    blocks = (cov_KK[: sizes[0], : sizes[0]], cov_KK[sizes[0] :, sizes[0] :])
    sides = [side for side, still in zip(zip(sizes, seeds, blocks, strict=True), fixed, strict=True) if not still]
    parts, own = [], 0.0
    for size, known, block in sides:
        if known is None:
            return Spread(examples=examples, shared=examples, df=df)
        parts.append((known[0] / size, known[1]))
        together = (block.sum() - np.trace(block)) / (size * (size - 1))
        own += float(np.trace(block) / size - together) / size
    return Spread(examples=examples, shared=max(examples - own, 0.0), df=df, seeds=tuple(parts))


def mean_spread(spreads: Sequence[Spread]) -> Spread:
    """The spread of the mean of independent differences, each with its `Spread`."""
    scale = 1 / len(spreads) ** 2
    shared = [spread.shared for spread in spreads]
    doubt = sum(spread.shared**2 / spread.df for spread in spreads)
    return Spread(
        examples=scale * sum(spread.examples for spread in spreads),
        shared=scale * sum(shared),
        df=sum(shared) ** 2 / doubt if doubt > 0 else max(spread.df for spread in spreads),
        seeds=tuple((scale * part, df) for spread in spreads for part, df in spread.seeds),
    )


def paired_proportions(only_a: int, only_b: int, n: int) -> float:
    """Standard error of the difference of two models' accuracies on the same n examples (Agresti and Min 2005).

    Half an example is added to each cell of the two-by-two table, so that agreement everywhere is not certainty.
    """
    gap = (only_a - only_b) / (n + 2)
    return float(np.sqrt(((only_a + only_b + 1) / (n + 2) - gap**2) / (n + 2)))


def student(value: float, error: float, df: float, level: float) -> Estimate:
    """Student's interval and two-sided p; with no spread at all, p says only whether the value is zero."""
    # scipy.stats.t calls these two, and spends twenty times as long before it does
    half = float(stdtrit(df, (1 + level) / 2)) * error
    p = float(2 * stdtr(df, -abs(value) / error)) if error > 0 else float(value == 0)
    return Estimate(value=value, low=value - half, high=value + half, error=error, df=df, p=p)


@lru_cache(maxsize=32)
def unit_draws(units: int, resamples: int) -> np.ndarray:
    """Units drawn with replacement, (R, U), the same for the same number of units; not to be written to."""
    drawn = np.random.Generator(np.random.PCG64(units)).integers(0, units, size=(resamples, units))
    drawn.flags.writeable = False
    return drawn


def over_units(value: float, draws_R: np.ndarray, units: int, level: float) -> Estimate:
    """An estimate from a bootstrap over tasks (or domains), for few of them.

    The resamples give the standard error, which is widened by sqrt(U / (U - 1)), as a resample of U lacks one degree of
    freedom; the interval is Student's with U - 1. One unit, or units that all agree, give no interval.
    """
    error = float(np.std(draws_R)) * np.sqrt(units / max(units - 1, 1))
    if units < 2 or error == 0:
        return Estimate(value=value)
    return student(value, float(error), units - 1, level)


def added(over: Estimate, spread: Spread, level: float) -> Estimate:
    """An estimate over units whose error also holds a spread that all units share."""
    if over.error is None or over.df is None:
        return Estimate(value=over.value)
    both = Spread(examples=0.0, shared=0.0, df=1.0, seeds=((over.error**2, over.df), (spread.variance, spread.freedom)))
    return both.estimate(over.value, level)


def trimmed_means(scores_N: np.ndarray, unit_N: np.ndarray, drawn_RU: np.ndarray) -> np.ndarray:
    """`interquartile_mean` (R,) of the scores of the drawn units, each as often as its unit was drawn.

    Args:
        scores_N: all scores.
        unit_N: which unit a score belongs to.
        drawn_RU: from `unit_draws`.
    """
    order = np.argsort(scores_N, kind="stable")
    times_RU = np.stack([(drawn_RU == unit).sum(axis=1) for unit in range(drawn_RU.shape[1])], axis=1)
    ends_RN = np.cumsum(times_RU[:, unit_N[order]], axis=1)
    total_R1 = ends_RN[:, -1:]
    cut_R1 = (0.25 * total_R1).astype(np.int64)
    inside = np.clip(ends_RN, cut_R1, total_R1 - cut_R1)
    kept_RN = np.diff(inside, axis=1, prepend=cut_R1)
    return np.asarray((kept_RN @ scores_N[order]) / kept_RN.sum(axis=1))


def clipped(estimate: Estimate, low: float, high: float) -> Estimate:
    """The same with its interval inside the bounds that the number has."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return replace(estimate, low=max(low, estimate.low), high=min(high, estimate.high))


def interquartile_mean(scores: np.ndarray) -> float:
    """Mean of the middle half of all scores (rliable, Agarwal et al. 2021); any shape.

    What scipy.stats.trim_mean does, without its decorators, which take ten times as long.
    """
    cut = int(0.25 * scores.size)
    return float(np.partition(scores.ravel(), (cut, scores.size - cut - 1))[cut : scores.size - cut].mean())


def improvement(scores_a: np.ndarray, scores_b: np.ndarray) -> float:
    """Share of the pairs of runs in which a's is the higher, ties half (rliable; Mann and Whitney's U / (Sa Sb))."""
    over = np.sign(np.subtract.outer(scores_a, scores_b))
    return float(0.5 + 0.5 * over.mean())


def ranks(scores_TA: np.ndarray) -> np.ndarray:
    """Rank of each algorithm (T, A) in each task, 1 for the highest score; ties share the mean of their ranks."""
    return np.asarray(rankdata(-scores_TA, axis=1))
