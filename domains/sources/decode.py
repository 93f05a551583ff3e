"""Listed examples decoded into blocks of rows, by worker processes if many."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from pathlib import Path

import numpy as np

from dabs.data.domain import PRETRAIN, BuildError, Rows, Workspace
from dabs.domains.sources.listing import Item, Listing, check_count
from dabs.utils.processes import end_on_signals, end_with

BLOCK_ITEMS = 64  # decoded at a time by a process: 9.6 MB of 224×224 pictures
SERIAL_BLOCKS = 16  # up to this many are decoded faster than worker processes start and import what they need
MAX_WORKERS = 16  # each takes about 300 MB if it needs torch
BLOCKS_AHEAD = 2  # for each worker, how many blocks may be decoded before they are written

Decode = Callable[[Item], np.ndarray]  # returns (k, *shape): an item may give several rows
DecodedBlock = tuple[np.ndarray, list[int]]  # the rows of a block, and for each row the position of its item


def decode_rows(
    dataset: str, split: str, items: Iterable[Item], decode: Decode, second_input: np.ndarray | None = None
) -> Iterator[Rows]:
    """Yield the rows of a split in the order of its items.

    Args:
        dataset, split: as in `Rows`; rows of `PRETRAIN` have no labels.
        items: read lazily, so a generator may yield millions.
        decode: a module-level function, because worker processes import it, or a `functools.partial` of one.
        second_input: (items, *shape), for domains with two inputs.

    Raises:
        BuildError: a file cannot be decoded.
    """
    start = 0  # position of the block's first item
    for block, x, index in _decode_blocks(items, decode):
        row_items = [block[i] for i in index]
        inputs = (x,) if second_input is None else (x, second_input[start + np.array(index)])
        start += len(block)
        label = None if dataset == PRETRAIN else _labels_of(row_items)
        yield Rows(dataset=dataset, split=split, inputs=inputs, label=label, group=[item.group for item in row_items])


def build_images(
    workspace: Workspace, dataset: str, source: str, list_items: Callable[[Path], Listing], decode: Decode, count: int
) -> Iterator[Rows]:
    """Yield the rows of every split of a labelled dataset of images; the function of a `Part`, by `functools.partial`.

    Args:
        workspace: of the part.
        dataset: as in `Rows`.
        source: its key in `Workspace.sources`.
        list_items: lists the images of every split in the source's folder.
        decode: as for `decode_rows`.
        count: of the images that its publisher gives, in all splits.
    """
    listing = list_items(workspace.sources[source])
    found = sum(map(len, listing.values()))
    check_count(workspace, found, count)
    workspace.say(f"decoding {found:,} images of {dataset}")
    for split, items in listing.items():
        yield from decode_rows(dataset, split, items, decode)


def _labels_of(items: list[Item]) -> np.ndarray:
    several = isinstance(items[0].label, tuple)
    return np.array([item.label for item in items], dtype=np.int8 if several else np.int64)


def _decode_blocks(items: Iterable[Item], decode: Decode) -> Iterator[tuple[list[Item], np.ndarray, list[int]]]:
    """Decode blocks in order: in this process if there are few, else in worker processes."""
    blocks = _blocks_of(items)
    first = list(islice(blocks, SERIAL_BLOCKS + 1))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(first) <= SERIAL_BLOCKS or cores == 1:
        for block in chain(first, blocks):
            yield block, *_decode_block(block, decode)
        return
    yield from _decode_in_processes(chain(first, blocks), decode, min(cores, MAX_WORKERS))


def _decode_in_processes(
    blocks: Iterable[list[Item]], decode: Decode, workers: int
) -> Iterator[tuple[list[Item], np.ndarray, list[int]]]:
    # spawned, not forked: the parent may already run torch's threads
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start_worker, (os.getpid(),)) as pool:
        waiting: deque[tuple[list[Item], Future[DecodedBlock]]] = deque()
        try:
            for block in blocks:
                waiting.append((block, pool.submit(_decode_block, block, decode)))
                if len(waiting) > BLOCKS_AHEAD * workers:
                    done, future = waiting.popleft()
                    yield done, *future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, *future.result()
        except BrokenProcessPool:
            raise BuildError(
                f"one of {workers} decoding processes was killed, most likely because memory ran out. Close other "
                "programs, or run the command on fewer cores (taskset -c 0,1 dabs data prepare ...)."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _blocks_of(items: Iterable[Item]) -> Iterator[list[Item]]:
    remaining = iter(items)
    while block := list(islice(remaining, BLOCK_ITEMS)):
        yield block


def _start_worker(parent: int) -> None:
    """Let a worker end with its parent, and keep its libraries to one thread: there is one process per core."""
    end_on_signals()
    end_with(parent)
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


def _decode_block(block: list[Item], decode: Decode) -> DecodedBlock:
    parts = []
    for item in block:
        try:
            parts.append(decode(item))
        except Exception as error:  # decoders raise nearly anything; the user needs the name of the file
            name = item.source if isinstance(item.source, str) else item.group
            raise BuildError(
                f"{name} cannot be decoded ({type(error).__name__}: {error}). If it is missing or cut short, remove it "
                "and unpack its archive again, then run the same command."
            ) from None
    index = [i for i, part in enumerate(parts) for _ in range(len(part))]
    return np.concatenate(parts), index
