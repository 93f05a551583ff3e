"""Intervals of a bounded score on the scale of log odds, and their standard error.

Near a bound a score is not symmetric about its mean, and an interval of equal halves would cross the bound. On the
scale log((s - low) / (high - s)) the score is nearly symmetric. Both functions here use the same first-order (delta)
approximation, so each undoes the other.
"""

from __future__ import annotations

import math

from scipy.special import expit, logit, stdtrit

Bounds = tuple[float, float]  # the lowest and the highest possible score


def log_odds_interval(
    score: float, error: float, df: float, level: float, bounds: Bounds, units: int = 1
) -> tuple[float, float]:
    """Return Student's interval of a score.

    Args:
        score: within `bounds`.
        error: standard error of the score, on its own scale.
        df: degrees of freedom of the error.
        level: confidence level.
        bounds: of the score.
        units: number of units that were resampled. A perfect or worst score has no error; its interval then ends where
            that many units would all agree with probability (1 - level) / 2 (Clopper and Pearson).
    """
    low, width = bounds[0], bounds[1] - bounds[0]
    share = min(max((score - low) / width, 0.0), 1.0)
    if share in (0.0, 1.0):
        reach = 1 - ((1 - level) / 2) ** (1 / units)
        ends = (0.0, reach) if share == 0.0 else (1 - reach, 1.0)
    else:
        half = t_quantile(df, level) * error / width / (share * (1 - share))
        ends = (float(expit(logit(share) - half)), float(expit(logit(share) + half)))
    # rounding must not put the score itself outside
    return min(low + width * ends[0], score), max(low + width * ends[1], score)


def error_of_interval(score: float, interval: tuple[float, float], df: float, level: float, bounds: Bounds) -> float:
    """Return the standard error that `log_odds_interval` made an interval from; of others, roughly theirs."""
    low, width = bounds[0], bounds[1] - bounds[0]
    share, *ends = (min(max((x - low) / width, 0.0), 1.0) for x in (score, *interval))
    if all(0 < x < 1 for x in (share, *ends)):
        return float(logit(ends[1]) - logit(ends[0])) / (2 * t_quantile(df, level)) * share * (1 - share) * width
    return max(score - interval[0], interval[1] - score, 0.0) / t_quantile(df, level)


def t_quantile(df: float, level: float) -> float:
    """Return the upper quantile of Student's two-sided interval; that of the normal distribution for infinite df."""
    return float(stdtrit(df if math.isfinite(df) else 1e12, (1 + level) / 2))
