"""Probes of frozen features: a linear probe and k nearest neighbours.

A probe takes the features (n, D) and labels of the three splits, chooses its setting on validation, fits on training
and validation examples, and predicts the test split once. The recipe follows DINOv2's logistic regression on cached
features (Oquab et al. 2023).
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
    """Test predictions, and the chosen setting with its validation score."""

    prediction: np.ndarray
    validation_score: float
    selected: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features (n, D) and labels of each split."""

    features: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]

    def standardised(self) -> Features:
        """Scale each feature to mean 0 and standard deviation 1 on the training split; constant features become 0."""
        train = self.features["train"].astype(np.float64)
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        scale = np.where(deviation > 1e-9, 1 / np.maximum(deviation, 1e-9), 0.0)
        return Features(features={k: (x - mean) * scale for k, x in self.features.items()}, labels=self.labels)

    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the features and labels of the training and validation splits together."""
        splits = ("train", "validation")
        return np.concatenate([self.features[k] for k in splits]), np.concatenate([self.labels[k] for k in splits])


def linear_probe(data: Features, task: Task) -> ProbeResult:
    """Fit L2 logistic regression (one per finding; ridge for scalar scores), with C chosen on validation."""
    from sklearn.exceptions import ConvergenceWarning

    data = data.standardised()
    score = metric_of(task.metric).score
    validation = data.features["validation"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the iteration limit is part of the protocol
        tried = [
            (score(_predict(model, validation, task.target), data.labels["validation"]), -strength)
            for strength, model in _fit_all_strengths(data.features["train"], data.labels["train"], task.target)
        ]
        best, negative = max(tried)  # among equal scores, the strongest regularisation
        model = _fit(*data.joined(), task.target, -negative)
    prediction = _predict(model, data.features["test"], task.target)
    return ProbeResult(prediction=prediction, validation_score=best, selected={"C": -negative})


def _fit_all_strengths(x: np.ndarray, y: np.ndarray, target: Target) -> list[tuple[float, Any]]:
    """Fit a model for each strength, one per thread; products this small gain less from sharing each one."""
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


def nearest_neighbours(data: Features, task: Task) -> ProbeResult:
    """Predict the mean label (for classes, the vote) of the 20 nearest training examples by cosine similarity."""
    data = data.standardised()
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


PROBES = {"linear": linear_probe, "knn": nearest_neighbours}
