"""VICReg: views agree, and features vary over the batch and are uncorrelated.

Bardes et al., VICReg: variance-invariance-covariance regularization, ICLR 2022 (arXiv 2105.04906). The loss is
25 * the mean squared difference of the views + 25 * the mean of what each dimension's deviation lacks to 1 + the sum of
the squared covariances of different dimensions over their number, for both views.

Deviations: a view is a random half of the embeddings, whose mean is subtracted, as in `contrastive`: it needs no
augmentation that knows the domain. The expander has two layers of the width of its output, with LayerNorm instead of
BatchNorm, whose statistics would differ between processes, and 512 outputs instead of 8,192.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import draw_centred_half, gather_examples
from dabs.encoder import Encoder
from dabs.specs import Batch

EPSILON = 1e-4  # of the variances


def spread(z_GK: Tensor) -> Tensor:
    """Return the mean over dimensions of what the standard deviation lacks to 1."""
    return (1 - (z_GK.var(dim=0) + EPSILON).sqrt()).relu().mean()


def correlation(z_GK: Tensor) -> Tensor:
    """Return the sum of the squared covariances of different dimensions, over the number of dimensions."""
    z_GK = z_GK - z_GK.mean(dim=0)
    covariance_KK = z_GK.T @ z_GK / (len(z_GK) - 1)
    return (covariance_KK.square().sum() - covariance_KK.diagonal().square().sum()) / z_GK.shape[1]


class VICReg(Algorithm):
    """Make the views of an example alike, and their dimensions spread out and uncorrelated.

    Args:
        invariance: weight of the squared difference of the views.
        variance: weight of the deviations.
        covariance: weight of the covariances.
        expansion: width of the expander, which is dropped after pretraining.
    """

    gathers = True

    def __init__(
        self,
        encoder: Encoder,
        *,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        expansion: int = 512,
    ) -> None:
        super().__init__(encoder)
        self.weights = (invariance, variance, covariance)
        self.head = nn.Sequential(
            nn.Linear(encoder.width, expansion),
            nn.LayerNorm(expansion),
            nn.ReLU(),
            nn.Linear(expansion, expansion, bias=False),  # none of the terms would see a bias
        )

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """All views alike: only their deviations are missing."""
        return {"loss": self.weights[1] * (1 - EPSILON**0.5)}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(*(self._view(encoder, x_BND, batch.mask) for _ in range(2)))

    def loss_of(self, u_BK: Tensor, v_BK: Tensor) -> dict[str, Tensor]:
        """The loss of two views, in fp32 also under autocast, whose bf16 resolves no small covariances."""
        u_GK, v_GK = gather_examples(u_BK), gather_examples(v_BK)
        with torch.autocast(u_GK.device.type, enabled=False):
            u_GK, v_GK = u_GK.float(), v_GK.float()
            terms = (
                F.mse_loss(u_GK, v_GK),
                (spread(u_GK) + spread(v_GK)) / 2,
                correlation(u_GK) + correlation(v_GK),
            )
        return {"loss": torch.stack([w * x for w, x in zip(self.weights, terms, strict=True)]).sum()}

    def _view(self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """The expanded features of a random half of each example's embeddings, whose mean is subtracted."""
        part_BnD, mask_Bn, index_Bn = draw_centred_half(x_BND, mask_BN)
        return self.head(encoder.pool(encoder.encode(part_BnD, mask_Bn, index_Bn), mask_Bn))  # type: ignore[no-any-return]
