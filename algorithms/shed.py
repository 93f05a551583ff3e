"""ShED, shuffled embedding detection: move some embeddings, and find which moved.

Tamkin et al., DABS, NeurIPS 2021; after ELECTRA (Clark et al. 2020). A constant answer is right for 85 % of the
positions, so balanced accuracy is logged beside the loss. Equal embeddings that exchange places cannot be told.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples, own_examples, whole_batch
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.specs import Batch, total_embeddings


def shuffle(x_BND: Tensor, chosen_BN: Tensor, order_BN: Tensor) -> Tensor:
    """Let each example's chosen embeddings exchange places in one cycle.

    Args:
        x_BND: embeddings.
        chosen_BN: bool, which positions take part.
        order_BN: for each example a permutation of its positions, chosen ones first, in the order of the cycle: each
            takes the embedding of the one before it, the first that of the last.
    """
    count_B1 = chosen_BN.sum(dim=1, keepdim=True)
    place_BN = torch.arange(x_BND.shape[1], device=x_BND.device).expand_as(order_BN)
    before_BN = torch.where(place_BN < count_B1, (place_BN - 1) % count_B1.clamp(min=1), place_BN)
    source_BN = torch.empty_like(order_BN).scatter_(1, order_BN, order_BN.gather(1, before_BN))
    return x_BND.gather(1, source_BN[:, :, None].expand_as(x_BND))


class ShED(Algorithm):
    """Binary classification of every position: was its embedding moved?

    Args:
        corruption_rate: share of the (unpadded) positions that are moved, rounded up to at least two.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, corruption_rate: float = 0.15) -> None:
        super().__init__(encoder)
        if not 0 < corruption_rate <= 1:
            raise RequestError(f"corruption_rate must be above 0 and at most 1, not {corruption_rate}")
        self.corruption_rate = corruption_rate
        self.embeddings = total_embeddings(encoder.specs)
        self.head = nn.Linear(encoder.width, 2)

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> tuple[Tensor, Tensor]:
        """Which positions move, bool (B, N), and the order of each example's cycle, int64 (B, N)."""
        b, n, _ = x_BND.shape
        noise_BN = own_examples(torch.rand(whole_batch(b), n)).to(x_BND.device)
        if mask_BN is None:
            real_B1 = torch.full((b, 1), n, device=x_BND.device)
        else:
            noise_BN = noise_BN.masked_fill(~mask_BN, 2.0)  # padding comes last and is never chosen
            real_B1 = mask_BN.sum(dim=1, keepdim=True)
        count_B1 = self._moved(real_B1)
        order_BN = noise_BN.argsort(dim=1)
        first_BN = torch.arange(n, device=x_BND.device).expand(b, n) < count_B1
        return torch.zeros_like(first_BN).scatter_(1, order_BN, first_BN), order_BN

    def _moved(self, real_B1: Tensor) -> Tensor:
        """How many of an example's real embeddings move: at least two, and none where there is but one."""
        return (self.corruption_rate * real_B1).ceil().long().clamp(min=2) * (real_B1 > 1)

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """The share of moved embeddings as the probability, everywhere."""
        if batch.mask is None:
            real_B1 = torch.full((len(batch), 1), self.embeddings)
        else:
            real_B1 = batch.mask.sum(dim=1, keepdim=True)
        p = float(self._moved(real_B1).sum() / real_B1.sum())
        loss = -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)
        return {"loss": loss, "balanced_accuracy": 0.5}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs accuracy and balanced accuracy over the real positions."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(encoder, x_BND, batch.mask, *self.draw(x_BND, batch.mask))

    def loss_of(
        self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None, moved_BN: Tensor, order_BN: Tensor
    ) -> dict[str, Tensor]:
        """The loss for given draws. Padded positions take part neither in the shuffle nor in the loss."""
        tokens_BSD = encoder.encode(shuffle(x_BND, moved_BN, order_BN), mask_BN)
        logits, target = gather_examples(self.head(tokens_BSD[:, 1:]).float()), gather_examples(moved_BN)
        if mask_BN is not None:
            real = gather_examples(mask_BN)
            logits, target = logits[real], target[real]
        logits, target = logits.reshape(-1, 2), target.reshape(-1)
        right = logits.argmax(dim=1) == target
        found = [(right & (target == side)).sum() / (target == side).sum().clamp(min=1) for side in (False, True)]
        return {
            "loss": F.cross_entropy(logits, target.long()),
            "accuracy": right.float().mean(),
            "balanced_accuracy": (found[0] + found[1]) / 2,
        }
