"""Probes of frozen features: a linear probe and k nearest neighbours.

A probe takes the features (n, D) and labels of the three splits, whitens the features by the training split, chooses
its setting on validation, fits on training and validation examples, and predicts the test split once. All rows of a
table, encoders and raw inputs alike, are read in this way. The recipe follows DINOv2's logistic regression on cached
features (Oquab et al. 2023).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dabs.data.domain import Classes, MultiLabel, Scalar, Target, Task
from dabs.errors import DabsError
from dabs.evaluation.metrics import metric_of

# C of the logistic regression, 1/alpha of the ridge: from 1e-5 to 1e2 in half decades
STRENGTHS = tuple(float(f"{10 ** (exponent / 2):.3g}") for exponent in range(-10, 5))
MAX_ITERATIONS = 5000  # whitened fits take about ten; one that does not converge is an error
WHITENING_RIDGE = 1e-3  # of the mean eigenvalue, added to each eigenvalue
TIE = 1e-3  # validation scores this close to the best count as equal
GIVE_UP = 0.01  # the sweep ends after three strengths in a row this far below the best
NEIGHBOURS = 20


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """Test predictions, and the chosen setting with its validation score."""

    prediction: np.ndarray
    validation_score: float
    selected: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """A linear map to features of mean 0 and covariance near the identity on the training split."""

    mean: np.ndarray  # (D,)
    matrix: np.ndarray  # (D, D)

    @staticmethod
    def fit(x: np.ndarray) -> Whitening:
        """Fit to features (n, D), float64 inside."""
        mean = x.mean(axis=0, dtype=np.float64)
        centred = x - mean
        values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
        values = values.clip(min=0)
        floor = WHITENING_RIDGE * values.mean() or 1.0  # features that are all constant stay zero
        return Whitening(mean=mean, matrix=vectors / np.sqrt(values + floor))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the whitened features, float64 (n, D)."""
        return np.asarray((x - self.mean) @ self.matrix)


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features (n, D) and labels of each split."""

    features: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]

    def whitened(self) -> Features:
        """Return the features whitened by the training split."""
        whiten = Whitening.fit(self.features["train"])
        return Features(features={k: whiten(x) for k, x in self.features.items()}, labels=self.labels)

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the features and labels of the training and validation splits together."""
        splits = ("train", "validation")
        return np.concatenate([self.features[k] for k in splits]), np.concatenate([self.labels[k] for k in splits])


def linear_probe(data: Features, task: Task) -> ProbeResult:
    """Fit L2 logistic regression (one per finding; ridge for scalar scores), with C chosen on validation."""
    data = data.whitened()
    strength, best = _choose_strength(data, task)
    model = _fit(*data.joined(), task.target, strength)
    prediction = _predict(model, data.features["test"], task.target)
    return ProbeResult(prediction=prediction, validation_score=best, selected={"C": strength})


def _choose_strength(whitened: Features, task: Task) -> tuple[float, float]:
    """Return the chosen strength and its validation score.

    Of the strengths whose validation scores are within `TIE` of the best, the middle one is taken: where the score
    does not depend on the strength, neither end of the grid is preferred.
    """
    score, tried = metric_of(task.metric).score, list[tuple[float, float]]()
    label = whitened.labels["validation"]
    for strength, model in _fit_each_strength(whitened.features["train"], whitened.labels["train"], task.target):
        tried.append((score(_predict(model, whitened.features["validation"], task.target), label), strength))
        best = max(value for value, _ in tried)
        if len(tried) > 5 and all(value < best - GIVE_UP for value, _ in tried[-3:]):
            break
    equal = [(value, strength) for value, strength in tried if value >= best - TIE]
    value, strength = equal[(len(equal) - 1) // 2]
    return strength, value


def _fit_each_strength(x: np.ndarray, y: np.ndarray, target: Target) -> Iterator[tuple[float, Any]]:
    """Yield a model for each strength, from strong to weak regularisation, each started from the one before."""
    model = None
    for strength in STRENGTHS:
        model = _fit(x, y, target, strength, model)
        yield strength, model


def _fit(x: np.ndarray, y: np.ndarray, target: Target, strength: float, start: Any = None) -> Any:
    """Fit to features (n, D); `start` is a model for another strength, which is changed."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if isinstance(target, Scalar):
        return Ridge(alpha=1 / strength).fit(x, y)
    columns = list(y.T) if isinstance(target, MultiLabel) else [y]
    models = start or [LogisticRegression(max_iter=MAX_ITERATIONS, warm_start=True) for _ in columns]
    return [_converged(model.set_params(C=strength), x, column) for model, column in zip(models, columns, strict=True)]


def _converged(model: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """Fit a logistic regression.

    Raises:
        DabsError: it did not converge, so its score would depend on the solver.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return model.fit(x, y)
        except ConvergenceWarning as error:
            raise DabsError(
                f"the linear probe did not converge in {MAX_ITERATIONS} iterations at C = {model.C:g}, so it has no "
                "score. Look at the features of this run: they may be constant or not finite."
            ) from error


def _predict(model: Any, x: np.ndarray, target: Target) -> np.ndarray:
    if isinstance(target, Scalar):
        return np.asarray(model.predict(x))
    if isinstance(target, MultiLabel):
        return np.stack([one.decision_function(x) for one in model], axis=1)
    return np.asarray(model[0].predict(x))


def probe_head(data: Features, task: Task, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the linear probe of the training split as a layer on unwhitened features: weight (k, D) and bias (k,).

    A scalar score is scaled to [0, 1] by its bounds; one of two classes gets two opposite outputs.
    """
    whiten = Whitening.fit(data.features["train"])
    model = _fit(whiten(data.features["train"]), data.labels["train"], task.target, strength)
    if isinstance(task.target, Scalar):
        span = task.target.high - task.target.low
        weight, bias = model.coef_.reshape(1, -1) / span, np.array([(model.intercept_ - task.target.low) / span])
    elif isinstance(task.target, MultiLabel):
        weight, bias = np.concatenate([one.coef_ for one in model]), np.concatenate([one.intercept_ for one in model])
    else:
        weight, bias = _all_classes(model[0], len(task.target))
    weight = weight @ whiten.matrix.T
    return weight, bias - weight @ whiten.mean


def _all_classes(model: Any, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weight and bias with one row per class; a class that no example has is never predicted."""
    weight, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    all_weight, all_bias = np.zeros((classes, weight.shape[1])), np.full(classes, bias.min() - 10.0)
    all_weight[model.classes_], all_bias[model.classes_] = weight, bias
    return all_weight, all_bias


def nearest_neighbours(data: Features, task: Task) -> ProbeResult:
    """Predict the mean label (for classes, the vote) of the 20 nearest training examples by cosine similarity."""
    data = data.whitened()
    score = metric_of(task.metric).score
    train = data.features["train"], data.labels["train"]
    validation = _vote(*train, data.features["validation"], task.target)
    prediction = _vote(*data.joined(), data.features["test"], task.target)
    return ProbeResult(
        prediction=prediction,
        validation_score=score(validation, data.labels["validation"]),
        selected={"k": float(NEIGHBOURS)},
    )


def _vote(x: np.ndarray, y: np.ndarray, query: np.ndarray, target: Target) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(x)), metric="cosine").fit(x)
    near = index.kneighbors(query, return_distance=False)  # (n, k)
    if isinstance(target, Classes):
        return np.asarray(np.eye(len(target))[y[near]].sum(axis=1).argmax(axis=1))
    return np.asarray(y[near].mean(axis=1, dtype=np.float64))


PROBES = {"linear": linear_probe, "linear_tokens": linear_probe, "knn": nearest_neighbours}
