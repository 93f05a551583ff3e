"""Frozen features of a split, computed by an encoder: pooled, and of all positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dabs.data.loader import read_batches
from dabs.data.split import READ_BATCH, Split
from dabs.encoder import Encoder
from dabs.specs import Batch, total_embeddings
from dabs.training.precision import autocast

CPU_BATCH = 32  # examples per batch in bf16 on a CPU, whose activations fit into its caches
POSITION_COMPONENTS = 256  # principal components of all positions together
POSITION_EXAMPLES = 2048  # training examples that the components are fitted on, evenly spaced


def pooled_features(encoder: Encoder, split: Split, precision: str = "fp32") -> np.ndarray:
    """Return the pooled features of a whole split in order, float32 (n, D), in evaluation mode.

    Args:
        encoder: on its device.
        split: read once; for a GPU, batches are read ahead.
        precision: "fp32", or "bf16" for autocast, whose features differ by 0.01 to 0.1 of their standard deviation.
    """
    return _read(encoder, split, np.arange(len(split)), precision, lambda batch: encoder(batch).float().cpu().numpy())


def position_features(
    encoder: Encoder, train: Split, splits: dict[str, Split], precision: str = "fp32"
) -> dict[str, np.ndarray]:
    """Return the features of all positions of each split, float32 (n, at most 256): layout kept, reduced together.

    The tokens of [CLS] and of every embedding stand side by side, with padding as zeros, and are reduced by principal
    components that are fitted on at most 2,048 examples of the training split.

    Args:
        encoder: on its device.
        train: the training split.
        splits: those to read, by name.
        precision: as for `pooled_features`.
    """
    from sklearn.decomposition import PCA

    fitted_on = np.linspace(0, len(train) - 1, min(len(train), POSITION_EXAMPLES)).astype(np.int64)
    flat = _read(encoder, train, fitted_on, precision, lambda batch: _all_positions(encoder, batch))
    size = min(POSITION_COMPONENTS, *flat.shape)
    reduce: Any = PCA(n_components=size, svd_solver="randomized", iterated_power=4, random_state=0).fit(flat)
    mean, components = reduce.mean_.astype(np.float32), reduce.components_.T.astype(np.float32)

    def project(batch: Batch) -> np.ndarray:
        return np.asarray((_all_positions(encoder, batch) - mean) @ components)

    return {name: _read(encoder, split, np.arange(len(split)), precision, project) for name, split in splits.items()}


def _all_positions(encoder: Encoder, batch: Batch) -> np.ndarray:
    """Return the tokens of all positions side by side, float32 (B, S D), with zeros where there is padding."""
    tokens_BSD: Tensor = encoder.encode(encoder.embed(batch.inputs), batch.mask).float()
    if batch.mask is not None:
        real = torch.nn.functional.pad(batch.mask, (1, 0), value=True)
        tokens_BSD = tokens_BSD * real[:, :, None]
    missing = 1 + total_embeddings(encoder.specs) - tokens_BSD.shape[1]  # trailing padding is cut off
    return torch.nn.functional.pad(tokens_BSD, (0, 0, 0, missing)).flatten(1).cpu().numpy()  # type: ignore[no-any-return]


@torch.inference_mode()
def _read(
    encoder: Encoder, split: Split, rows: np.ndarray, precision: str, features_of: Callable[[Batch], np.ndarray]
) -> np.ndarray:
    """Return the features of some rows in their order; texts are read by length, to pad little."""
    encoder.eval()
    device = next(encoder.parameters()).device
    size = CPU_BATCH if precision == "bf16" and device.type == "cpu" else READ_BATCH
    lengths = split.lengths()
    order = np.arange(len(rows)) if lengths is None else np.argsort(lengths[rows], kind="stable")
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    with autocast(device, precision):
        batches = read_batches(split, (rows[part] for part in parts), device)
        found = np.concatenate([features_of(batch) for batch in batches])
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
        return {
            name: self._once(("pooled",), [split], lambda split=split: self._pooled(split))
            for name, split in splits.items()
        }

    def _pooled(self, split: Split) -> np.ndarray:
        return pooled_features(self.encoder, split, self.precision)

    def positions(self, train: Split, splits: dict[str, Split]) -> dict[str, np.ndarray]:
        """Return `position_features` of the splits."""
        found: dict[str, np.ndarray] = self._once(
            ("positions", *splits),
            [train, *splits.values()],
            lambda: position_features(self.encoder, train, splits, self.precision),
        )
        return found

    def _once(self, kind: tuple[str, ...], splits: list[Split], compute: Callable[[], Any]) -> Any:
        digests = [split.digest() for split in splits]
        if None in digests:  # a split that is read from disk has no digest
            return compute()
        key = (*kind, *map(str, digests))
        if key not in self.known:
            self.known[key] = compute()
        return self.known[key]
