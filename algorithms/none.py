"""The random encoder: the floor every table must show."""

from __future__ import annotations

from torch import Tensor

from dabs.algorithm import Algorithm
from dabs.encoder import Encoder
from dabs.specs import Batch


class NoPretraining(Algorithm):
    """Leaves the encoder at its initialisation."""

    trains = False

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """A constant: there is nothing to learn. Kept connected to the encoder so that a training loop can run it."""
        return {"loss": 0.0 * encoder(batch).sum()}
