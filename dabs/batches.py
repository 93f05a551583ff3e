"""The batches of a run in their fixed order: which examples each step takes depends on (seed, step) alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import numpy as np
import torch

from dabs.accumulate import arranged
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
    parts = processes() * config.accumulate
    if config.accumulate > 1 and (config.batch_size % parts or config.batch_size < 2 * parts):
        raise RequestError(
            f"accumulate {config.accumulate} on {processes()} processes does not cut the batch of {config.batch_size} "
            "into equal parts of at least 2 examples"
        )


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
            yield arranged(order[place * size : (place + 1) * size], self.config.accumulate)

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
    return torch.utils.data.DataLoader(
        batches, sampler=sampler, batch_size=None, num_workers=workers, worker_init_fn=_outlive_sigterm
    )


def _outlive_sigterm(worker: int) -> None:
    """A scheduler's SIGTERM reaches all processes; without those that read, the one that trains could not save."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
