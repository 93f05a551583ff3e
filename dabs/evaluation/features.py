"""Frozen features of a split, computed by an encoder."""

from __future__ import annotations

import numpy as np
import torch

from dabs.data.loader import read_batches
from dabs.data.split import READ_BATCH, Split
from dabs.encoder import Encoder
from dabs.training.precision import autocast

CPU_BATCH = 32  # examples per batch in bf16 on a CPU, whose activations fit into its caches


@torch.inference_mode()
def features_of(encoder: Encoder, split: Split, precision: str = "fp32") -> np.ndarray:
    """Return the pooled features of a whole split in order, float32 (n, D), in evaluation mode.

    Args:
        encoder: on its device.
        split: read once; for a GPU, batches are read ahead.
        precision: "fp32", or "bf16" for autocast, whose features differ by 0.01 to 0.1 of their standard deviation.
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    size = CPU_BATCH if precision == "bf16" and device.type == "cpu" else READ_BATCH
    order = _reading_order(split, precision)
    batches = read_batches(split, (order[start : start + size] for start in range(0, len(order), size)), device)
    with autocast(device, precision):
        found = torch.cat([encoder(batch).float() for batch in batches])
    features = np.empty(found.shape, np.float32)
    features[order] = found.cpu().numpy()
    return features


def _reading_order(split: Split, precision: str) -> np.ndarray:
    """Return the order to read examples in: texts by length, to pad little, but not in fp32.

    In fp32 another order would change recorded scores a little.
    """
    lengths = split.lengths() if precision == "bf16" else None
    return np.arange(len(split)) if lengths is None else np.argsort(lengths, kind="stable")


class FeatureCache:
    """Computes the features of a split once for all tasks that ask about the same examples."""

    def __init__(self, encoder: Encoder, precision: str) -> None:
        self.encoder, self.precision = encoder, precision
        self.known: dict[str, np.ndarray] = {}

    def __call__(self, split: Split) -> np.ndarray:
        """Return `features_of` the split."""
        key = split.digest()
        if key is None:  # a split read from disk has no digest
            return features_of(self.encoder, split, self.precision)
        if key not in self.known:
            self.known[key] = features_of(self.encoder, split, self.precision)
        return self.known[key]
