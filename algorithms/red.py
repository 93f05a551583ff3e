"""RED, replaced embedding detection: find embeddings from other examples.

After ShED (Tamkin et al., DABS, NeurIPS 2021) and ELECTRA (Clark et al. 2020). As in ShED, each position is classified;
but a chosen embedding is replaced by the one that another example has at the same position, instead of changing places
with others of its own example. So it is found by what the rest of the example says, not by its position alone. This
variant is the project's own. As in ELECTRA, an embedding that equals the one in its place does not count as replaced:
such positions, which ShED labels as moved, cannot be told.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples, own_examples, whole_batch
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.specs import Batch


class RED(Algorithm):
    """Binary classification of every position: does its embedding come from another example?

    Args:
        corruption_rate: share of the (unpadded) positions that are replaced, rounded up.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, corruption_rate: float = 0.15) -> None:
        super().__init__(encoder)
        if not 0 < corruption_rate <= 1:
            raise RequestError(f"corruption_rate must be above 0 and at most 1, not {corruption_rate}")
        self.corruption_rate = corruption_rate
        self.head = nn.Linear(encoder.width, 2)

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> tuple[Tensor, Tensor]:
        """Which positions are replaced, bool (B, N), and by which example of the whole batch, int64 (B, N).

        At each position, the examples that have one there pass their embeddings on in a random cycle.
        """
        b, n, _ = x_BND.shape
        g = whole_batch(b)
        order_noise_GN, chosen_noise_GN = torch.rand(2, g, n).to(x_BND.device)
        real_GN = torch.ones(g, n, dtype=torch.bool, device=x_BND.device)
        real_GN = real_GN if mask_BN is None else gather_examples(mask_BN)
        count_1N = real_GN.sum(dim=0, keepdim=True)
        order_GN = order_noise_GN.masked_fill(~real_GN, 2.0).argsort(dim=0)
        next_GN = (torch.arange(g, device=x_BND.device)[:, None] + 1) % count_1N.clamp(min=1)
        donor_GN = torch.empty_like(order_GN).scatter_(0, order_GN, order_GN.gather(0, next_GN))
        possible_GN = real_GN & (count_1N > 1)  # nothing can come to the place that one example alone has
        rank_GN = chosen_noise_GN.masked_fill(~possible_GN, 2.0).argsort(dim=1).argsort(dim=1)
        wanted_G1 = (self.corruption_rate * possible_GN.sum(dim=1, keepdim=True)).ceil()
        return own_examples(possible_GN & (rank_GN < wanted_G1)), own_examples(donor_GN)

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """What the loss would be depends on how many embeddings are equal; the balanced accuracy does not."""
        return {"balanced_accuracy": 0.5}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs accuracy and balanced accuracy over the real positions."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(encoder, x_BND, batch.mask, *self.draw(x_BND, batch.mask))

    def loss_of(
        self, encoder: Encoder, x_BND: Tensor, mask_BN: Tensor | None, chosen_BN: Tensor, donor_BN: Tensor
    ) -> dict[str, Tensor]:
        """The loss for given draws. Padded positions neither give nor take, and are not in the loss."""
        place_BN = torch.arange(x_BND.shape[1], device=x_BND.device).expand_as(donor_BN)
        other_BND = gather_examples(x_BND)[donor_BN, place_BN]
        replaced_BN = chosen_BN & (other_BND != x_BND).any(dim=2)
        tokens_BSD = encoder.encode(torch.where(replaced_BN[:, :, None], other_BND, x_BND), mask_BN)
        logits, target = gather_examples(self.head(tokens_BSD[:, 1:]).float()), gather_examples(replaced_BN)
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
