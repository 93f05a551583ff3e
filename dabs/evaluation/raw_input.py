"""The rows `raw` and `summary`: what readers get from the inputs themselves.

`raw` has two views of an input, like an encoder. The pooled view is the mean over its patches or segments, or how often
each token occurs, which knows no layout. The view of all positions is the whole input. Each input is reduced on its own
to at most 256 principal components, fitted on the training split, and scaled to a mean variance of 1: pixels and counts
of tokens have different units, and whitening them together would drown the smaller ones in its ridge.

`summary` has a few numbers per input: mean and deviation of each channel, or the length of a text and the entropy of
its tokens, each scaled to a variance of 1. A task that it answers needs no representation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dabs.data.domain import SPLITS, TRAIN
from dabs.data.prepared import Prepared
from dabs.specs import Image, Series, Spec, Tokens

COMPONENTS = 256


def raw_features(data: Prepared, *, pooled: bool) -> dict[str, np.ndarray]:
    """Return features (n, at most 256 per input), float32, of each split of a task's dataset.

    Args:
        data: the prepared dataset.
        pooled: whether to average over positions, or to keep the whole input.
    """
    columns = {split: data.columns(split) for split in SPLITS}
    parts: dict[str, list[np.ndarray]] = {split: [] for split in columns}
    for i, spec in enumerate(data.domain.specs):
        values = {split: _values(c[f"input_{i}"], spec, pooled) for split, c in columns.items()}
        reduce = _reduction(values[TRAIN]).fit(values[TRAIN])
        found = {split: np.asarray(reduce.transform(x), dtype=np.float64) for split, x in values.items()}
        scale = np.sqrt(found[TRAIN].var(axis=0).mean()) or 1.0  # an input that is constant stays as it is
        for split, x in found.items():
            parts[split].append((x / scale).astype(np.float32))
    return {split: np.concatenate(part, axis=1) for split, part in parts.items()}


def summary_features(data: Prepared) -> dict[str, np.ndarray]:
    """Return features (n, 2 per channel or text), float64, of each split of a task's dataset."""
    columns = {split: data.columns(split) for split in SPLITS}
    found = {
        split: np.concatenate([_summary(c[f"input_{i}"], spec) for i, spec in enumerate(data.domain.specs)], axis=1)
        for split, c in columns.items()
    }
    scale = found[TRAIN].std(axis=0)
    scale[scale == 0] = 1.0
    return {split: x / scale for split, x in found.items()}


def _values(x: np.ndarray, spec: Spec, pooled: bool) -> Any:
    """Return (n, values) float32; for tokens a sparse matrix of counts, by position if not pooled."""
    if isinstance(spec, Tokens):
        return _token_counts(x, spec, pooled)
    if not pooled:
        return x.reshape(len(x), -1).astype(np.float32)
    n = len(x)
    if isinstance(spec, Series):
        return x.reshape(n, -1, spec.patch_size).mean(axis=1, dtype=np.float64).astype(np.float32)
    rows, columns, patch = spec.height // spec.patch, spec.width // spec.patch, spec.patch
    cut = x.reshape(n, spec.channels, rows, patch, columns, patch)
    return cut.mean(axis=(2, 4), dtype=np.float64).reshape(n, -1).astype(np.float32)


def _token_counts(x: np.ndarray, spec: Tokens, pooled: bool) -> Any:
    from scipy.sparse import csr_matrix

    row, place = np.nonzero(x != spec.pad)
    column = x[row, place] if pooled else place * spec.vocabulary + x[row, place]
    width = spec.vocabulary if pooled else spec.vocabulary * spec.length
    return csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)), shape=(len(x), width))


def _reduction(x: Any) -> Any:
    """Return a transform to at most 256 values; one that only centres them if there are no more."""
    from scipy.sparse import issparse
    from sklearn.decomposition import PCA, TruncatedSVD

    size = min(COMPONENTS, *x.shape)
    if issparse(x):
        return TruncatedSVD(n_components=min(size, x.shape[1] - 1), random_state=0)
    return PCA(n_components=size, svd_solver="covariance_eigh" if x.shape[1] <= 1024 else "randomized", random_state=0)


def _summary(x: np.ndarray, spec: Spec) -> np.ndarray:
    """Return (n, 2 channels) float64: means, then deviations; for tokens length and entropy in nats."""
    if isinstance(spec, Tokens):
        return np.array([_length_and_entropy(row[row != spec.pad]) for row in x])
    axis = (2, 3) if isinstance(spec, Image) else 1
    wide = x.astype(np.float64)
    return np.concatenate([wide.mean(axis=axis), wide.std(axis=axis)], axis=1)


def _length_and_entropy(ids: np.ndarray) -> tuple[float, float]:
    share = np.unique(ids, return_counts=True)[1] / max(len(ids), 1)
    return float(len(ids)), float(-(share * np.log(share)).sum())
