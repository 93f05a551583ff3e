"""Contrastive learning: SimCLR's NT-Xent with views that every input has.

Chen et al., A simple framework for contrastive learning of visual representations, ICML 2020. Each of an example's two
views is a random half of its embeddings, drawn independently of the other view, each keeping its position and encoded
alone. What all embeddings of a view share is subtracted, so that a pair is not recognised by its brightness or offset
alone. The views are this project's choice, not the DABS paper's: they need no augmentation that knows the domain, and
shorter sequences make them cheaper than two passes over the whole input. docs/protocol.md lists what else was tried.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples, own_examples, whole_batch
from dabs.encoder import Encoder
from dabs.specs import Batch


def nt_xent(u_BK: Tensor, v_BK: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Normalised temperature-scaled cross-entropy over 2B views, each other view of the batch but itself a candidate.

    Similarities are computed in fp32 also under autocast: those of many views differ by less than bf16 resolves.

    Returns:
        The scalar loss and the share of views whose partner is the most similar.
    """
    with torch.autocast(u_BK.device.type, enabled=False):
        z = F.normalize(torch.cat([u_BK, v_BK]).float(), dim=1)
        logits = (z @ z.T / temperature).fill_diagonal_(float("-inf"))
        target = torch.arange(len(z), device=z.device).roll(len(u_BK))
        return F.cross_entropy(logits, target), (logits.argmax(dim=1) == target).float().mean()


def centred(x_BnD: Tensor, mask_Bn: Tensor | None) -> Tensor:
    """Subtract the mean of each example's real embeddings, in fp32 also under autocast."""
    x_BnD = x_BnD.float()  # differences of bf16 embeddings, which resolve to 1/256 of their size, would lose digits
    if mask_Bn is None:
        return x_BnD - x_BnD.mean(dim=1, keepdim=True)
    weight_Bn1 = mask_Bn[:, :, None].to(x_BnD.dtype)
    return x_BnD - (x_BnD * weight_Bn1).sum(dim=1, keepdim=True) / weight_Bn1.sum(dim=1, keepdim=True).clamp(min=1)


class Contrastive(Algorithm):
    """Recognise another half of the same example among halves of all others.

    Args:
        temperature: divides the cosine similarities.
        projection: output width of the two-layer head that is dropped after pretraining.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, temperature: float = 0.2, projection: int = 128) -> None:
        super().__init__(encoder)
        self.temperature = temperature
        self.head = nn.Sequential(
            nn.Linear(encoder.width, encoder.width), nn.ReLU(), nn.Linear(encoder.width, projection)
        )

    @staticmethod
    def draw(x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """A random half of each example's positions, (B, N / 2) rounded up; padding only where real ones are too few.

        In an example of n real positions, half of them are drawn, and at least one.
        """
        b, n, _ = x_BND.shape
        noise_BN = own_examples(torch.rand(whole_batch(b), n)).to(x_BND.device)
        if mask_BN is not None:
            noise_BN = noise_BN.masked_fill(~mask_BN, 2.0)
        # taking every second place of the order halves the real positions, also of short padded texts
        return noise_BN.argsort(dim=1)[:, 0::2]

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs how often the partner is the nearest."""
        x_BND = encoder.embed(batch.inputs)
        u_BK, v_BK = (self._view(encoder, x_BND, batch.mask, self.draw(x_BND, batch.mask)) for _ in range(2))
        loss, accuracy = nt_xent(gather_examples(u_BK), gather_examples(v_BK), self.temperature)
        return {"loss": loss, "accuracy": accuracy}

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """All views alike: each of the others is as likely."""
        others = 2 * whole_batch(len(batch)) - 1
        return {"loss": math.log(others), "accuracy": 1 / others}

    def _view(self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None, index_Bn: Tensor) -> Tensor:
        part_BnD = x_BND.gather(1, index_Bn[:, :, None].expand(-1, -1, x_BND.shape[2]))
        mask_Bn = None if mask_BN is None else mask_BN.gather(1, index_Bn)
        tokens = encoder.encode(centred(part_BnD, mask_Bn), mask_Bn, index_Bn)
        return self.head(encoder.pool(tokens, mask_Bn))  # type: ignore[no-any-return]
