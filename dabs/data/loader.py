"""The batches of a run in their fixed order: which examples each step takes depends on (seed, step) alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from dabs.config import PretrainConfig
from dabs.data.split import Split, decoded
from dabs.distributed import processes, rank
from dabs.errors import RequestError
from dabs.specs import Batch

T = TypeVar("T")
AHEAD = 4  # batches that are read while a GPU computes


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


def step_indices(
    rows: int, size: int, steps: int, seed: int, *, start: int = 0, seed_by_step: bool = False
) -> Iterator[np.ndarray]:
    """Yield the example indices of each step, int64 (size,); an epoch is a permutation without its last partial batch.

    Args:
        rows: how many examples there are, at least `size`.
        size: examples per step.
        steps: where to stop.
        seed: of the permutations.
        start: the first step.
        seed_by_step: seed each epoch with its first step instead of its number, as fine-tuning always has.
    """
    per_epoch = rows // size
    for step in range(start, steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0 or step == start:
            key = epoch * per_epoch if seed_by_step else epoch
            order = np.random.Generator(np.random.PCG64([seed, key])).permutation(rows)
        yield order[place * size : (place + 1) * size]


def read(
    split: Split, indices: Iterable[np.ndarray], device: torch.device, part: slice = slice(None)
) -> Iterator[Batch]:
    """Batches of a split on a device, as models take them; see `Split.stored` for `indices` and `part`.

    For a GPU a thread copies the next few batches into pinned memory in their stored types, and the GPU makes floats
    of them: a picture then crosses the bus as one byte a value.
    """
    gpu = device.type == "cuda"
    stored = (split.stored(index, part, pin=gpu) for index in indices)
    for batch in read_ahead(stored) if gpu else stored:
        yield decoded(batch.to(device), split.specs)


def read_ahead(items: Iterator[T], count: int = AHEAD) -> Iterator[T]:
    """The same items in order; a thread makes up to `count` of them while the last one is used."""
    end = object()
    pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
    waiting = deque(pool.submit(next, items, end) for _ in range(count))
    try:
        while (item := waiting.popleft().result()) is not end:
            waiting.append(pool.submit(next, items, end))
            yield item  # type: ignore[misc]
    finally:
        pool.shutdown(cancel_futures=True)


class Loader:
    """The batches of a run from step `start` on, of which each process reads its part.

    Args:
        split: what is trained on.
        config: of the run.
        start: the first step.
        device: where the batches are wanted.

    Attributes:
        waited: seconds that the one who asks for batches has waited for them.
    """

    def __init__(self, split: Split, config: PretrainConfig, start: int, device: torch.device) -> None:
        size = config.batch_size // processes()
        check_batch_size(config, len(split))
        steps = step_indices(len(split), config.batch_size, config.steps, config.seed, start=start)
        indices = (order_for_processes(index, config.accumulate) for index in steps)
        self.batches = read(split, indices, device, slice(rank() * size, (rank() + 1) * size))
        self.waited = 0.0

    def __iter__(self) -> Iterator[Batch]:
        begun = time.perf_counter()
        for batch in self.batches:
            self.waited += time.perf_counter() - begun
            yield batch
            begun = time.perf_counter()


def order_for_processes(index_G: np.ndarray, parts: int) -> np.ndarray:
    """The examples of a whole batch in an order that makes R processes work on the parts that one would.

    Each process takes G / R examples in a row, and N parts of those in turn: its k-th part becomes its share of the
    k-th part of the whole batch.
    """
    return index_G.reshape(parts, processes(), -1).swapaxes(0, 1).reshape(-1)
