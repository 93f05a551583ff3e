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
    ones = np.ones((1, len(label)), dtype=np.int64)
    areas = _weighted_auroc(prediction, label, ones)[0]
    if np.isnan(areas).any():
        raise DabsError("AUROC needs examples with and without each finding; a finding is constant in this split.")
    return float(areas.mean())


def _weighted_auroc(prediction: np.ndarray, label: np.ndarray, weights_Rn: np.ndarray) -> np.ndarray:
    """Return areas (R, k) under integer example weights.

    An area is the share of pairs of a positive and a negative example that are ranked correctly; a tie counts as half.
    """
    areas = np.empty((len(weights_Rn), label.shape[1]))
    for j in range(label.shape[1]):
        values, place = np.unique(prediction[:, j], return_inverse=True)
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(values)))
        positive = np.add.reduceat((weights_Rn * label[:, j])[:, order], starts, axis=1)  # (R, distinct values)
        negative = np.add.reduceat((weights_Rn * (1 - label[:, j]))[:, order], starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        with np.errstate(invalid="ignore"):
            areas[:, j] = np.where(pairs > 0, (positive * below).sum(axis=1) / pairs, np.nan)
    return areas


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
    """Return a 95 % percentile bootstrap interval over test examples, from 1,000 resamples.

    The resamples depend only on n, so two models are resampled alike on the same split. A resample without a defined
    score, such as one in which no example has a finding, does not count.
    """
    n = len(label)
    generator = np.random.Generator(np.random.PCG64(n))
    index_Rn = generator.integers(0, n, size=(RESAMPLES, n))
    if name == "accuracy":
        scores = (prediction == label)[index_Rn].mean(axis=1)
    elif name == "auroc":
        weights = np.stack([np.bincount(index, minlength=n) for index in index_Rn])
        scores = _weighted_auroc(prediction, label, weights).mean(axis=1)
    else:
        score = metric_of(name).score
        scores = np.array([score(prediction[index], label[index]) for index in index_Rn])
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(scores, [tail, 100 - tail])
    return {
        "level": LEVEL,
        "low": float(low),
        "high": float(high),
        "method": "percentile bootstrap over test examples",
        "resamples": RESAMPLES,
        "resampled": "examples",
        "units": len(label),
    }
