"""The rows `raw` and `summary`: what readers get from the inputs themselves.

`raw` has two views of an input, like an encoder, whose channels are standardised as the encoder standardises them. The
pooled view is the mean over its patches or segments, or how often each token occurs, which knows no layout. The view of
all positions is the whole input. Each input is reduced on its own to at most 256 principal components, fitted on the
training split, and scaled to a mean variance of 1: pixels and counts of tokens have different units, and whitening them
together would drown the smaller ones in its ridge.

`summary` has a few numbers per input: mean and deviation of each channel, or the length of a text and the entropy of
its tokens, each scaled to a variance of 1. A task that it answers needs no representation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dabs.data.domain import SPLITS, TRAIN
from dabs.data.prepared import Prepared
from dabs.data.split import READ_BATCH, Split
from dabs.encoder import image_patches, series_segments
from dabs.specs import Batch, Channels, Image, Series, Spec, Tokens

COMPONENTS = 256


def raw_features(data: Prepared, *, pooled: bool) -> dict[str, np.ndarray]:
    """Return features (n, at most 256 per input), float32, of each split of a task's dataset.

    Args:
        data: the prepared dataset.
        pooled: whether to average over positions, or to keep the whole input.
    """
    parts: dict[str, list[np.ndarray]] = {split: [] for split in SPLITS}
    for i in range(len(data.domain.specs)):
        values = _values(data, i, pooled)
        reduce = _reduction(values[TRAIN]).fit(values[TRAIN])
        found = {split: np.asarray(reduce.transform(x), dtype=np.float64) for split, x in values.items()}
        scale = np.sqrt(found[TRAIN].var(axis=0).mean()) or 1.0  # an input that is constant stays as it is
        for split, x in found.items():
            parts[split].append((x / scale).astype(np.float32))
    return {split: np.concatenate(part, axis=1) for split, part in parts.items()}


def summary_features(data: Prepared) -> dict[str, np.ndarray]:
    """Return features (n, 2 per channel or text), float64, of each split of a task's dataset."""
    specs = data.domain.specs

    def block(batch: Batch) -> np.ndarray:
        return np.concatenate([_summary(x, spec) for x, spec in zip(batch.inputs, specs, strict=True)], axis=1)

    found = {
        split: np.concatenate([block(batch) for batch in Split(data, split, labels=False).batches(READ_BATCH)])
        for split in SPLITS
    }
    scale = found[TRAIN].std(axis=0)
    scale[scale == 0] = 1.0
    return {split: x / scale for split, x in found.items()}


def _values(data: Prepared, i: int, pooled: bool) -> dict[str, Any]:
    """Return the values (n, values) of one input in each split; for tokens a sparse matrix of counts."""
    spec, channels, name = data.domain.specs[i], data.standardisation()[i], f"input_{i}"
    if isinstance(spec, Tokens):
        return {split: _token_counts(data.columns(split, (name,))[name], spec, pooled) for split in SPLITS}
    assert channels is not None  # noqa: S101  only tokens have none
    return {split: _positions(Split(data, split, labels=False), i, spec, channels, pooled) for split in SPLITS}


def _positions(split: Split, i: int, spec: Image | Series, channels: Channels, pooled: bool) -> np.ndarray:
    """Return the patches or segments of an input, standardised as the encoder does, float32.

    The mean over them, (n, P), or all of them side by side, (n, N P).
    """
    shape = (1, -1) if isinstance(spec, Series) else (-1, 1, 1)
    mean, deviation = (torch.tensor(values).reshape(shape) for values in (channels.mean, channels.deviation))

    def block(x: Tensor) -> Tensor:
        x = (x - mean) / deviation
        x_BNP = image_patches(x, spec.patch) if isinstance(spec, Image) else series_segments(x, spec.segment)
        return x_BNP.mean(dim=1, dtype=torch.float64).float() if pooled else x_BNP.flatten(1)

    return torch.cat([block(batch.inputs[i]) for batch in split.batches(READ_BATCH)]).numpy()


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


def _summary(x: Tensor, spec: Spec) -> np.ndarray:
    """Return (n, 2 channels) float64: means, then deviations; for tokens length and entropy in nats."""
    if isinstance(spec, Tokens):
        return np.array([_length_and_entropy(row[row != spec.pad].numpy()) for row in x])
    axes = (2, 3) if isinstance(spec, Image) else (1,)
    wide = x.double()
    return torch.cat([wide.mean(dim=axes), wide.std(dim=axes, correction=0)], dim=1).numpy()


def _length_and_entropy(ids: np.ndarray) -> tuple[float, float]:
    share = np.unique(ids, return_counts=True)[1] / max(len(ids), 1)
    return float(len(ids)), float(-(share * np.log(share)).sum())
