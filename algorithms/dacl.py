"""DACL: recognise an example after a little of another has been mixed in.

Verma et al., Towards domain-agnostic contrastive learning, ICML 2021 (arXiv 2011.04419). Both views of an example are
mixtures, lam * x + (1 - lam) * x' with another example x' of the batch and lam drawn from [0.9, 1], and NT-Xent finds
the partner among all views of the batch.

Deviations: embeddings are mixed, not raw inputs, because ids have no mixture. A padded place of one part adds nothing,
and a mixture is padding only where both of its parts are. The head has two layers.
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
from dabs.specs import Batch


class DACL(Algorithm):
    """Recognise an example that a little of another is mixed into.

    Args:
        smallest_share: the share of the example itself is drawn uniformly from here to 1.
        temperature: divides the cosine similarities.
        projection: output width of the two-layer head that is dropped after pretraining.
    """

    gathers = True

    def __init__(
        self, encoder: Encoder, *, smallest_share: float = 0.9, temperature: float = 0.5, projection: int = 128
    ) -> None:
        super().__init__(encoder)
        if not 0 < smallest_share <= 1:
            raise RequestError(f"smallest_share must be above 0 and at most 1, not {smallest_share}")
        self.smallest_share, self.temperature = smallest_share, temperature
        self.head = nn.Sequential(
            nn.Linear(encoder.width, encoder.width), nn.ReLU(), nn.Linear(encoder.width, projection)
        )

    def draw(self, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """For a batch of this size each example's own share and its partner, (size,) both."""
        share_B = 1 - (1 - self.smallest_share) * torch.rand(size)
        return share_B.to(device), torch.randperm(size).to(device)

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """All views alike: each of the others is as likely."""
        others = 2 * whole_batch(len(batch)) - 1
        return {"loss": math.log(others), "accuracy": 1 / others}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs how often the partner is the nearest."""
        x_BND = encoder.embed(batch.inputs)
        real_BND = x_BND if batch.mask is None else x_BND * batch.mask[:, :, None]
        size = whole_batch(len(x_BND))
        u_GK, v_GK = (
            gather_examples(self._view(encoder, real_BND, batch.mask, *self.draw(size, x_BND.device))) for _ in range(2)
        )
        # the similarities of near-equal views need more digits than bf16 has
        with torch.autocast(x_BND.device.type, enabled=False):
            z = F.normalize(torch.cat([u_GK, v_GK]).float(), dim=1)
            logits = (z @ z.T / self.temperature).fill_diagonal_(float("-inf"))
            target = torch.arange(len(z), device=z.device).roll(size)
            accuracy = (logits.argmax(dim=1) == target).float().mean()
            return {"loss": F.cross_entropy(logits, target), "accuracy": accuracy}

    def _view(
        self, encoder: Encoder, real_BND: Tensor, mask_BN: Tensor | None, share_G: Tensor, partner_G: Tensor
    ) -> Tensor:
        share_B11, partner_B = own_examples(share_G)[:, None, None].to(real_BND.dtype), own_examples(partner_G)
        mixed_BND = share_B11 * real_BND + (1 - share_B11) * gather_examples(real_BND)[partner_B]
        mixed_mask = None if mask_BN is None else mask_BN | gather_examples(mask_BN)[partner_B]
        return self.head(encoder.pool(encoder.encode(mixed_BND, mixed_mask), mixed_mask))  # type: ignore[no-any-return]
