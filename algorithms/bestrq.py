"""BEST-RQ: predict the codes that a random quantizer gives hidden embeddings.

Chiu et al., Self-supervised learning with random-projection quantizer for speech recognition, ICML 2022 (arXiv
2202.01855). A random matrix, never trained, projects each embedding to 16 dimensions. Its code is the nearest of a
random codebook by the cosine. Spans of embeddings are hidden, and a softmax classifier predicts their codes: one
cross-entropy for every kind of input, without a teacher and without negatives.

Deviations: the quantizer reads the embeddings of the untrained encoder, which are themselves a random projection of
patches, and a random vector for each id. There are 1,024 codes instead of 8,192. A hidden embedding is replaced by a
learned blank instead of noise.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import gather_examples, own_examples, whole_batch
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.specs import Batch


class BestRQ(Algorithm):
    """Predict the random codes of hidden embeddings.

    Args:
        mask_rate: about the share of the (unpadded) positions that are hidden, in each example at least one.
        span: how many neighbours are hidden together.
        codes: size of the codebook.
        dimensions: width of the random projection.
    """

    gathers = True

    def __init__(
        self, encoder: Encoder, *, mask_rate: float = 0.4, span: int = 2, codes: int = 1024, dimensions: int = 16
    ) -> None:
        super().__init__(encoder)
        if not 0 < mask_rate < 1 or span < 1:
            raise RequestError(
                f"mask_rate must be above 0 and below 1, not {mask_rate}, and span at least 1, not {span}"
            )
        self.span, self.start_rate = span, 1 - (1 - mask_rate) ** (1 / span)
        self.frozen = copy.deepcopy(encoder).requires_grad_(False)  # of which only the embeddings are used
        self.frozen.blocks = nn.ModuleList()
        self.register_buffer("projection", torch.randn(encoder.width, dimensions))
        self.register_buffer("codebook", F.normalize(torch.randn(codes, dimensions), dim=1))
        self.blank = nn.Parameter(0.02 * torch.randn(encoder.width))
        self.head = nn.Linear(encoder.width, codes)

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """Which positions are hidden, bool (B, N): where a span starts, and the next ones of its length."""
        b, n, _ = x_BND.shape
        noise_BN = own_examples(torch.rand(whole_batch(b), n)).to(x_BND.device)
        noise_BN = noise_BN if mask_BN is None else noise_BN.masked_fill(~mask_BN, 2.0)
        start_BN = (noise_BN < self.start_rate) | (noise_BN == noise_BN.amin(dim=1, keepdim=True))
        spans_BN = F.max_pool1d(F.pad(start_BN.float(), (self.span - 1, 0)), self.span, stride=1) > 0
        return spans_BN if mask_BN is None else spans_BN & mask_BN

    @torch.no_grad()
    def quantize(self, batch: Batch) -> Tensor:
        """The code of every embedding, int64 (B, N), in fp32 also under autocast."""
        with torch.autocast(batch.inputs[0].device.type, enabled=False):
            z_BNK = self.frozen.embed(batch.inputs) @ self.get_buffer("projection")
            return (z_BNK @ self.get_buffer("codebook").T).argmax(dim=2)  # the length of z does not matter

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """How often each code occurs in the batch, as its probability (entropy after Miller and Madow)."""
        code = self.quantize(batch)
        count = torch.unique(code if batch.mask is None else code[batch.mask], return_counts=True)[1]
        share = count / count.sum()
        entropy = float(-(share * share.log()).sum()) + (len(count) - 1) / (2 * float(count.sum()))
        return {"loss": min(entropy, math.log(len(self.get_buffer("codebook"))))}

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module; logs how often the code is found."""
        x_BND = encoder.embed(batch.inputs)
        hidden_BN = self.draw(x_BND, batch.mask)
        seen_BND = torch.where(hidden_BN[:, :, None], self.blank.to(x_BND.dtype), x_BND)
        tokens_BND = encoder.encode(seen_BND, batch.mask)[:, 1:]
        logits_MC, code_M = self.head(tokens_BND[hidden_BN]).float(), self.quantize(batch)[hidden_BN]  # M are hidden
        error = F.cross_entropy(logits_MC, code_M, reduction="sum")
        right, count = (logits_MC.argmax(dim=1) == code_M).sum(), hidden_BN.sum()
        error, right, count = (gather_examples(x.reshape(1)).sum() for x in (error, right, count))
        return {"loss": error / count.clamp(min=1), "accuracy": right / count.clamp(min=1)}
