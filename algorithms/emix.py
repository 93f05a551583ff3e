"""e-Mix: mix embeddings, and find the examples that are in the mixture.

Tamkin et al., DABS, NeurIPS 2021; after i-Mix (Lee et al. 2021, arXiv 2010.08887). The reference implementation
multiplies a (B, 1, 1) coefficient with (B,) losses, so that mixing weights never meet their own examples; here they do,
as in i-Mix.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples, own_examples, whole_batch
from dabs.encoder import Encoder
from dabs.specs import Batch


def mixed_cross_entropy(logits_BB: Tensor, lam_B: Tensor, partner_B: Tensor) -> Tensor:
    """mean_b( lam_b CE(logits_b, b) + (1 - lam_b) CE(logits_b, partner_b) ), a scalar."""
    own_B = torch.arange(len(logits_BB), device=logits_BB.device)
    log_p_BB = logits_BB.float().log_softmax(dim=1)
    own, partner = log_p_BB[own_B, own_B], log_p_BB[own_B, partner_B]
    return -(lam_B * own + (1 - lam_B) * partner).mean()


class EMix(Algorithm):
    """Contrast a mixture of two examples' embeddings with the unmixed examples of the batch.

    Args:
        temperature: divides the cosine similarities.
        alpha: the mixing coefficient is drawn from Beta(alpha, alpha), then made at least one half.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, temperature: float = 0.2, alpha: float = 1.0) -> None:
        super().__init__(encoder)
        self.temperature = temperature
        self.alpha = alpha

    def draw(self, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """For a batch of this size the mixing coefficients in [1/2, 1] and each example's partner, (size,) both."""
        alpha = torch.full((size,), self.alpha)
        lam_B = torch.distributions.Beta(alpha, alpha).sample()
        return torch.maximum(lam_B, 1 - lam_B).to(device), torch.randperm(size).to(device)

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs how often the larger part is found."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(encoder, x_BND, batch.mask, *self.draw(whole_batch(len(x_BND)), x_BND.device))

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """All examples alike: each is as likely as every other."""
        size = whole_batch(len(batch))
        return {"loss": math.log(size), "accuracy": 1 / size}

    def loss_of(
        self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None, lam_G: Tensor, partner_G: Tensor
    ) -> dict[str, Tensor]:
        """The loss for given draws. A mixture is padding only where both of its parts are.

        G examples are the batch over all processes, where partners and negatives come from; B of them are this one's.
        """
        weight_B11, partner_B = own_examples(lam_G)[:, None, None].to(x_BND.dtype), own_examples(partner_G)
        # A padded place of one part adds nothing: its embedding counts as zero in the mixture.
        real_BND = x_BND if mask_BN is None else x_BND * mask_BN[:, :, None]
        mixed_BND = weight_B11 * real_BND + (1 - weight_B11) * gather_examples(real_BND.detach())[partner_B]
        mixed_mask = None if mask_BN is None else mask_BN | gather_examples(mask_BN)[partner_B]
        u_BK, v_BK = self._view(encoder, mixed_BND, mixed_mask), self._view(encoder, x_BND, mask_BN)
        # the similarities of 64 examples need more digits than bf16 has
        with torch.autocast(u_BK.device.type, enabled=False):
            logits_GG = gather_examples(u_BK) @ gather_examples(v_BK).T / self.temperature
        accuracy = (logits_GG.argmax(dim=1) == torch.arange(len(logits_GG), device=logits_GG.device)).float().mean()
        return {"loss": mixed_cross_entropy(logits_GG, lam_G, partner_G), "accuracy": accuracy}

    @staticmethod
    def _view(encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """Unit vectors (B, projection) of a batch of embeddings."""
        projected = encoder.project(encoder.pool(encoder.encode(x_BND, mask_BN), mask_BN))
        return F.normalize(projected.float(), dim=1)
