"""e-Mix: mix embeddings, and say how much of which example is in the mixture.

Tamkin et al., DABS, NeurIPS 2021; after i-Mix (Lee et al. 2021, arXiv 2010.08887). The reference implementation
multiplies a (B, 1, 1) coefficient with (B,) losses, so that mixing weights never meet their own examples; here they do,
as in i-Mix.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dabs.algorithm import Algorithm
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

    def __init__(self, encoder: Encoder, *, temperature: float = 0.2, alpha: float = 1.0) -> None:
        super().__init__(encoder)
        self.temperature = temperature
        self.alpha = alpha

    def draw(self, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """The mixing coefficients (B,) in [1/2, 1] and each example's partner (B,)."""
        alpha = torch.full((size,), self.alpha)
        lam_B = torch.distributions.Beta(alpha, alpha).sample()
        return torch.maximum(lam_B, 1 - lam_B).to(device), torch.randperm(size).to(device)

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs how often the larger part is found."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(encoder, x_BND, batch.mask, *self.draw(len(x_BND), x_BND.device))

    def loss_of(
        self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None, lam_B: Tensor, partner_B: Tensor
    ) -> dict[str, Tensor]:
        """The loss for given draws. A mixture is padding only where both of its parts are."""
        weight_B11 = lam_B[:, None, None].to(x_BND.dtype)
        # A padded place of one part adds nothing: its embedding counts as zero in the mixture.
        real_BND = x_BND if mask_BN is None else x_BND * mask_BN[:, :, None]
        mixed_BND = weight_B11 * real_BND + (1 - weight_B11) * real_BND[partner_B].detach()
        mixed_mask = None if mask_BN is None else mask_BN | mask_BN[partner_B]
        u_BK, v_BK = self._view(encoder, mixed_BND, mixed_mask), self._view(encoder, x_BND, mask_BN)
        logits_BB = u_BK @ v_BK.T / self.temperature
        accuracy = (logits_BB.argmax(dim=1) == torch.arange(len(logits_BB), device=logits_BB.device)).float().mean()
        return {"loss": mixed_cross_entropy(logits_BB, lam_B, partner_B), "accuracy": accuracy}

    @staticmethod
    def _view(encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """Unit vectors (B, projection) of a batch of embeddings."""
        projected = encoder.project(encoder.pool(encoder.encode(x_BND, mask_BN), mask_BN))
        return F.normalize(projected.float(), dim=1)
