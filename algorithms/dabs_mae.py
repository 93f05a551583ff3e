"""The DABS repository's masked autoencoder: blank embeddings, rebuild the input.

Tamkin et al., DABS 2.0, NeurIPS 2022; after He et al. 2022 and BERT (Devlin et al. 2019). Unlike `mae`, the encoder
gets the whole sequence, in which the chosen embeddings are zero. Patches are rebuilt by a linear layer on the ReLU of
their tokens, with the Euclidean norm of the difference; tokens are classified by their dot products with the table of
embeddings. An input's loss is the mean over its blanked places, and the loss the mean over the inputs.

This is the reference's loss, with equal numbers in its golden files (tests/golden). One deviation: padded positions
are neither blanked nor scored. Patches are raw values, as in the reference, also where the encoder standardises them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import draw_share, gather_examples
from dabs.encoder import Encoder, image_patches, series_segments
from dabs.errors import RequestError
from dabs.specs import Batch, Image, Tokens


class DabsMAE(Algorithm):
    """Rebuild the patches and tokens whose embeddings are zero.

    Args:
        corruption_rate: share of the (unpadded) positions that are blanked, rounded up.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, corruption_rate: float = 0.15) -> None:
        super().__init__(encoder)
        if not 0 < corruption_rate <= 1:
            raise RequestError(f"corruption_rate must be above 0 and at most 1, not {corruption_rate}")
        self.corruption_rate = corruption_rate
        sizes = [spec.patch_size for spec in encoder.specs if not isinstance(spec, Tokens)]
        self.heads = nn.ModuleList(nn.Linear(encoder.width, size) for size in sizes)

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> Tensor:
        """Which positions are blanked, bool (B, N)."""
        return draw_share(x_BND, mask_BN, self.corruption_rate)

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(encoder, x_BND, batch, self.draw(x_BND, batch.mask))

    def loss_of(self, encoder: Encoder, x_BND: Tensor, batch: Batch, blank_BN: Tensor) -> dict[str, Tensor]:
        """The loss for a given draw."""
        tokens_BND = encoder.encode(x_BND.masked_fill(blank_BN[:, :, None], 0.0), batch.mask)[:, 1:]
        parts, start, heads = [], 0, iter(self.heads)
        for spec, embedding, x in zip(encoder.specs, encoder.embeddings, batch.inputs, strict=True):
            here = slice(start, start + (x.shape[1] if isinstance(spec, Tokens) else spec.embeddings))
            start = here.stop
            tokens_MD = tokens_BND[:, here][blank_BN[:, here]]  # of the M blanked places alone
            if isinstance(spec, Tokens):
                logits_MV = F.linear(tokens_MD, embedding.weight).float()  # type: ignore[arg-type]
                total = F.cross_entropy(logits_MV, x[blank_BN[:, here]], reduction="sum")
            else:
                cut_BnP = image_patches(x, spec.patch) if isinstance(spec, Image) else series_segments(x, spec.segment)
                guess_MP = next(heads)(tokens_MD.relu()).float()
                total = torch.linalg.vector_norm(cut_BnP[blank_BN[:, here]] - guess_MP, dim=1).sum()
            total, size = (gather_examples(y.reshape(1)).sum() for y in (total, blank_BN[:, here].sum()))
            parts.append(total / size.clamp(min=1))
        return {"loss": torch.stack(parts).mean()}
