"""The batches of a run, read in a fixed order.

Which examples a step takes depends only on the seed and the step.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from dabs.config import PretrainConfig
from dabs.data.split import Split, decode
from dabs.distributed import processes, rank
from dabs.errors import RequestError
from dabs.specs import Batch

T = TypeVar("T")
READ_AHEAD = 4  # batches that are read while a GPU computes


def smaller_batch(rows: int) -> int:
    """Return the largest power of two that is at most a quarter of the examples, and at least two of them."""
    return max(2, 1 << max(0, (rows // 4).bit_length() - 1))


def check_batch_size(config: PretrainConfig, rows: int) -> None:
    """Raise a RequestError if a batch is larger than the data or cannot be shared evenly by the processes."""
    if rows < config.batch_size:
        raise RequestError(
            f"batch_size {config.batch_size} is above the {rows} examples of {config.domain}. Take a smaller one, such "
            f"as --batch-size {smaller_batch(rows)}, or give the domain its own (Domain(batch_size=...))."
        )
    if config.batch_size % processes():
        raise RequestError(f"batch_size {config.batch_size} cannot be shared evenly by {processes()} processes")
    parts = processes() * config.accumulate
    if config.accumulate > 1 and (config.batch_size % parts or config.batch_size < 2 * parts):
        raise RequestError(
            f"accumulate {config.accumulate} on {processes()} processes does not cut the batch of {config.batch_size} "
            "into equal parts of at least 2 examples"
        )


def step_indices(rows: int, size: int, steps: int, seed: int, *, start: int = 0) -> Iterator[np.ndarray]:
    """Yield the indices of the examples of each step, int64 (size,).

    An epoch is a permutation of all examples without the incomplete batch at its end.

    Args:
        rows: the number of examples, at least `size`.
        size: examples per step.
        steps: the step to stop before.
        seed: of the permutations.
        start: the first step.
    """
    per_epoch = rows // size
    for step in range(start, steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0 or step == start:
            order = np.random.Generator(np.random.PCG64([seed, epoch])).permutation(rows)
        yield order[place * size : (place + 1) * size]


def read_batches(
    split: Split, indices: Iterable[np.ndarray], device: torch.device, part: slice = slice(None)
) -> Iterator[Batch]:
    """Yield batches of a split on a device, in the types that models take.

    For a GPU, a thread copies the next few batches into pinned memory in their stored types, and the GPU converts them
    to floats: an image thus crosses the bus with one byte per value.

    Args:
        split: what to read.
        indices: of the examples of each batch.
        device: where the batches go.
        part: the rows of each batch to keep; see `Split.stored`.
    """
    gpu = device.type == "cuda"
    stored = (split.stored(index, part, pin=gpu) for index in indices)
    for batch in read_ahead(stored) if gpu else stored:
        yield decode(batch.to(device), split.specs)


def read_ahead(items: Iterator[T], count: int = READ_AHEAD) -> Iterator[T]:
    """Yield the items in order, while a thread computes up to `count` further ones."""
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
    """The batches of a run from step `start` on, of which each process reads its own part.

    Args:
        split: what to train on.
        config: of the run.
        start: the first step.
        device: where the batches go.

    Attributes:
        waited: seconds that the caller has waited for batches.
    """

    def __init__(self, split: Split, config: PretrainConfig, start: int, device: torch.device) -> None:
        size = config.batch_size // processes()
        check_batch_size(config, len(split))
        steps = step_indices(len(split), config.batch_size, config.steps, config.seed, start=start)
        indices = (order_for_processes(index, config.accumulate) for index in steps)
        self.batches = read_batches(split, indices, device, slice(rank() * size, (rank() + 1) * size))
        self.waited = 0.0

    def __iter__(self) -> Iterator[Batch]:
        begun = time.perf_counter()
        for batch in self.batches:
            self.waited += time.perf_counter() - begun
            yield batch
            begun = time.perf_counter()


def order_for_processes(index_G: np.ndarray, parts: int) -> np.ndarray:
    """Reorder the examples of a whole batch so that R processes accumulate over the same parts as one process would.

    Each process takes G / R consecutive examples and computes them in `parts` parts. In the returned order, the k-th
    parts of all processes together are the k-th part of the whole batch.
    """
    return index_G.reshape(parts, processes(), -1).swapaxes(0, 1).reshape(-1)
