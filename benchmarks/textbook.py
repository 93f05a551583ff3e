"""A training step as textbooks write it; the fast step must agree with it.

Attention by einsum over materialised scores, torch's dropout, AdamW one parameter after the other: this is how the
reference implementation computes a step (Tamkin et al. 2021), here with this project's parameters and algorithms.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.bench.step import TrainingStep
from dabs.encoder import Attention, Block, EncoderConfig, Rotation, rotate
from dabs.specs import Specs
from dabs.training.step import CLIP_NORM


def attention(self: Attention, x_BSD: Tensor, mask_B11S: Tensor | None, rotation: Rotation | None = None) -> Tensor:
    """Compute `Attention.forward` with every score in memory."""
    b, s, _ = x_BSD.shape
    q, k, v = self.qkv(x_BSD).reshape(b, s, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
    if rotation is not None:
        q, k = rotate(q, rotation), rotate(k, rotation)
    dots_BHSS = torch.einsum("bhik,bhjk->bhij", q, k) * q.shape[-1] ** -0.5
    if mask_B11S is not None:
        dots_BHSS = dots_BHSS.masked_fill(~mask_B11S, float("-inf"))
    y_BHSK = torch.einsum("bhij,bhjk->bhik", dots_BHSS.softmax(dim=-1), v)
    y_BSD = self.out(y_BHSK.transpose(1, 2).reshape(b, s, -1))
    return F.dropout(y_BSD, self.dropout, self.training)


def block(self: Block, x_BSD: Tensor, mask_B11S: Tensor | None, rotation: Rotation | None = None) -> Tensor:
    """Compute `Block.forward` with torch's dropout."""
    x_BSD = x_BSD + self.attention(self.norm1(x_BSD), mask_B11S, rotation)
    hidden = F.dropout(F.gelu(self.up(self.norm2(x_BSD))), self.dropout, self.training)
    return x_BSD + F.dropout(self.down(hidden), self.dropout, self.training)


class TextbookStep(TrainingStep):
    """A `TrainingStep` written this way; `precision` "bf16" runs the same code under autocast."""

    def __init__(
        self, specs: Specs, algorithm: type[Algorithm], config: EncoderConfig, size: int, **options: Any
    ) -> None:
        super().__init__(specs, algorithm, config, size, **options)
        for part in self.objective.encoder.blocks:
            part.forward = MethodType(block, part)
            part.attention.forward = MethodType(attention, part.attention)  # type: ignore[union-attr]
        self.optimizer = torch.optim.AdamW(self.objective.parameters(), lr=1e-4, weight_decay=1e-4, foreach=False)

    def __call__(self) -> None:
        """Take one step: forward, backward, clipping, AdamW. Denormal numbers are not flushed to zero."""
        self.loss(self.batch).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.objective.parameters(), CLIP_NORM, foreach=False)
        self.optimizer.step()
        self.optimizer.zero_grad()
