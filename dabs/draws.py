"""Random positions of each example, the same on any number of processes.

Padding is never drawn in place of a real position.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dabs.distributed import own_examples, whole_batch


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
