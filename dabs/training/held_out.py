"""The loss on inputs that training does not see.

Where it rises while the training loss falls, a run learns its examples by heart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from dabs.config import PretrainConfig
from dabs.data.loader import order_for_processes, read_batches
from dabs.data.split import Split
from dabs.distributed import processes, rank
from dabs.specs import Batch
from dabs.training.log import HELD_OUT
from dabs.training.step import seed_all

CHECKS = 5  # evenly spaced over a run, the last one after its last step
BATCHES = 4  # read in each check, the same ones and with the same random draws every time


def is_due(done: int, steps: int) -> bool:
    """Return whether the held-out loss is computed after `done` of a run's steps."""
    return done * CHECKS // steps > (done - 1) * CHECKS // steps


class HeldOutLoss:
    """Computes the loss of an objective on a few unlabelled batches of the validation split.

    It is computed as in training, with dropout, so the two can be compared. Neither weights nor buffers change, and the
    next training step draws the numbers that it would have drawn.

    Args:
        module: the objective as it is trained, on all its devices; maps (inputs, mask) to its scalars.
        split: inputs that are not trained on.
        config: of the run.
        fabric: its devices.
        independent: whether each process computes a loss of its own, whose mean is taken.

    Attributes:
        seconds: spent in all checks, which are no part of the cost of pretraining.
    """

    def __init__(
        self,
        module: nn.Module,
        split: Split,
        config: PretrainConfig,
        fabric: Fabric,
        *,
        independent: bool,
    ) -> None:
        self.module, self.split, self.config = module, split, config
        self.fabric, self.independent = fabric, independent
        self.seconds = 0.0
        # as many examples as the objective compares at once in training, where the split has them
        self.size = min(config.batch_size // config.accumulate, len(split) // processes() * processes())

    def __call__(self) -> dict[str, Tensor]:
        """Return the mean loss, to be logged; nothing where a process would have fewer than two examples."""
        if self.size < 2 * processes():
            return {}
        self.seconds -= time.perf_counter()
        kept = [buffer.clone() for buffer in self.module.buffers()]  # a queue, or the statistics of a batch norm
        seed_all(self.config.seed, self.config.steps, rank() if self.independent else 0)  # no training step has it
        # with gradients, which an objective may use; but several processes would wait for their exchange
        with torch.set_grad_enabled(processes() == 1):
            losses = [self.module((batch.inputs, batch.mask))["loss"].detach().float() for batch in self._batches()]
        with torch.no_grad():
            for buffer, value in zip(self.module.buffers(), kept, strict=True):
                buffer.copy_(value)
        loss = torch.stack(losses).mean()
        found = {HELD_OUT: loss}
        if self.independent:
            found = self.fabric.all_reduce(found, reduce_op="mean")  # type: ignore[assignment]
        self.seconds += time.perf_counter()
        return found

    def _batches(self) -> Iterator[Batch]:
        count = min(BATCHES, len(self.split) // self.size)
        rows = np.linspace(0, len(self.split) - 1, count * self.size).astype(np.int64).reshape(self.size, count).T
        own = self.size // processes()
        part = slice(rank() * own, (rank() + 1) * own)
        return read_batches(self.split, (order_for_processes(row, 1) for row in rows), self.fabric.device, part)
