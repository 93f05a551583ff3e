"""One batch on several processes: drawn, and contrasted, as if one process held it.

A run on R processes splits each batch of G examples into R parts of B. Every process seeds its generators alike, draws
the random numbers of all G examples and keeps those of its own part; what an objective compares across examples is
gathered. Each process then computes the loss of the whole batch, and the mean of their gradients is its gradient: R
processes give the numbers of one. On one process every function here is the identity.

Inside `apart()` each process is on its own: it draws its own numbers, and its part is all it sees of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

_independent = False


def processes() -> int:
    """R, over how many processes a batch is spread."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Which of the R processes this is, from 0."""
    return distributed.get_rank() if processes() > 1 else 0


@contextmanager
def independent_processes(wanted: bool = True) -> Iterator[None]:
    """While open (and `wanted`), each process takes its part of a batch for the whole."""
    global _independent
    before, _independent = _independent, wanted
    try:
        yield
    finally:
        _independent = before


def together() -> bool:
    """Whether there are several processes that treat their parts as one batch."""
    return processes() > 1 and not _independent


def whole_batch(size: int) -> int:
    """G, the examples of the whole batch, where `size` is B, those of this process's part."""
    return size * processes() if together() else size


def own_examples(x_G: Tensor) -> Tensor:
    """(G, ...) -> (B, ...): the rows of this process's part."""
    return x_G.chunk(processes())[rank()] if together() else x_G


def gather_examples(x_B: Tensor) -> Tensor:
    """(B, ...) -> (G, ...): the rows of all processes, in order of rank; gradients find the way back."""
    if not together():
        return x_B
    from torch.distributed.nn.functional import all_gather

    return torch.cat(all_gather(x_B))  # type: ignore[no-untyped-call]


def dropout(x_B: Tensor, p: float, training: bool) -> Tensor:
    """`F.dropout` with this process's rows of the mask that one process would draw for the whole batch."""
    if not together() or not training or p == 0:
        return F.dropout(x_B, p, training)
    ones_G = x_B.new_ones(whole_batch(len(x_B)), *x_B.shape[1:])
    return x_B * own_examples(F.dropout(ones_G, p))
