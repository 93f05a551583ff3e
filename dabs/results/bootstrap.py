"""Scores of many models under the same bootstrap resamples of test examples.

A resample is one weight per example: how often it was drawn. Examples that share a group (a recording, a drawing) are
drawn together, because a model that is right on one is more likely to be right on the others. Each metric is computed
from weighted counts and ranks, for a block of resamples at a time; `dabs.evaluation.metrics` defines the same metrics
for whole arrays. With float64 weights all sums are exact for up to 100,000 examples, so every processor returns the
same scores.

Shapes: n examples, R resamples (r in a block), K models, k findings or classes, G groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from dabs.errors import DabsError

BLOCK_SIZE = 64  # resamples per block, few enough for their weights to stay in the processor's cache
WeightedMetric = Callable[[np.ndarray], np.ndarray]  # weights (n, r) -> scores (r,)


def groups_to_draw(group: np.ndarray) -> np.ndarray | None:
    """Return the groups (n,) if they are what a resample draws; None if it draws single examples.

    Single examples are drawn if each is its own group, and if all are of one group, which says nothing about others.
    """
    return group if 1 < int(group.max()) + 1 < len(group) else None


def effective_units(n: int, group_n: np.ndarray | None) -> float:
    """Return how many equally large groups say as much as these (Kish): n^2 over the sum of squared sizes.

    Args:
        n: number of examples, the result without groups.
        group_n: group of each example, 0 to G - 1; None if examples are drawn.
    """
    return float(n) if group_n is None else float(n**2 / np.square(np.bincount(group_n), dtype=np.float64).sum())


def spread_correction(units: float) -> float:
    """Return the factor by which resamples of U units must be spread for an unbiased variance: sqrt(U / (U - 1))."""
    return float(np.sqrt(units / max(units - 1, 0.5)))


def draw_weights(
    n: int, resamples: int, seed: int, group_n: np.ndarray | None = None, kind: type[np.floating] = np.float32
) -> Iterator[np.ndarray]:
    """Yield blocks (n, r) of how often each example was drawn; with `group_n`, int (n,), whole groups are drawn."""
    generator = np.random.Generator(np.random.PCG64(seed))
    units = n if group_n is None else int(group_n.max()) + 1
    for start in range(0, resamples, BLOCK_SIZE):
        r = min(BLOCK_SIZE, resamples - start)
        drawn = generator.integers(0, units, size=(units, r)) * r + np.arange(r)
        counts = np.bincount(drawn.ravel(), minlength=units * r).reshape(units, r).astype(kind)
        yield counts if group_n is None else counts[group_n]


def resample_scores(
    metric: str,
    predictions: Sequence[np.ndarray],
    label: np.ndarray,
    *,
    resamples: int,
    seed: int,
    group_n: np.ndarray | None = None,
    kind: type[np.floating] = np.float32,
) -> np.ndarray:
    """Return scores (R, K) of K models under the same resamples of test examples; NaN where a score is undefined.

    The scores are spread about their mean by `spread_correction`, which makes their covariance unbiased for few
    examples or groups.

    Args:
        metric: a name in `dabs.evaluation.metrics.METRICS`.
        predictions: one array per model, as the metric takes it: classes (n,), values (n,) or scores (n, k).
        label: labels of the examples.
        resamples: number of resamples.
        seed: tasks on the same examples pass the same seed, and so get the same resamples.
        group_n: group of each example, 0 to G - 1, to draw groups instead of examples.
        kind: float32 is twice as fast, float64 is the same on every processor.
    """
    scorers = [SCORERS[metric](prediction, label) for prediction in predictions]
    blocks = draw_weights(len(label), resamples, seed, group_n, kind)
    draws = np.concatenate([np.stack([score(w_nr) for score in scorers], axis=1) for w_nr in blocks])
    defined = np.isfinite(draws).all(axis=1)
    centre = draws[defined].mean(axis=0) if defined.any() else np.zeros(draws.shape[1])
    return np.asarray(centre + (draws - centre) * spread_correction(effective_units(len(label), group_n)))


def covariance(draws_RK: np.ndarray) -> np.ndarray:
    """Return the covariance (K, K) of resampled scores over the resamples in which all are defined.

    Raises:
        DabsError: fewer than two such resamples.
    """
    whole = draws_RK[np.isfinite(draws_RK).all(axis=1)].astype(np.float64)
    if len(whole) < 2:
        raise DabsError("the test split is too small: fewer than two resamples of its examples have a score.")
    return np.atleast_2d(np.cov(whole, rowvar=False))


def _accuracy(prediction: np.ndarray, label: np.ndarray) -> WeightedMetric:
    right_n = prediction == label
    return lambda w_nr: (right_n.astype(w_nr.dtype) @ w_nr) / w_nr.sum(axis=0)


def _matthews(prediction: np.ndarray, label: np.ndarray) -> WeightedMetric:
    """Compute Matthews correlation from how often each class is true and predicted (Gorodkin 2004).

    The score is 0 where either side is constant.
    """
    _, classes = np.unique(np.concatenate([label, prediction]), return_inverse=True)
    true_n, predicted_n = classes[: len(label)], classes[len(label) :]
    one_hot = np.eye(int(classes.max()) + 1, dtype=np.float32)
    true_kn, predicted_kn = one_hot[:, true_n], one_hot[:, predicted_n]
    right_n = true_n == predicted_n

    def _scores(w_nr: np.ndarray) -> np.ndarray:
        total, kind = w_nr.sum(axis=0, dtype=np.float64), w_nr.dtype  # a product of two types does not reach BLAS
        true_kr, predicted_kr = ((x.astype(kind) @ w_nr).astype(np.float64) for x in (true_kn, predicted_kn))
        top = (right_n.astype(kind) @ w_nr) * total - (true_kr * predicted_kr).sum(axis=0)
        return _over_root(top, (total**2 - (true_kr**2).sum(axis=0)) * (total**2 - (predicted_kr**2).sum(axis=0)))

    return _scores


def _over_root(top: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Return top / sqrt(square), and 0 where the square is 0."""
    return np.where(square > 0, top / np.sqrt(np.where(square > 0, square, 1)), 0.0)


_LOWER_TRIANGLE = np.tril(np.ones((48, 48), dtype=np.float32))


def _cumulative(m_nr: np.ndarray) -> np.ndarray:
    """Return np.cumsum(axis=0) through products with a triangle, twice as fast; exact in float32 below 2 ** 24."""
    n, r = m_nr.shape
    step = len(_LOWER_TRIANGLE)
    padded = np.zeros((-(-n // step) * step, r), dtype=m_nr.dtype)
    padded[:n] = m_nr
    parts = np.matmul(_LOWER_TRIANGLE.astype(m_nr.dtype), padded.reshape(-1, step, r))
    parts[1:] += np.cumsum(parts[:-1, -1], axis=0)[:, None]
    return np.asarray(parts.reshape(-1, r)[:n])


class _WeightedRanks:
    """Mid-ranks of one column when each example is repeated as often as it was drawn."""

    def __init__(self, values: np.ndarray) -> None:
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        self.starts = np.flatnonzero(new)
        self.tied = len(self.starts) < len(values)
        self.place = np.empty(len(values), dtype=np.intp)
        self.place[self.order] = np.cumsum(new) - 1  # index of each example's distinct value

    def by_value(self, w_nr: np.ndarray) -> np.ndarray:
        """Return the weight of each distinct value, in ascending order of the values."""
        ordered = w_nr[self.order]
        return np.add.reduceat(ordered, self.starts, axis=0) if self.tied else ordered

    def __call__(self, w_nr: np.ndarray) -> np.ndarray:
        """Return ranks (n, r), minus one half."""
        weight = self.by_value(w_nr)
        return (_cumulative(weight) - weight / 2)[self.place]


def _spearman(prediction: np.ndarray, label: np.ndarray) -> WeightedMetric:
    """Correlate weighted mid-ranks (Pearson); 0 where either side is constant."""
    prediction_ranks, label_ranks = _WeightedRanks(prediction), _WeightedRanks(label)

    def _scores(w_nr: np.ndarray) -> np.ndarray:
        middle = w_nr.sum(axis=0) / 2  # the weighted mean of such ranks
        a, b = prediction_ranks(w_nr) - middle, label_ranks(w_nr) - middle
        weighted = w_nr * a
        square = np.einsum("nr,nr->r", weighted, a) * np.einsum("nr,nr,nr->r", w_nr, b, b)
        return _over_root(np.einsum("nr,nr->r", weighted, b), square)

    return _scores


def _auroc(prediction: np.ndarray, label: np.ndarray) -> WeightedMetric:
    """Average over findings the share of (present, absent) pairs in the right order; ties count half."""
    columns = range(label.shape[1])
    findings = [(_WeightedRanks(prediction[:, j]), label[:, j].astype(np.float32)[:, None]) for j in columns]

    def _scores(w_nr: np.ndarray) -> np.ndarray:
        areas = np.zeros(w_nr.shape[1])
        for ranks, present_n1 in findings:
            positive = ranks.by_value(w_nr * present_n1)
            negative = ranks.by_value(w_nr * (1 - present_n1))
            below = _cumulative(negative) - negative / 2
            pairs = positive.sum(axis=0, dtype=np.float64) * negative.sum(axis=0, dtype=np.float64)
            with np.errstate(invalid="ignore", divide="ignore"):
                areas += np.einsum("nr,nr->r", positive, below) / pairs
        return areas / len(findings)

    return _scores


SCORERS: dict[str, Callable[[np.ndarray, np.ndarray], WeightedMetric]] = {
    "accuracy": _accuracy,
    "auroc": _auroc,
    "matthews": _matthews,
    "spearman": _spearman,
}
