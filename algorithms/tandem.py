"""Tandem: find moved embeddings, and match the example with a half of itself.

Two losses share one pass over the shuffled example. Its tokens are classified as moved or not, as in ShED (Tamkin et
al., DABS, NeurIPS 2021), which trains what a position says about its surroundings. Its pooled vector is compared with
that of a random half of the same example by NT-Xent (Chen et al., ICML 2020), as in `contrastive`, which trains what
the example is about. Each loss is divided by what a constant answer scores, so that one weight means the same whatever
the input. This combination is the project's own (docs/experiments/own-objective).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import count_real, draw_centred_half, draw_order, gather_examples
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.specs import Batch

EPSILON = 1e-6  # of the share of moved embeddings, which is zero where all embeddings are equal


class Tandem(Algorithm):
    """Classify every position as moved or not, and find each example's half among those of all others.

    Args:
        corruption_rate: share of the (unpadded) positions that change places, rounded up to at least two.
        weight: of the loss of pooled vectors; that of positions has one.
        temperature: divides the cosine similarities.
        projection: output width of the two-layer head that is dropped after pretraining.
    """

    gathers = True

    def __init__(
        self,
        encoder: Encoder,
        *,
        corruption_rate: float = 0.3,
        weight: float = 0.3,
        temperature: float = 0.2,
        projection: int = 128,
    ) -> None:
        super().__init__(encoder)
        if not 0 < corruption_rate <= 1:
            raise RequestError(f"corruption_rate must be above 0 and at most 1, not {corruption_rate}")
        self.corruption_rate, self.weight, self.temperature = corruption_rate, weight, temperature
        self.head = nn.Linear(encoder.width, 2)
        self.projector = nn.Sequential(
            nn.Linear(encoder.width, encoder.width), nn.ReLU(), nn.Linear(encoder.width, projection)
        )

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """The place that each position takes its embedding from, int64 (B, N): its own where nothing moves.

        The chosen positions of an example pass their embeddings on in one random cycle.
        """
        order_BN, real_B1 = draw_order(x_BND, mask_BN), count_real(x_BND, mask_BN)
        count_B1 = (self.corruption_rate * real_B1).ceil().long().clamp(min=2) * (real_B1 > 1)
        place_BN = torch.arange(x_BND.shape[1], device=x_BND.device).expand_as(order_BN)
        before_BN = torch.where(place_BN < count_B1, (place_BN - 1) % count_B1.clamp(min=1), place_BN)
        return torch.empty_like(order_BN).scatter_(1, order_BN, order_BN.gather(1, before_BN))

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """The share of moved embeddings as the probability everywhere, and all vectors alike."""
        return {"loss": 1 + self.weight}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs both parts, each 1 for a constant answer, and how often each is right."""
        x_BND, mask_BN = encoder.embed(batch.inputs), batch.mask
        source_BN = self.draw(x_BND, mask_BN)
        shuffled_BND = x_BND.gather(1, source_BN[:, :, None].expand_as(x_BND))
        moved_BN = (shuffled_BND != x_BND).any(dim=2)  # equal embeddings that exchange places cannot be told
        tokens_BSD = encoder.encode(shuffled_BND, mask_BN)
        half_BnD, half_mask_Bn, index_Bn = draw_centred_half(x_BND, mask_BN)
        half_BD = encoder.pool(encoder.encode(half_BnD, half_mask_Bn, index_Bn), half_mask_Bn)
        detection = self._detection(tokens_BSD[:, 1:], moved_BN, mask_BN)
        contrast = self._contrast(encoder.pool(tokens_BSD, mask_BN), half_BD)
        return {"loss": detection["detection"] + self.weight * contrast["contrast"], **detection, **contrast}

    def _detection(self, tokens_BND: Tensor, moved_BN: Tensor, mask_BN: Tensor | None) -> dict[str, Tensor]:
        """The cross-entropy over real positions, over that of the share of moved ones; and the balanced accuracy."""
        logits, target = gather_examples(self.head(tokens_BND).float()), gather_examples(moved_BN)
        if mask_BN is not None:
            real_GN = gather_examples(mask_BN)
            logits, target = logits[real_GN], target[real_GN]
        logits, target = logits.reshape(-1, 2), target.reshape(-1)
        share = target.float().mean().clamp(EPSILON, 1 - EPSILON)
        entropy = -(share * share.log() + (1 - share) * (1 - share).log())
        right = logits.argmax(dim=1) == target
        found = [(right & (target == side)).sum() / (target == side).sum().clamp(min=1) for side in (False, True)]
        loss = F.cross_entropy(logits, target.long()) / entropy
        return {"detection": loss, "balanced_accuracy": (found[0] + found[1]) / 2}

    def _contrast(self, whole_BD: Tensor, half_BD: Tensor) -> dict[str, Tensor]:
        """NT-Xent over its value for vectors that are all alike; and the share of partners that are the nearest."""
        u_GK, v_GK = gather_examples(self.projector(whole_BD)), gather_examples(self.projector(half_BD))
        # similarities of many examples differ by less than bf16 resolves
        with torch.autocast(u_GK.device.type, enabled=False):
            z = F.normalize(torch.cat([u_GK, v_GK]).float(), dim=1)
            logits = (z @ z.T / self.temperature).fill_diagonal_(float("-inf"))
            target = torch.arange(len(z), device=z.device).roll(len(u_GK))
            loss = F.cross_entropy(logits, target) / math.log(len(z) - 1)
            return {"contrast": loss, "partner_accuracy": (logits.argmax(dim=1) == target).float().mean()}
