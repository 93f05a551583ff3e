"""From a list of files to blocks of rows: decoded by a pool of processes, in order, a few blocks ahead and no more."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, BuildError, Rows, Workspace

BLOCK = 64  # items a process decodes at a time: 9.6 MB of 224×224 pictures
FEW = 16  # blocks; up to so many are decoded sooner than processes have started and imported what they need
MOST = 16  # processes; each takes some 300 MB where it needs torch
AHEAD = 2  # blocks a process may be ahead of what is written
SHARE = 0.1  # of the training units, put aside for validation where the publisher has no such split


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One example before it is decoded.

    Attributes:
        source: path of its file, or the picture itself, uint8 (height, width, 3), where many share a file.
        group: what must not stand on two sides of the splits.
        label: class, or 0 and 1 for each finding; None where only pretraining uses it.
        box: left, upper, right, lower (exclusive) pixels to cut out, where the set says where the object is.
        text: what stands beside a picture: a caption, or a question and an answer.
    """

    source: str | np.ndarray
    group: str
    label: int | tuple[int, ...] | None = None
    box: tuple[int, int, int, int] | None = None
    text: tuple[str, ...] = ()


Listing = dict[str, list[Item]]  # by split
Decode = Callable[[Item], np.ndarray]  # gives (k, *shape): an item may give several rows


def rows(
    dataset: str, split: str, items: Iterable[Item], decode: Decode, beside: np.ndarray | None = None
) -> Iterator[Rows]:
    """The rows of a split in the order of its items.

    Args:
        dataset, split: as in `Rows`; labels are left out of `PRETRAIN`.
        items: read as they are needed, so that millions may come from a generator.
        decode: a function of a module (worker processes import it), or a `functools.partial` of one.
        beside: the second input of every item, (items, *shape), for domains that have two.

    Raises:
        BuildError: a file cannot be decoded.
    """
    start = 0  # of the block among the items
    for block, x, index in _decoded(items, decode):
        shown = [block[i] for i in index]
        inputs = (x,) if beside is None else (x, beside[start + np.array(index)])
        start += len(block)
        label = None if dataset == PRETRAIN else _labels(shown)
        yield Rows(dataset=dataset, split=split, inputs=inputs, label=label, group=[item.group for item in shown])


def _labels(items: list[Item]) -> np.ndarray:
    several = isinstance(items[0].label, tuple)
    return np.array([item.label for item in items], dtype=np.int8 if several else np.int64)


Decoded = tuple[np.ndarray, list[int]]  # rows of a block, and which item each belongs to


def _decoded(items: Iterable[Item], decode: Decode) -> Iterator[tuple[list[Item], np.ndarray, list[int]]]:
    """Blocks in order. Few items are decoded here; for more, processes are worth their start."""
    blocks = _blocks(items)
    first = list(islice(blocks, FEW + 1))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(first) <= FEW or cores == 1:
        for block in chain(first, blocks):
            yield block, *_decode_block(block, decode)
        return
    yield from _decoded_by_processes(chain(first, blocks), decode, min(cores, MOST))


def _decoded_by_processes(
    blocks: Iterable[list[Item]], decode: Decode, workers: int
) -> Iterator[tuple[list[Item], np.ndarray, list[int]]]:
    # spawned, not forked: the parent may hold the threads of torch
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread) as pool:
        waiting: deque[tuple[list[Item], Future[Decoded]]] = deque()
        try:
            for block in blocks:
                waiting.append((block, pool.submit(_decode_block, block, decode)))
                if len(waiting) > AHEAD * workers:
                    done, future = waiting.popleft()
                    yield done, *future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, *future.result()
        except BrokenProcessPool:
            raise BuildError(
                f"one of {workers} decoding processes was killed, most often for want of memory. Close other programs "
                "or give the command fewer cores (taskset -c 0,1 dabs data prepare ...), then run it again."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def _blocks(items: Iterable[Item]) -> Iterator[list[Item]]:
    left = iter(items)
    while block := list(islice(left, BLOCK)):
        yield block


def _one_thread() -> None:
    """A process a core is enough: the libraries' own threads would get in each other's way."""
    os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


def _decode_block(block: list[Item], decode: Decode) -> Decoded:
    parts = []
    for item in block:
        try:
            parts.append(decode(item))
        except Exception as error:  # decoders raise nearly anything; what the user needs is the file's name
            name = item.source if isinstance(item.source, str) else item.group
            raise BuildError(
                f"{name} cannot be decoded ({type(error).__name__}: {error}). If it is missing or cut short, remove it "
                "and unpack its archive again, then run the same command."
            ) from None
    index = [i for i, part in enumerate(parts) for _ in range(len(part))]
    return np.concatenate(parts), index


def carve(items: Sequence[Item], share: float = SHARE) -> tuple[list[Item], list[Item]]:
    """The items that stay and those put aside, both in their order.

    A `share` of the units (groups) of each class, at least one of a class that has two or more, those whose names have
    the lowest hashes: the same on every machine. Items with several findings, or without a label, are one class.
    """
    by_class: dict[object, set[str]] = {}
    for item in items:
        by_class.setdefault(item.label if isinstance(item.label, int) else None, set()).add(item.group)
    aside: set[str] = set()
    for groups in by_class.values():
        ordered = sorted(groups, key=lambda group: sha256(group.encode()).digest())
        count = max(round(share * len(ordered)), 1) if len(ordered) > 1 else 0
        aside.update(ordered[:count])
    return [i for i in items if i.group not in aside], [i for i in items if i.group in aside]


def listing(train: Sequence[Item], validation: Sequence[Item] | None, test: Sequence[Item]) -> Listing:
    """The splits of a task, after a look that nothing tested stands elsewhere; `carve` makes a missing validation.

    Raises:
        BuildError: a split is empty, or a unit of the test split is in another.
    """
    parts = carve(train) if validation is None else (train, validation)
    found = dict(zip((TRAIN, VALIDATION, TEST), map(list, (*parts, test)), strict=True))
    for split, items in found.items():
        if not items:
            raise BuildError(f"the {split} split is empty: its files or its list are missing or cut short.")
    tested = {item.group for item in found[TEST]}
    for split in (TRAIN, VALIDATION):
        shared = tested & {item.group for item in found[split]}
        if shared:
            raise BuildError(f"{len(shared)} units stand in {split} and in test, e.g. {min(shared)!r}.")
    return found


def check_count(workspace: Workspace, found: int, published: int) -> None:
    """Note where a copy has not as many files as its publisher counts: many sets are whatever lies in a folder."""
    if found != published:
        workspace.notes.append(
            f"of the publisher's {published:,} files {found:,} are here; numbers made with them are of this copy alone."
        )


def task_rows(dataset: str, found: Listing, decode: Decode) -> Iterator[Rows]:
    """The rows of every split of a task."""
    for split, items in found.items():
        yield from rows(dataset, split, items, decode)
