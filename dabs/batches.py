"""The batches of a run in their fixed order: which examples each step takes depends on (seed, step) alone."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from dabs.distributed import processes, rank
from dabs.errors import RequestError
from dabs.run import PretrainConfig
from dabs.specs import Batch
from dabs.split import Split


def check_batch_size(config: PretrainConfig, rows: int) -> None:
    """Refuse a batch that is larger than the data, or that the processes cannot share evenly."""
    if rows < config.batch_size:
        raise RequestError(f"batch_size {config.batch_size} is above the {rows} examples of {config.domain}")
    if config.batch_size % processes():
        raise RequestError(f"batch_size {config.batch_size} cannot be shared evenly by {processes()} processes")


class _StepIndices(torch.utils.data.Sampler[np.ndarray]):
    """The example indices of each step from `start` on: epochs are permutations without their last partial batch."""

    def __init__(self, rows: int, config: PretrainConfig, start: int) -> None:
        check_batch_size(config, rows)
        self.rows, self.config, self.start = rows, config, start

    def __iter__(self) -> Iterator[np.ndarray]:
        size = self.config.batch_size
        per_epoch = self.rows // size
        for step in range(self.start, self.config.steps):
            epoch, place = divmod(step, per_epoch)
            if place == 0 or step == self.start:
                order = np.random.Generator(np.random.PCG64([self.config.seed, epoch])).permutation(self.rows)
            yield order[place * size : (place + 1) * size]

    def __len__(self) -> int:
        return self.config.steps - self.start


class _Batches(torch.utils.data.Dataset[Batch]):
    """A split that is indexed by a whole batch, of which each process reads its part."""

    def __init__(self, split: Split, size: int) -> None:
        # settled here: worker processes that read do not know of the others that train
        self.split, self.part = split, slice(rank() * size, (rank() + 1) * size)

    def __getitem__(self, index: np.ndarray) -> Batch:
        return self.split.batch(index, self.part)


def loader_of(split: Split, config: PretrainConfig, start: int) -> torch.utils.data.DataLoader[Batch]:
    """Batches from step `start` on; data that does not fit in memory is read by worker processes."""
    sampler = _StepIndices(len(split), config, start)
    workers = 0 if split.in_memory else 2
    batches = _Batches(split, config.batch_size // processes())
    return torch.utils.data.DataLoader(batches, sampler=sampler, batch_size=None, num_workers=workers)
