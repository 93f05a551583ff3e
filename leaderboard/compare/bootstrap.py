"""Scores of many models under bootstrap resamples of the test examples, the same resamples for every model.

A resample is a weight an example: how often it was drawn. Weighted counts and ranks then give each metric for a block
of resamples at once. Shapes: n examples, R resamples (r in a block), K models, k findings or classes, G groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from dabs.errors import DabsError

BLOCK = 64  # resamples at a time: their weights stay in the processor's cache
Weighted = Callable[[np.ndarray], np.ndarray]  # weights (n, r) -> scores (r,)


def weights(n: int, resamples: int, seed: int, group_n: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Blocks (n, r) of how often each example is drawn; with `group_n`, int (n,), whole groups are drawn."""
    generator = np.random.Generator(np.random.PCG64(seed))
    units = n if group_n is None else int(group_n.max()) + 1
    for start in range(0, resamples, BLOCK):
        r = min(BLOCK, resamples - start)
        drawn = generator.integers(0, units, size=(units, r)) * r + np.arange(r)
        counts = np.bincount(drawn.ravel(), minlength=units * r).reshape(units, r).astype(np.float32)
        yield counts if group_n is None else counts[group_n]


def resampled_scores(
    metric: str,
    predictions: Sequence[np.ndarray],
    label: np.ndarray,
    *,
    resamples: int,
    seed: int,
    group_n: np.ndarray | None = None,
) -> np.ndarray:
    """Scores (R, K) of K models under the same resamples of their test examples; NaN where a score is not defined.

    They stand as far from their mean as makes their covariance unbiased for few examples or groups: a factor of
    sqrt(units / (units - 1)).

    Args:
        metric: a name of `dabs.evaluation.metrics.METRICS`.
        predictions: for each model what the metric takes: classes (n,), values (n,) or scores (n, k).
        label: of the examples.
        resamples: how many.
        seed: tasks that share their examples share it, and so their resamples.
        group_n: the group of each example, 0 to G - 1, when groups are drawn instead of examples.
    """
    scorers = [SCORERS[metric](prediction, label) for prediction in predictions]
    blocks = weights(len(label), resamples, seed, group_n)
    draws = np.concatenate([np.stack([score(w_nr) for score in scorers], axis=1) for w_nr in blocks])
    units = len(label) if group_n is None else int(group_n.max()) + 1
    defined = np.isfinite(draws).all(axis=1)
    centre = draws[defined].mean(axis=0) if defined.any() else np.zeros(draws.shape[1])
    return np.asarray(centre + (draws - centre) * np.sqrt(units / max(units - 1, 1)))


def covariance(draws_RK: np.ndarray) -> np.ndarray:
    """Covariance (K, K) of resampled scores over the resamples in which all of them are defined.

    Raises:
        DabsError: there are fewer than two of these.
    """
    whole = draws_RK[np.isfinite(draws_RK).all(axis=1)].astype(np.float64)
    if len(whole) < 2:
        raise DabsError("the test split is too small: hardly any resample of its examples has a score.")
    return np.atleast_2d(np.cov(whole, rowvar=False))


def _accuracy(prediction: np.ndarray, label: np.ndarray) -> Weighted:
    right_n = (prediction == label).astype(np.float32)
    return lambda w_nr: (right_n @ w_nr) / w_nr.sum(axis=0)


def _matthews(prediction: np.ndarray, label: np.ndarray) -> Weighted:
    """From how often each class is true and said in a resample (Gorodkin 2004); 0 where one side is constant."""
    _, classes = np.unique(np.concatenate([label, prediction]), return_inverse=True)
    true_n, said_n = classes[: len(label)], classes[len(label) :]
    one_hot = np.eye(int(classes.max()) + 1, dtype=np.float32)
    true_kn, said_kn = one_hot[:, true_n], one_hot[:, said_n]
    right_n = (true_n == said_n).astype(np.float32)

    def _scores(w_nr: np.ndarray) -> np.ndarray:
        total = w_nr.sum(axis=0, dtype=np.float64)
        true_kr, said_kr = (true_kn @ w_nr).astype(np.float64), (said_kn @ w_nr).astype(np.float64)
        top = (right_n @ w_nr) * total - (true_kr * said_kr).sum(axis=0)
        return _ratio(top, (total**2 - (true_kr**2).sum(axis=0)) * (total**2 - (said_kr**2).sum(axis=0)))

    return _scores


def _ratio(top: np.ndarray, square: np.ndarray) -> np.ndarray:
    """top / sqrt(square), 0 where the square is 0."""
    return np.where(square > 0, top / np.sqrt(np.where(square > 0, square, 1)), 0.0)


_LOWER = np.tril(np.ones((48, 48), dtype=np.float32))


def _cumulative(m_nr: np.ndarray) -> np.ndarray:
    """np.cumsum(axis=0), by triangular products, at half its time; exact for counts below 2 ** 24."""
    n, r = m_nr.shape
    step = len(_LOWER)
    whole = np.zeros((-(-n // step) * step, r), dtype=np.float32)
    whole[:n] = m_nr
    parts = np.matmul(_LOWER, whole.reshape(-1, step, r))
    parts[1:] += np.cumsum(parts[:-1, -1], axis=0)[:, None]
    return np.asarray(parts.reshape(-1, r)[:n])


class _Ranks:
    """Mid-ranks of one column under weights, as if each example stood there as often as it was drawn."""

    def __init__(self, values: np.ndarray) -> None:
        self.order = np.argsort(values, kind="stable")
        ordered = values[self.order]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        self.starts = np.flatnonzero(new)
        self.tied = len(self.starts) < len(values)
        self.place = np.empty(len(values), dtype=np.intp)
        self.place[self.order] = np.cumsum(new) - 1  # which distinct value an example has

    def by_value(self, w_nr: np.ndarray) -> np.ndarray:
        """Weight of each distinct value, ascending."""
        ordered = w_nr[self.order]
        return np.add.reduceat(ordered, self.starts, axis=0) if self.tied else ordered

    def __call__(self, w_nr: np.ndarray) -> np.ndarray:
        """Ranks (n, r), less one half."""
        mass = self.by_value(w_nr)
        return (_cumulative(mass) - mass / 2)[self.place]


def _spearman(prediction: np.ndarray, label: np.ndarray) -> Weighted:
    """Pearson's correlation of weighted mid-ranks; 0 where one side is constant."""
    mine, theirs = _Ranks(prediction), _Ranks(label)

    def _scores(w_nr: np.ndarray) -> np.ndarray:
        middle = w_nr.sum(axis=0) / 2  # the weighted mean of such ranks
        a, b = mine(w_nr) - middle, theirs(w_nr) - middle
        weighted = w_nr * a
        square = np.einsum("nr,nr->r", weighted, a) * np.einsum("nr,nr,nr->r", w_nr, b, b)
        return _ratio(np.einsum("nr,nr->r", weighted, b), square)

    return _scores


def _auroc(prediction: np.ndarray, label: np.ndarray) -> Weighted:
    """Mean over findings of the share of (with, without) pairs in order, ties half."""
    findings = [(_Ranks(prediction[:, j]), label[:, j].astype(np.float32)[:, None]) for j in range(label.shape[1])]

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


SCORERS: dict[str, Callable[[np.ndarray, np.ndarray], Weighted]] = {
    "accuracy": _accuracy,
    "auroc": _auroc,
    "matthews": _matthews,
    "spearman": _spearman,
}
