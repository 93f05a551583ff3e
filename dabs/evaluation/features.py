"""Frozen features of a split, pooled and of all positions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dabs.data.loader import read_batches
from dabs.data.split import READ_BATCH, Split
from dabs.encoder import Encoder
from dabs.specs import Batch, total_embeddings
from dabs.training.precision import autocast

Pair = tuple[np.ndarray, np.ndarray]  # pooled features and those of all positions

CPU_BATCH = 32  # examples per batch on a CPU, whose activations fit into its caches
POSITION_COMPONENTS = 256  # principal components of all positions together
POSITION_EXAMPLES = 2048  # training examples that the components are fitted on, evenly spaced


def pooled_features(encoder: Encoder, split: Split, precision: str = "fp32") -> np.ndarray:
    """Return the pooled features of a whole split in order, float32 (n, D), in evaluation mode.

    Args:
        encoder: on its device.
        split: read once; for a GPU, batches are read ahead.
        precision: "fp32", or "bf16" for autocast, whose features differ by 0.01 to 0.1 of their standard deviation.
    """
    (found,) = _read(encoder, split, np.arange(len(split)), precision, lambda batch: (_to_numpy(encoder(batch)),))
    return found


def both_features(encoder: Encoder, train: Split, splits: dict[str, Split], precision: str = "fp32") -> dict[str, Pair]:
    """Return each split's pooled features (n, D), and those of all positions (n, at most 256), both float32.

    For the latter, the tokens of [CLS] and of every embedding stand side by side, so the layout is kept, with padding
    as zeros. They are reduced by principal components that are fitted on at most 2,048 examples of the training split.

    Args:
        encoder: on its device.
        train: the training split.
        splits: those to read, by name.
        precision: as for `pooled_features`.
    """
    from sklearn.decomposition import PCA

    rows = np.linspace(0, len(train) - 1, min(len(train), POSITION_EXAMPLES)).astype(np.int64)

    def whole(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        tokens = _tokens(encoder, batch)
        return _to_numpy(encoder.pool(tokens, batch.mask)), _side_by_side(encoder, tokens, batch)

    pooled, flat = _read(encoder, train, rows, precision, whole)
    size = min(POSITION_COMPONENTS, *flat.shape)
    reduce: Any = PCA(n_components=size, svd_solver="randomized", iterated_power=4, random_state=0).fit(flat)
    mean, components = reduce.mean_.astype(np.float32), reduce.components_.T.astype(np.float32)

    def reduced(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        pooled, flat = whole(batch)
        return pooled, (flat - mean) @ components

    found = {}
    for name, split in splits.items():
        known = [(pooled, (flat - mean) @ components)] if split is train else []  # these rows are encoded already
        rest = np.setdiff1d(np.arange(len(split)), rows) if known else np.arange(len(split))
        parts = [*known, *([_read(encoder, split, rest, precision, reduced)] if len(rest) else [])]
        order = np.concatenate([rows, rest]) if known else rest
        both = (_in_order(order, np.concatenate(blocks)) for blocks in zip(*parts, strict=True))
        found[name] = (next(both), next(both))
    return found


def _tokens(encoder: Encoder, batch: Batch) -> Tensor:
    return encoder.encode(encoder.embed(batch.inputs), batch.mask)


def _to_numpy(x: Tensor) -> np.ndarray:
    return x.float().cpu().numpy()


def _side_by_side(encoder: Encoder, tokens_BSD: Tensor, batch: Batch) -> np.ndarray:
    """Return the tokens of all positions side by side, float32 (B, S D), with zeros where there is padding."""
    tokens_BSD = tokens_BSD.float()
    if batch.mask is not None:
        tokens_BSD = tokens_BSD * F.pad(batch.mask, (1, 0), value=True)[:, :, None]
    missing = 1 + total_embeddings(encoder.specs) - tokens_BSD.shape[1]  # trailing padding is cut off
    return F.pad(tokens_BSD, (0, 0, 0, missing)).flatten(1).cpu().numpy()


@torch.inference_mode()
def _read(
    encoder: Encoder,
    split: Split,
    rows: np.ndarray,
    precision: str,
    features_of: Callable[[Batch], tuple[np.ndarray, ...]],
) -> tuple[np.ndarray, ...]:
    """Return the features of some rows in their order; texts are read by length, to pad little."""
    encoder.eval()
    device = next(encoder.parameters()).device
    size = CPU_BATCH if device.type == "cpu" else READ_BATCH
    lengths = split.lengths()
    order = np.arange(len(rows)) if lengths is None else np.argsort(lengths[rows], kind="stable")
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    with autocast(device, precision):
        batches = read_batches(split, (rows[part] for part in parts), device)
        found = [features_of(batch) for batch in batches]
    return tuple(_in_order(order, np.concatenate(blocks)) for blocks in zip(*found, strict=True))


def _in_order(order: np.ndarray, found: np.ndarray) -> np.ndarray:
    features = np.empty(found.shape, np.float32)
    features[order] = found
    return features


class FeatureCache:
    """Computes the features of splits once for all tasks that ask about the same examples."""

    def __init__(self, encoder: Encoder, precision: str) -> None:
        self.encoder, self.precision = encoder, precision
        self.known: dict[tuple[str, ...], Any] = {}

    def pooled(self, splits: dict[str, Split]) -> dict[str, np.ndarray]:
        """Return `pooled_features` of each split."""
        return {name: self._once([split], partial(self._pooled, split)) for name, split in splits.items()}

    def _pooled(self, split: Split) -> np.ndarray:
        return pooled_features(self.encoder, split, self.precision)

    def both(self, train: Split, splits: dict[str, Split]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return `both_features` of the splits."""
        found: dict[str, tuple[np.ndarray, np.ndarray]] = self._once(
            [train, *splits.values()], lambda: both_features(self.encoder, train, splits, self.precision)
        )
        return found

    def _once(self, splits: list[Split], compute: Callable[[], Any]) -> Any:
        digests = [split.digest() for split in splits]
        if None in digests:  # a split that is read from disk has no digest
            return compute()
        key = tuple(map(str, digests))
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]
