"""MAE: encode the visible embeddings alone, and rebuild the input that is hidden.

He et al., Masked autoencoders are scalable vision learners, CVPR 2022 (arXiv 2111.06377). The encoder never sees a
hidden embedding nor a blank in its place. A decoder of one block, which is dropped after pretraining, gets the
encoder's tokens and a blank for each hidden place, all with fixed positions. It rebuilds patches as the paper does,
standardised each by its own mean and deviation, with the mean squared error; tokens with the cross-entropy.

Deviations: one decoder block of the encoder's width instead of eight; channels are standardised before patches are,
where the encoder does so; tokens are classified, which MAE does not have. The two losses get a common scale from what
an uninformed guess scores: 1 for the squared error, and log V for the cross-entropy over V ids, by which it is divided.
The loss is then the mean over all hidden places, whatever their kind.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.algorithm import Algorithm
from dabs.distributed import count_real, draw_order, gather_examples
from dabs.encoder import Block, Encoder, image_patches, series_segments, sinusoidal_positions
from dabs.errors import RequestError
from dabs.specs import Batch, Image, Tokens, total_embeddings

POSITION_SCALE = 0.5  # amplitude of the decoder's positions


class MAE(Algorithm):
    """Rebuild the patches and tokens that the encoder does not see.

    Args:
        mask_rate: share of the (unpadded) embeddings that are hidden; at least one stays visible.
    """

    gathers = True

    def __init__(self, encoder: Encoder, *, mask_rate: float = 0.75) -> None:
        super().__init__(encoder)
        if not 0 < mask_rate < 1:
            raise RequestError(f"mask_rate must be above 0 and below 1, not {mask_rate}")
        self.mask_rate = mask_rate
        self.blank = nn.Parameter(0.02 * torch.randn(encoder.width))
        places = POSITION_SCALE * sinusoidal_positions(1 + total_embeddings(encoder.specs), encoder.width)
        self.register_buffer("places", places, persistent=False)
        self.bridge = nn.Linear(encoder.width, encoder.width)
        self.decoder = Block(encoder.config)
        self.norm = nn.LayerNorm(encoder.width)
        sizes = [spec.vocabulary if isinstance(spec, Tokens) else spec.patch_size for spec in encoder.specs]
        self.heads = nn.ModuleList(nn.Linear(encoder.width, size) for size in sizes)

    def draw(self, x_BND: Tensor, mask_BN: Tensor | None) -> tuple[Tensor, Tensor]:
        """The positions to show, int64 (B, K), and which of them an example really has, bool (B, K)."""
        shown_B1 = ((1 - self.mask_rate) * count_real(x_BND, mask_BN)).floor().clamp(min=1)
        most = max(1, math.floor((1 - self.mask_rate) * x_BND.shape[1]))
        return draw_order(x_BND, mask_BN)[:, :most], torch.arange(most, device=x_BND.device) < shown_B1

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """See the module."""
        x_BND = encoder.embed(batch.inputs)
        return self.loss_of(encoder, x_BND, batch, *self.draw(x_BND, batch.mask))

    def loss_of(
        self, encoder: Encoder, x_BND: Tensor, batch: Batch, index_BK: Tensor, shown_BK: Tensor
    ) -> dict[str, Tensor]:
        """The loss for given draws."""
        mask_BK = None if batch.mask is None else shown_BK  # without padding, all examples show as many
        tokens_BSD = self.bridge(encoder.encode(_rows(x_BND, index_BK), mask_BK, index_BK))
        # a blank everywhere, and tokens over it; what an example has fewer of than the others goes to one place more
        b, n, d = x_BND.shape
        place_BK1 = index_BK.masked_fill(~shown_BK, n)[:, :, None]
        y_BMD = self.blank.to(tokens_BSD.dtype).expand(b, n + 1, d)
        y_BND = y_BMD.scatter(1, place_BK1.expand(-1, -1, d), tokens_BSD[:, 1:])[:, :n]
        y_BSD = torch.cat([tokens_BSD[:, :1], y_BND], dim=1) + self.get_buffer("places")[: 1 + n]
        real_BN = torch.ones(b, n, dtype=torch.bool, device=x_BND.device) if batch.mask is None else batch.mask
        out_BND = self.norm(self.decoder(y_BSD, F.pad(real_BN, (1, 0), value=True)[:, None, None, :]))[:, 1:]
        hidden_BN = real_BN & (x_BND.new_zeros(b, n + 1).scatter(1, place_BK1[:, :, 0], 1.0)[:, :n] == 0)
        total, count = self.error(encoder, out_BND, hidden_BN, batch), hidden_BN.sum()
        total, count = (gather_examples(x.reshape(1)).sum() for x in (total, count))
        return {"loss": total / count.clamp(min=1)}

    def error(self, encoder: Encoder, out_BND: Tensor, hidden_BN: Tensor, batch: Batch) -> Tensor:
        """The sum of the errors at hidden places, each as a share of an uninformed guess's."""
        total, start = out_BND.new_zeros((), dtype=torch.float32), 0
        for i, (head, spec, x) in enumerate(zip(self.heads, encoder.specs, batch.inputs, strict=True)):
            here = slice(start, start + (x.shape[1] if isinstance(spec, Tokens) else spec.embeddings))
            start, hidden_Bn = here.stop, hidden_BN[:, here]
            guess_MP = head(out_BND[:, here][hidden_Bn]).float()  # of the M hidden places alone
            if isinstance(spec, Tokens):
                total = total + F.cross_entropy(guess_MP, x[hidden_Bn], reduction="sum") / math.log(spec.vocabulary)
                continue
            if encoder.config.standardise:
                x = (x - encoder.get_buffer(f"mean_{i}")) / encoder.get_buffer(f"deviation_{i}")
            patches_BnP = image_patches(x, spec.patch) if isinstance(spec, Image) else series_segments(x, spec.segment)
            target_MP = F.layer_norm(patches_BnP[hidden_Bn].float(), patches_BnP.shape[-1:], eps=1e-6)
            total = total + (guess_MP - target_MP).square().mean(dim=1).sum()
        return total


def _rows(x_BND: Tensor, index_BK: Tensor) -> Tensor:
    return x_BND.gather(1, index_BK[:, :, None].expand(-1, -1, x_BND.shape[2]))
