"""Treat a batch that several processes share as if one process held it.

A run on R processes splits each batch of G examples into R parts of B. Every process seeds its generators identically,
draws the random numbers for all G examples and keeps those for its own part. What an objective compares across examples
is gathered from all processes. Each process thus computes the loss of the whole batch, and the mean of their gradients
is the gradient of that loss: R processes compute the same numbers as one. On one process, sharing and gathering are the
identity.

The functions `draw_...` draw what many objectives need, random positions of each example, in that way. Padding is never
drawn in place of a real position.

Inside `independent_processes()` each process draws its own random numbers and treats its part as the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor, distributed
from torch.nn import functional as F

_independent = False


def processes() -> int:
    """Return R, the number of processes that share a batch."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def rank() -> int:
    """Return which of the R processes this is, counting from 0."""
    return distributed.get_rank() if processes() > 1 else 0


@contextmanager
def independent_processes(wanted: bool = True) -> Iterator[None]:
    """Let each process treat its part of a batch as the whole while the block runs, if `wanted`."""
    global _independent
    before, _independent = _independent, wanted
    try:
        yield
    finally:
        _independent = before


def share_batch() -> bool:
    """Return whether there are several processes that treat their parts as one batch."""
    return processes() > 1 and not _independent


def whole_batch(size: int) -> int:
    """Return G, the size of the whole batch, where `size` is B, the size of this process's part."""
    return size * processes() if share_batch() else size


def own_examples(x_G: Tensor) -> Tensor:
    """Return this process's rows of the whole batch, (G, ...) -> (B, ...)."""
    return x_G.chunk(processes())[rank()] if share_batch() else x_G


def gather_examples(x_B: Tensor) -> Tensor:
    """Return the rows of all processes in order of rank, (B, ...) -> (G, ...); gradients flow back to each process."""
    if not share_batch():
        return x_B
    from torch.distributed.nn.functional import all_gather

    x_G = torch.cat(all_gather(x_B))  # type: ignore[no-untyped-call]
    if x_G.requires_grad:
        # gloo sends parts of another layout, such as a transposed one, wrongly
        x_G.register_hook(Tensor.contiguous)  # type: ignore[no-untyped-call]
    return x_G


def count_real(x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
    """Return how many of an example's positions are no padding, int64 (B, 1)."""
    if mask_BN is None:
        return torch.full((len(x_BND), 1), x_BND.shape[1], device=x_BND.device)
    return mask_BN.sum(dim=1, keepdim=True)


def draw_order(x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
    """Return a random permutation of each example's positions, padding last, int64 (B, N)."""
    b, n, _ = x_BND.shape
    noise_BN = own_examples(torch.rand(whole_batch(b), n)).to(x_BND.device)
    return (noise_BN if mask_BN is None else noise_BN.masked_fill(~mask_BN, 2.0)).argsort(dim=1)


def draw_share(x_BND: Tensor, mask_BN: Tensor | None, share: float) -> Tensor:
    """Return a share of each example's real positions, rounded up, bool (B, N)."""
    order_BN = draw_order(x_BND, mask_BN)
    first_BN = torch.arange(x_BND.shape[1], device=x_BND.device) < (share * count_real(x_BND, mask_BN)).ceil()
    return torch.zeros_like(first_BN).scatter_(1, order_BN, first_BN)


def draw_centred_half(x_BND: Tensor, mask_BN: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
    """Return a random half of each example's embeddings less their mean, as `algorithms/contrastive.py` does.

    Returns:
        The embeddings, fp32 (B, N / 2, D), N / 2 rounded up; which of them are real, bool (B, N / 2), None if all are;
        and the positions they come from, int64 (B, N / 2), for `Encoder.encode`.
    """
    # every second place of the order halves the real positions of short texts too
    index_Bn = draw_order(x_BND, mask_BN)[:, 0::2]
    part_BnD = x_BND.gather(1, index_Bn[:, :, None].expand(-1, -1, x_BND.shape[2])).float()
    mask_Bn = None if mask_BN is None else mask_BN.gather(1, index_Bn)
    weight_Bn = part_BnD.new_ones(index_Bn.shape) if mask_Bn is None else mask_Bn.float()
    weight_Bn = weight_Bn / weight_Bn.sum(dim=1, keepdim=True).clamp(min=1)
    return part_BnD - (part_BnD * weight_Bn[:, :, None]).sum(dim=1, keepdim=True), mask_Bn, index_Bn


def dropout(x_B: Tensor, p: float, training: bool) -> Tensor:
    """Apply `F.dropout` with this process's rows of the mask that one process would draw for the whole batch.

    On a CPU, `F.dropout` spends most of its time on random numbers, and this draws fewer of them.
    """
    if not training or p == 0:
        return x_B
    shape = (whole_batch(len(x_B)), *x_B.shape[1:])
    if x_B.device.type == "cpu" and not torch.compiler.is_compiling():
        return x_B * own_examples(_dropout_mask(shape, p, x_B.dtype))
    if not share_batch():
        return F.dropout(x_B, p)
    return x_B * own_examples(F.dropout(x_B.new_ones(shape), p))


def _dropout_mask(shape: tuple[int, ...], p: float, dtype: torch.dtype) -> Tensor:
    """Return zeros with probability p, rounded to 1/65536, and 1 / (1 - p) elsewhere; 16 random bits make a value."""
    size, dropped = prod(shape), min(round(p * 65536), 65535)
    words = torch.empty(-(-size // 4), dtype=torch.int64).random_(-(2**63), None)
    kept = words.view(torch.int16)[:size].view(shape) >= dropped - 32768
    return kept.to(dtype).mul_(65536 / (65536 - dropped))
