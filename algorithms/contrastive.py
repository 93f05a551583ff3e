"""Contrastive learning: SimCLR's NT-Xent with views that every input has.

Chen et al., A simple framework for contrastive learning of visual representations, ICML 2020. The two views of an
example are its two halves: the first and the second half of a series or text, the left and right or the upper and lower
half of an image. Each keeps its positions and is encoded alone. What all of a view's embeddings share is subtracted, so
that a pair is not recognised by its brightness or offset alone. The views are this project's choice, not the DABS
paper's: they need no augmentation that knows the domain. docs/protocol.md lists what else was tried.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples, own_examples, whole_batch
from dabs.encoder import Encoder
from dabs.specs import Batch, Image


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


class Contrastive(Algorithm):
    """Find the other half of the same example among halves of all others.

    Args:
        temperature: divides the cosine similarities.
        projection: output width of the two-layer head that is dropped after pretraining.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, temperature: float = 0.2, projection: int = 128) -> None:
        super().__init__(encoder)
        self.temperature = temperature
        self.specs = encoder.specs
        self.head = nn.Sequential(
            nn.Linear(encoder.width, encoder.width), nn.ReLU(), nn.Linear(encoder.width, projection)
        )

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """Which positions are in the second half, bool (B, N). An image is cut across or down, by chance."""
        b, n, _ = x_BND.shape
        down_B1 = own_examples(torch.rand(whole_batch(b), 1)).to(x_BND.device) < 0.5
        parts, start = [], 0
        for spec in self.specs:
            count = min(spec.embeddings, n - start)  # trailing padding is cut off
            place = torch.arange(count, device=x_BND.device)
            if isinstance(spec, Image):
                rows, columns = spec.height // spec.patch, spec.width // spec.patch
                below, right = place // columns >= (rows + 1) // 2, place % columns >= (columns + 1) // 2
                parts.append(torch.where(down_B1, below, right))
            elif mask_BN is None:
                parts.append((place >= (count + 1) // 2).expand(b, -1))
            else:
                real_B1 = mask_BN[:, start : start + count].sum(dim=1, keepdim=True)
                parts.append(place >= (real_B1 + 1) // 2)
            start += count
        return torch.cat(parts, dim=1)

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs how often the partner is the nearest."""
        x_BND = encoder.embed(batch.inputs)
        second_BN = self.draw(x_BND, batch.mask)
        u_BK, v_BK = (self._view(encoder, x_BND, batch.mask, half_BN) for half_BN in (~second_BN, second_BN))
        loss, accuracy = nt_xent(gather_examples(u_BK), gather_examples(v_BK), self.temperature)
        return {"loss": loss, "accuracy": accuracy}

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """All views alike: each of the others is as likely."""
        others = 2 * whole_batch(len(batch)) - 1
        return {"loss": math.log(others), "accuracy": 1 / others}

    def _view(self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None, half_BN: Tensor) -> Tensor:
        """Project the features of the chosen positions, (B, projection)."""
        own_BN = half_BN if mask_BN is None else half_BN & mask_BN
        # the chosen positions in order, then others, which are masked out
        index_Bn = (~own_BN).long().argsort(dim=1, stable=True)[:, : self._largest_half(x_BND.shape[1])]
        mask_Bn = own_BN.gather(1, index_Bn)
        part_BnD = x_BND.gather(1, index_Bn[:, :, None].expand(-1, -1, x_BND.shape[2]))
        weight_Bn1 = mask_Bn[:, :, None].to(part_BnD.dtype)
        mean_B1D = (part_BnD * weight_Bn1).sum(dim=1, keepdim=True) / weight_Bn1.sum(dim=1, keepdim=True).clamp(min=1)
        tokens = encoder.encode(part_BnD - mean_B1D, mask_Bn, index_Bn)
        return self.head(encoder.pool(tokens, mask_Bn))  # type: ignore[no-any-return]

    def _largest_half(self, n: int) -> int:
        """How many positions a half of n embeddings has at most."""
        size, start = 0, 0
        for spec in self.specs:
            count = min(spec.embeddings, n - start)
            half = (count + 1) // 2
            if isinstance(spec, Image):
                rows, columns = spec.height // spec.patch, spec.width // spec.patch
                half = max((rows + 1) // 2 * columns, (columns + 1) // 2 * rows)
            size, start = size + half, start + count
        return size
