"""Statistics of a comparison: exact tests, corrections, intervals for few seeds.

The difference between two mean scores is uncertain for two crossed reasons: the pretraining seeds (two or three for
each algorithm) and the test examples (about a thousand, the same for all models). The plain hierarchical bootstrap
resamples both with replacement. With two seeds its 95 % intervals cover only 86 to 94 %, because it shrinks the seed
variance by (S - 1) / S and treats it as known. Here only the examples are resampled. The seed variance is the unbiased
estimate, shrunk towards that of the algorithm's other tasks, and the interval is Student's with Satterthwaite's degrees
of freedom. `benchmarks/coverage.py` measures the coverage of each of these methods.

Shapes: S seeds of a contestant, K models (all seeds of both contestants), R resamples, T tasks, U resampled units,
A algorithms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from scipy.special import stdtr, stdtrit
from scipy.stats import binom, rankdata

from dabs.leaderboard.compare.model import Estimate
from dabs.leaderboard.tables.variance import ScoreVariance, SeedVariance


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p of McNemar's test.

    The null hypothesis: each example that exactly one of the two models gets right is as likely to be either's.
    """
    discordant = only_a + only_b
    return float(min(1.0, 2 * binom.cdf(min(only_a, only_b), discordant, 0.5))) if discordant else 1.0


def holm_correction(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p after Holm's step-down correction, in the given order.

    Rejecting the hypotheses with a corrected p below alpha keeps the chance of any false rejection below alpha. A
    missing p (None or NaN) is no evidence: it is ordered last, counts as one more hypothesis, and stays missing.
    """
    missing = [p is None or math.isnan(p) for p in p_values]
    known = np.array([1.0 if gone else p for p, gone in zip(p_values, missing, strict=True)], dtype=float)
    count = len(known)
    order = np.argsort(known, kind="stable")
    steps = np.maximum.accumulate((count - np.arange(count)) * known[order])
    corrected = np.empty(count)
    corrected[order] = np.minimum(steps, 1.0)
    return [None if gone else float(p) for p, gone in zip(corrected, missing, strict=True)]


def estimate_with(value: float, variance: ScoreVariance, level: float) -> Estimate:
    """Return a value with the interval of its variance and the p of "the value is zero"."""
    return student_estimate(value, math.sqrt(variance.total), variance.total_df, level)


def variance_of_difference(
    cov_KK: np.ndarray,
    sizes: tuple[int, int],
    seed_variances: tuple[SeedVariance, SeedVariance],
    seedless: tuple[bool, bool],
    df: float,
) -> ScoreVariance:
    """Return the variance of the mean score of a's seeds minus that of b's.

    When a contestant has a single seed, nothing is known about its other seeds, and the variance is that from the
    examples.

    Args:
        cov_KK: covariance of all scores from resampling test examples, a's models first.
        sizes: number of seeds of a and of b.
        seed_variances: variance of one seed's score, of a and of b.
        seedless: whether a and b involve no seed that could vary (the raw input).
        df: degrees of freedom of `cov_KK`.
    """
    w_K = np.concatenate([np.full(sizes[0], 1 / sizes[0]), np.full(sizes[1], -1 / sizes[1])])
    examples = float(w_K @ cov_KK @ w_K)
    blocks = (cov_KK[: sizes[0], : sizes[0]], cov_KK[sizes[0] :, sizes[0] :])
    parts, own = [], 0.0
    for size, known, block, without_seed in zip(sizes, seed_variances, blocks, seedless, strict=True):
        if without_seed:
            continue
        if known is None:
            return ScoreVariance(examples=examples, shared=examples, df=df)
        parts.append((known[0] / size, known[1]))
        together = (block.sum() - np.trace(block)) / (size * (size - 1))
        own += float(np.trace(block) / size - together) / size
    return ScoreVariance(examples=examples, shared=max(examples - own, 0.0), df=df, seeds=tuple(parts))


def paired_proportions_error(only_a: int, only_b: int, n: int) -> float:
    """Return the standard error of the difference of two accuracies on the same n examples (Agresti and Min 2005).

    Half an example is added to each cell of the two-by-two table, so that perfect agreement is not taken for certainty.
    """
    gap = (only_a - only_b) / (n + 2)
    return float(np.sqrt(((only_a + only_b + 1) / (n + 2) - gap**2) / (n + 2)))


def student_estimate(value: float, error: float, df: float, level: float) -> Estimate:
    """Return Student's interval and two-sided p.

    With an error of exactly 0, p only says whether the value is zero. An unknown error (NaN) or no degree of freedom
    gives neither an interval nor p.
    """
    if math.isnan(error) or not df > 0:
        return Estimate(value=value)
    # scipy.stats.t calls these two functions, and its own overhead takes twenty times as long
    half = float(stdtrit(df, (1 + level) / 2)) * error
    p = float(2 * stdtr(df, -abs(value) / error)) if error > 0 else float(value == 0)
    return Estimate(value=value, low=value - half, high=value + half, error=error, df=df, p=p)


@lru_cache(maxsize=32)
def draw_units(units: int, resamples: int) -> np.ndarray:
    """Draw units with replacement, (R, U). The draws depend only on the two counts; the array is read-only."""
    drawn = np.random.Generator(np.random.PCG64(units)).integers(0, units, size=(resamples, units))
    drawn.flags.writeable = False
    return drawn


def estimate_over_units(value: float, draws_R: np.ndarray, units: int, level: float) -> Estimate:
    """Return an estimate from a bootstrap over a small number of tasks (or domains).

    The resamples give the standard error, widened by sqrt(U / (U - 1)) because a resample of U units lacks one degree
    of freedom. The interval is Student's with U - 1 degrees of freedom. A single unit, or units that all agree, give no
    interval.
    """
    error = float(np.std(draws_R)) * np.sqrt(units / max(units - 1, 1))
    if units < 2 or error == 0:
        return Estimate(value=value)
    return student_estimate(value, float(error), units - 1, level)


def add_variance(over_units: Estimate, shared: ScoreVariance, level: float) -> Estimate:
    """Return an estimate over units whose error also includes a variance that all units share."""
    if over_units.error is None or over_units.df is None:
        return Estimate(value=over_units.value)
    parts = ((over_units.error**2, over_units.df), (shared.total, shared.total_df))
    both = ScoreVariance(examples=0.0, shared=0.0, df=math.inf, seeds=parts)
    return estimate_with(over_units.value, both, level)


def clip_interval(estimate: Estimate, low: float, high: float) -> Estimate:
    """Return the estimate with its interval clipped to the range of possible values."""
    if estimate.low is None or estimate.high is None:
        return estimate
    return replace(estimate, low=max(low, estimate.low), high=min(high, estimate.high))


def interquartile_mean(scores: np.ndarray) -> float:
    """Return the mean of the middle half of all scores, of any shape (rliable, Agarwal et al. 2021).

    Equals scipy.stats.trim_mean, whose decorators take ten times as long.
    """
    cut = int(0.25 * scores.size)
    return float(np.partition(scores.ravel(), (cut, scores.size - cut - 1))[cut : scores.size - cut].mean())


def resampled_interquartile_means(scores_N: np.ndarray, unit_N: np.ndarray, drawn_RU: np.ndarray) -> np.ndarray:
    """Return `interquartile_mean` (R,) of the scores in each resample of units.

    Args:
        scores_N: all scores.
        unit_N: the unit that each score belongs to.
        drawn_RU: from `draw_units`; a score counts as often as its unit was drawn.
    """
    order = np.argsort(scores_N, kind="stable")
    times_RU = np.stack([(drawn_RU == unit).sum(axis=1) for unit in range(drawn_RU.shape[1])], axis=1)
    ends_RN = np.cumsum(times_RU[:, unit_N[order]], axis=1)
    total_R1 = ends_RN[:, -1:]
    cut_R1 = (0.25 * total_R1).astype(np.int64)
    inside = np.clip(ends_RN, cut_R1, total_R1 - cut_R1)
    kept_RN = np.diff(inside, axis=1, prepend=cut_R1)
    return np.asarray((kept_RN @ scores_N[order]) / kept_RN.sum(axis=1))


def probability_of_improvement(scores_a: np.ndarray, scores_b: np.ndarray) -> float:
    """Return the share of pairs of runs in which a scores higher; ties count half.

    This is rliable's probability of improvement, and Mann and Whitney's U / (Sa Sb).
    """
    higher = np.sign(np.subtract.outer(scores_a, scores_b))
    return float(0.5 + 0.5 * higher.mean())


def rank_algorithms(scores_TA: np.ndarray) -> np.ndarray:
    """Return the rank of each algorithm in each task (T, A): 1 for the highest score, tied scores share their mean."""
    return np.asarray(rankdata(-scores_TA, axis=1))
