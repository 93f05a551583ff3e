"""data2vec: predict at hidden places what a moving-average teacher says there.

Baevski et al., data2vec: a general framework for self-supervised learning in speech, vision and language, ICML 2022
(arXiv 2202.03555). The teacher reads the whole input. The target of a place is the mean of its outputs of the last
blocks, each standardised. The encoder reads the input with some embeddings replaced by a learned blank, and a linear
layer regresses the targets there, with the mean squared error.

Deviations: the teacher moves by 1 % in each step from the beginning; the paper's averages (0.999 to 0.9999) would
hardly leave the random initialisation within the few hundred steps of the lite suite. Hidden places are drawn one by
one, and one share serves all kinds of inputs, where the paper has one for each (0.15 to 0.6, in spans and blocks).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import draw_share, gather_examples
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.specs import Batch


class Data2Vec(Algorithm):
    """Regress the teacher's averaged blocks at hidden positions.

    Args:
        mask_rate: share of the (unpadded) positions that are hidden, rounded up.
        momentum: how much of the teacher stays in each step.
        top: how many of the last blocks are averaged (all, if there are fewer).
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, mask_rate: float = 0.5, momentum: float = 0.99, top: int = 3) -> None:
        super().__init__(encoder)
        if not 0 < mask_rate <= 1 or not 0 <= momentum <= 1 or top < 1:
            raise RequestError(
                f"mask_rate must be above 0 and at most 1, not {mask_rate}; momentum from 0 to 1, not {momentum}; and "
                f"top at least 1, not {top}"
            )
        self.mask_rate, self.momentum, self.top = mask_rate, momentum, top
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.blank = nn.Parameter(0.02 * torch.randn(encoder.width))
        self.head = nn.Linear(encoder.width, encoder.width)

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """Which positions are hidden, bool (B, N)."""
        return draw_share(x_BND, mask_BN, self.mask_rate)

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """The mean of the standardised outputs of the teacher's last blocks, standardised again, (B, N, D)."""
        self.teacher.eval()  # its dropout is off
        layers = list(self.teacher.layers(self.teacher.embed(batch.inputs), batch.mask))[-self.top :]
        width = (self.teacher.width,)
        mean_BND = torch.stack([F.layer_norm(x[:, 1:].float(), width) for x in layers]).mean(dim=0)
        return F.layer_norm(mean_BND, width)

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module."""
        x_BND = encoder.embed(batch.inputs)
        hidden_BN = self.draw(x_BND, batch.mask)
        seen_BND = torch.where(hidden_BN[:, :, None], self.blank.to(x_BND.dtype), x_BND)
        guess_BND = self.head(encoder.encode(seen_BND, batch.mask)[:, 1:]).float()
        error_BN = gather_examples((guess_BND - self.targets(batch)).square().mean(dim=2))
        hidden_BN = gather_examples(hidden_BN)
        return {"loss": (error_BN * hidden_BN).sum() / hidden_BN.sum().clamp(min=1)}

    def after_step(self, encoder: Encoder, step: int) -> None:
        """Move the teacher towards the encoder."""
        for kept, new in zip(self.teacher.parameters(), encoder.parameters(), strict=True):
            kept.lerp_(new, 1 - self.momentum)
