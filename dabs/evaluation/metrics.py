"""Metrics of a test split: score, bounds, chance level, confidence interval.

A higher score is better in every metric. Predictions are classes (n,) for accuracy and Matthews correlation, scores
(n, k) for AUROC and values (n,) for Spearman correlation; n counts test examples, k findings, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dabs.data.domain import MetricName
from dabs.errors import DabsError, unknown
from dabs.evaluation.log_odds import log_odds_interval
from dabs.results.bootstrap import effective_units, groups_to_draw, resample_scores

RESAMPLES = 1000
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A score with its bounds."""

    name: MetricName
    low: float
    high: float
    score: Callable[[np.ndarray, np.ndarray], float]
    constant: float | None  # the score of any constant answer; None if it depends on the labels


def accuracy(prediction: np.ndarray, label: np.ndarray) -> float:
    """Return the share of correct classes."""
    return float(np.mean(prediction == label))


def matthews(prediction: np.ndarray, label: np.ndarray) -> float:
    """Return the Matthews correlation; 0 if the prediction is constant."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(label, prediction))


def spearman(prediction: np.ndarray, label: np.ndarray) -> float:
    """Return Spearman's rank correlation; 0 if either side is constant."""
    from scipy.stats import rankdata

    a, b = rankdata(prediction), rankdata(label)
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def macro_auroc(prediction: np.ndarray, label: np.ndarray) -> float:
    """Return the area under the ROC curve, averaged over the findings.

    Raises:
        DabsError: a finding is present in all examples or in none, so its area is undefined.
    """
    from scipy.stats import rankdata

    n, present = len(label), label.sum(axis=0, dtype=np.int64)
    pairs = present * (n - present)
    if not pairs.all():
        raise DabsError("AUROC needs examples with and without each finding; a finding is constant in this split.")
    rank_sums = (rankdata(prediction, axis=0) * label).sum(axis=0)  # ranks of ties are shared, so a tie counts as half
    return float(np.mean((rank_sums - present * (present + 1) / 2) / pairs))


METRICS = {
    "accuracy": Metric(name="accuracy", low=0.0, high=1.0, score=accuracy, constant=None),
    "auroc": Metric(name="auroc", low=0.0, high=1.0, score=macro_auroc, constant=0.5),
    "spearman": Metric(name="spearman", low=-1.0, high=1.0, score=spearman, constant=0.0),
    "matthews": Metric(name="matthews", low=-1.0, high=1.0, score=matthews, constant=0.0),
}


def metric_of(name: str) -> Metric:
    """Return the metric of this name."""
    if name not in METRICS:
        raise unknown("metric", name, list(METRICS))
    return METRICS[name]


def chance(name: str, train_label: np.ndarray, test_label: np.ndarray) -> float:
    """Return the score of the best constant answer: for accuracy, the most frequent class of the training split."""
    constant = metric_of(name).constant
    if constant is not None:
        return constant
    return float(np.mean(test_label == np.bincount(train_label).argmax()))


def bootstrap_interval(name: str, prediction: np.ndarray, label: np.ndarray, group: np.ndarray) -> dict[str, Any]:
    """Return a 95 % interval of the score from 1,000 resamples of test examples, or of groups where examples share one.

    The resamples give the standard error. The interval is Student's on the scale of log odds, log((s - low) / (high -
    s)), so it stays within the metric's bounds. A percentile interval of 20 groups covers 87 to 92 %, this one 92 to 95
    (benchmarks/coverage.py). The degrees of freedom are `effective_units` less one.

    The resamples depend only on the number of units, so two models are resampled alike on the same split. A resample
    without a defined score, such as one in which no example has a finding, does not count.

    Args:
        name: of the metric.
        prediction: as the metric takes it.
        label: as the metric takes it.
        group: int (n,), the number of each example's group, 0 to G - 1.

    Returns:
        The fields of `dabs.results.schema.Interval`.
    """
    metric, n, group_n = metric_of(name), len(label), groups_to_draw(group)
    units = n if group_n is None else int(group_n.max()) + 1
    draws_R1 = resample_scores(
        name, [prediction], label, resamples=RESAMPLES, seed=units, group_n=group_n, kind=np.float64
    )
    error, drawn = float(np.nanstd(draws_R1)), "test examples" if group_n is None else "groups of test examples"
    df = effective_units(n, group_n) - 1
    low, high = log_odds_interval(metric.score(prediction, label), error, df, LEVEL, (metric.low, metric.high), units)
    return {
        "level": LEVEL,
        "low": low,
        "high": high,
        "method": f"Student's t on the scale of log odds, standard error from a bootstrap over {drawn}",
        "resamples": RESAMPLES,
        "resampled": "examples" if group_n is None else "groups",
        "units": units,
    }
