"""LFR, learning from randomness: predict what frozen random networks say.

Sui et al., Self-supervised representation learning from random data projectors, ICLR 2024 (arXiv 2310.07756). No
augmentation and no negatives of the learned features: K networks that are drawn once and never trained map each
example to a vector, and for each of them a linear predictor reads the features. With unit rows p and g of a batch,
C = p g^T, and the loss is the sum of (C_ii - 1)^2 + weight * sum over j != i of C_ij^2.

Deviations: the random networks read the embeddings of the untrained encoder (one hidden layer for each embedding, a
mean over the real ones, a linear layer), so that one setting fits every input; all K are kept, where the paper keeps
the most diverse 6 of 60; the batch's mean is subtracted from what a network says, because averages of random features
all point nearly the same way; the sums are divided by the number of rows and networks.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples
from dabs.encoder import Encoder
from dabs.specs import Batch, total_embeddings

HIDDEN = 64  # width of a random network's layer


def agreement(p_GKO: Tensor, g_GKO: Tensor, weight: float) -> Tensor:
    """Return the loss of predictions and targets, neither yet of unit length, in fp32 also under autocast."""
    with torch.autocast(p_GKO.device.type, enabled=False):
        p_KGO, g_KGO = (F.normalize(x.float(), dim=2).transpose(0, 1) for x in (p_GKO, g_GKO))
        square_KGG = (p_KGO @ g_KGO.mT - torch.eye(p_KGO.shape[1], device=p_GKO.device)).square()
    own_KG = square_KGG.diagonal(dim1=1, dim2=2)
    return ((1 - weight) * own_KG + weight * square_KGG.sum(dim=2)).mean()


class LFR(Algorithm):
    """Predict the outputs of random networks from the features.

    Args:
        networks: how many random networks there are.
        outputs: width of what a random network says.
        off_diagonal: weight of the pairs of different examples.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, networks: int = 6, outputs: int = 64, off_diagonal: float = 0.01) -> None:
        super().__init__(encoder)
        self.off_diagonal = off_diagonal
        self.frozen = copy.deepcopy(encoder)  # of which only the embeddings are used
        self.frozen.blocks = nn.ModuleList()
        self.first = nn.Linear(encoder.width, networks * HIDDEN)
        for part in (self.frozen, self.first):
            part.requires_grad_(False)
        self.register_buffer("places", 0.5 * torch.randn(total_embeddings(encoder.specs), encoder.width))
        self.register_buffer("second", torch.randn(networks, HIDDEN, outputs))
        self.predictors = nn.Linear(encoder.width, networks * outputs)

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """What the random networks say about each example, (B, networks, outputs), in fp32 also under autocast."""
        with torch.autocast(batch.inputs[0].device.type, enabled=False):
            x_BND = self.frozen.embed(batch.inputs)
            h_BNH = self.first(x_BND + self.get_buffer("places")[: x_BND.shape[1]]).relu()
            weight_BN = h_BNH.new_ones(h_BNH.shape[:2]) if batch.mask is None else batch.mask.to(h_BNH.dtype)
            h_BH = torch.einsum("bnh,bn->bh", h_BNH, weight_BN / weight_BN.sum(dim=1, keepdim=True).clamp(min=1))
            return torch.einsum("bkh,kho->bko", h_BH.reshape(len(h_BH), -1, HIDDEN), self.get_buffer("second"))

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module."""
        g_GKO = gather_examples(self.targets(batch))
        p_GKO = gather_examples(self.predictors(encoder(batch))).reshape(g_GKO.shape)
        return {"loss": agreement(p_GKO, g_GKO - g_GKO.mean(dim=0), self.off_diagonal)}
