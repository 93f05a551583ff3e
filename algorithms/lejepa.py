"""LeJEPA: views agree, and the features of a batch are normally distributed.

Balestriero and LeCun, LeJEPA: provable and scalable self-supervised learning without the heuristics, 2025 (arXiv
2511.08544). The loss is (1 - weight) * the mean squared distance of the views from their mean + weight * SIGReg. SIGReg
projects the features of a view onto random directions, new in every step, and compares the empirical characteristic
function of each projection with that of the standard normal distribution: the statistic of Epps and Pulley (1983), an
integral by 17 points, times the number of examples. There are no negatives, no teacher and no stopped gradients.

Deviations: a view is a random half of the embeddings, whose mean is subtracted, as in `contrastive`: it needs no
augmentation that knows the domain. All views count alike, where the paper predicts the mean of two global ones.
LayerNorm replaces BatchNorm in the head, because statistics of a batch would differ between processes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import draw_centred_half, gather_examples, whole_batch
from dabs.encoder import Encoder
from dabs.specs import Batch

KNOTS, LARGEST = 17, 3.0  # points of the integral, which are even in their sign, from 0 to the largest


def sigreg(z_VGK: Tensor, direction_KS: Tensor) -> Tensor:
    """Return the mean of the Epps-Pulley statistics of all views along unit directions."""
    t_T = torch.linspace(0, LARGEST, KNOTS, device=z_VGK.device)
    normal_T = (-t_T.square() / 2).exp()
    weight_T = torch.full_like(t_T, 2 * LARGEST / (KNOTS - 1))  # both signs; the trapezoids' ends count half
    weight_T[0] = weight_T[-1] = LARGEST / (KNOTS - 1)
    angle_VGST = (z_VGK @ direction_KS)[..., None] * t_T
    error_VST = (angle_VGST.cos().mean(dim=1) - normal_T).square() + angle_VGST.sin().mean(dim=1).square()
    return z_VGK.shape[1] * (error_VST @ (weight_T * normal_T)).mean()


class LeJEPA(Algorithm):
    """Make the views of an example alike, and their distribution normal.

    Args:
        weight: of SIGReg; the rest is the distance of the views from their mean.
        views: how many halves of each example there are.
        slices: how many random directions there are.
        projection: output width of the two-layer head that is dropped after pretraining.
    """

    gathers = True

    def __init__(
        self, encoder: Encoder, *, weight: float = 0.02, views: int = 4, slices: int = 256, projection: int = 64
    ) -> None:
        super().__init__(encoder)
        self.weight, self.views, self.slices, self.projection = weight, views, slices, projection
        hidden = 4 * encoder.width
        self.head = nn.Sequential(
            nn.Linear(encoder.width, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, projection)
        )

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """All features zero."""
        zeros_1GK = torch.zeros(1, whole_batch(len(batch)), 1)
        return {"loss": self.weight * float(sigreg(zeros_1GK, torch.ones(1, 1)))}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module."""
        x_BND = encoder.embed(batch.inputs)
        views = [gather_examples(self._view(encoder, x_BND, batch.mask)) for _ in range(self.views)]
        direction_KS = F.normalize(torch.randn(self.projection, self.slices), dim=0).to(x_BND.device)
        with torch.autocast(x_BND.device.type, enabled=False):  # phases need more digits than bf16 has
            z_VGK = torch.stack(views).float()
            distance = (z_VGK - z_VGK.mean(dim=0)).square().mean()
            return {"loss": (1 - self.weight) * distance + self.weight * sigreg(z_VGK, direction_KS)}

    def _view(self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """The projected features of a random half of each example's embeddings, whose mean is subtracted."""
        part_BnD, mask_Bn, index_Bn = draw_centred_half(x_BND, mask_BN)
        return self.head(encoder.pool(encoder.encode(part_BnD, mask_Bn, index_Bn), mask_Bn))  # type: ignore[no-any-return]
