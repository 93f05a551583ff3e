"""Capri: embeddings find the predictions of their places in the same sequence.

Tamkin et al., DABS 2.0, NeurIPS 2022; after contrastive predictive coding (van den Oord et al. 2018). Some embeddings
are zero. A linear layer maps every token to a prediction. The dot products of predictions with the original embeddings
of the example, divided by the temperature, are the logits with which each embedding finds the prediction of its place.

This is the reference's loss, with equal numbers in its golden files (tests/golden): no normalisation, all places
count, also those that were not blanked, gradients reach the embeddings from both sides, and the softmax is over the
predictions, not over the embeddings, while the accuracy counts the predictions whose largest logit is at their own
embedding. One deviation: padded positions are neither blanked, nor scored, nor candidates. Equal embeddings in one
sequence, such as repeated words, have equal logits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import draw_share, gather_examples
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.specs import Batch, total_embeddings


class Capri(Algorithm):
    """Classify every position among the positions of its sequence, some of which are blanked.

    Args:
        corruption_rate: share of the (unpadded) positions that are blanked, rounded up.
        temperature: divides the dot products.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, corruption_rate: float = 0.15, temperature: float = 0.07) -> None:
        super().__init__(encoder)
        if not 0 < corruption_rate <= 1:
            raise RequestError(f"corruption_rate must be above 0 and at most 1, not {corruption_rate}")
        self.corruption_rate, self.temperature = corruption_rate, temperature
        self.embeddings = total_embeddings(encoder.specs)
        self.head = nn.Linear(encoder.width, encoder.width)

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """Which positions are blanked, bool (B, N)."""
        return draw_share(x_BND, mask_BN, self.corruption_rate)

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """All places of an example are as likely."""
        real_B = torch.full((len(batch),), self.embeddings) if batch.mask is None else batch.mask.sum(dim=1)
        loss = (real_B * real_B.clamp(min=1).log()).sum() / real_B.sum()
        return {"loss": float(loss), "accuracy": float((real_B > 0).sum() / real_B.sum())}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs how often a place is found."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(encoder, x_BND, batch.mask, self.draw(x_BND, batch.mask))

    def loss_of(self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None, blank_BN: Tensor) -> dict[str, Tensor]:
        """The loss for a given draw."""
        tokens_BND = encoder.encode(x_BND.masked_fill(blank_BN[:, :, None], 0.0), mask_BN)[:, 1:]
        guess_BND = self.head(tokens_BND)
        with torch.autocast(x_BND.device.type, enabled=False):  # large dot products need more digits than bf16 has
            logits_BNN = guess_BND.float() @ x_BND.float().mT / self.temperature
        b, n, _ = x_BND.shape
        place_BN = torch.arange(n, device=x_BND.device).expand(b, n)
        real_BN = torch.ones_like(blank_BN) if mask_BN is None else mask_BN
        # rows are predictions, of which each embedding (column) finds its own, and cross_entropy takes rows as classes
        error_BN = F.cross_entropy(
            logits_BNN.masked_fill(~real_BN[:, :, None], float("-inf")), place_BN, reduction="none"
        ).masked_fill(~real_BN, 0.0)  # a padded place is no candidate, so its own error is infinite
        guess_BN = logits_BNN.masked_fill(~real_BN[:, None], float("-inf")).argmax(dim=2)
        right_BN = (guess_BN == place_BN) & real_BN
        error_BN, right_BN, real_BN = (gather_examples(x) for x in (error_BN, right_BN, real_BN))
        count = real_BN.sum().clamp(min=1)
        return {"loss": error_BN.sum() / count, "accuracy": right_BN.sum() / count}
