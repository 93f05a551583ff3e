"""Readers of frozen features: a linear probe with its strength chosen on validation, and k nearest neighbours.

Every reader takes features (n, D) and labels of the three splits, chooses on validation, fits on train + validation,
and predicts the test split once. Recipe after DINOv2's logistic regression on cached features (Oquab et al. 2023).
"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from dabs.data.domain import Classes, MultiLabel, Target, Task
from dabs.evaluation.metrics import metric_of

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # C of the logistic regression, 1/alpha of the ridge
MAX_ITERATIONS = 300
NEIGHBOURS = 20


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What a reader found: test predictions, the validation score it was chosen by, and what was chosen."""

    prediction: np.ndarray
    validation_score: float
    selected: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features (n, D) and labels of each split."""

    features: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]

    def standardised(self) -> Features:
        """Every feature with the training split's mean 0 and deviation 1; constant ones become 0."""
        train = self.features["train"].astype(np.float64)
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        scale = np.where(deviation > 1e-9, 1 / np.maximum(deviation, 1e-9), 0.0)
        return Features(features={k: (x - mean) * scale for k, x in self.features.items()}, labels=self.labels)

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels of train + validation."""
        splits = ("train", "validation")
        return np.concatenate([self.features[k] for k in splits]), np.concatenate([self.labels[k] for k in splits])


def linear_probe(cached: Features, task: Task) -> ProbeResult:
    """L2 logistic regression (one-vs-rest for several findings, ridge for scores), C swept on validation."""
    from sklearn.exceptions import ConvergenceWarning

    cached = cached.standardised()
    score = metric_of(task.metric).score
    validation = cached.features["validation"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the iteration limit is part of the protocol
        tried = [
            (score(_predict(model, validation, task.target), cached.labels["validation"]), -strength)
            for strength, model in _sweep(cached.features["train"], cached.labels["train"], task.target)
        ]
        best, negative = max(tried)  # of equal scores the stronger regularisation
        model = _fit(*cached.joined(), task.target, -negative)
    prediction = _predict(model, cached.features["test"], task.target)
    return ProbeResult(prediction=prediction, validation_score=best, selected={"C": -negative})


def _sweep(x: np.ndarray, y: np.ndarray, target: Target) -> list[tuple[float, Any]]:
    """A model for each strength, one a thread: products of this size gain more so than by sharing each of them."""
    from threadpoolctl import threadpool_info, threadpool_limits

    threads = max((pool["num_threads"] for pool in threadpool_info()), default=1)
    longest_first = tuple(reversed(STRENGTHS))  # weaker regularisation takes more iterations
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        models = pool.map(lambda strength: _fit(x, y, target, strength), longest_first)
        return list(zip(longest_first, models, strict=True))


def _fit(x: np.ndarray, y: np.ndarray, target: Target, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if isinstance(target, Classes):
        return LogisticRegression(C=strength, max_iter=MAX_ITERATIONS).fit(x, y)
    if isinstance(target, MultiLabel):
        return [LogisticRegression(C=strength, max_iter=MAX_ITERATIONS).fit(x, column) for column in y.T]
    return Ridge(alpha=1 / strength).fit(x, y)


def _predict(model: Any, x: np.ndarray, target: Target) -> np.ndarray:
    if isinstance(target, MultiLabel):
        return np.stack([one.decision_function(x) for one in model], axis=1)
    return np.asarray(model.predict(x))


def nearest_neighbours(cached: Features, task: Task) -> ProbeResult:
    """The mean label (for classes, the vote) of the 20 nearest training examples by cosine similarity."""
    cached = cached.standardised()
    score = metric_of(task.metric).score
    train = cached.features["train"], cached.labels["train"]
    validation = _vote(*train, cached.features["validation"], task.target)
    prediction = _vote(*cached.joined(), cached.features["test"], task.target)
    return ProbeResult(
        prediction=prediction,
        validation_score=score(validation, cached.labels["validation"]),
        selected={"k": float(NEIGHBOURS)},
    )


def _vote(x: np.ndarray, y: np.ndarray, query: np.ndarray, target: Target) -> np.ndarray:
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(x)), metric="cosine").fit(x)
    near = index.kneighbors(query, return_distance=False)  # (n, k)
    if isinstance(target, Classes):
        return np.asarray(np.eye(len(target))[y[near]].sum(axis=1).argmax(axis=1))
    return np.asarray(y[near].mean(axis=1, dtype=np.float64))


PROBES = {"linear": linear_probe, "knn": nearest_neighbours}
