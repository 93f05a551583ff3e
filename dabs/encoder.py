"""The Transformer that all algorithms share, from inputs to features.

    inputs --embed--> (B, N, D) --encode--> (B, 1+N, D) --pool--> (B, D) --project--> (B, projection)

The architecture is that of the DABS paper (Tamkin et al., NeurIPS 2021): pre-norm blocks, learned positions, a [CLS]
token, and mean pooling over all positions. There is one difference: padding is masked out of attention and pooling,
whereas the reference attends to it. Without padding the two agree.

Shapes: B batch, N embeddings, S = 1+N positions with [CLS] first, D width, H heads, K head width, P values in a patch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.distributed import dropout
from dabs.specs import Batch, Image, Series, Spec, Specs, Tokens, total_embeddings


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The sizes of the encoder; the specs of its inputs are passed separately."""

    width: int = 128  # D
    depth: int = 4  # blocks
    heads: int = 4  # H
    head_width: int = 32  # K
    mlp: int = 256  # hidden width of a block's perceptron
    projection: int = 128  # output of the projection head, used by contrastive objectives
    dropout: float = 0.1  # after attention, in the perceptron and on embeddings


PRESETS = {
    # sized for two cores; in a few passes over small data, dropout takes a quarter of a step and improves nothing
    "small": EncoderConfig(width=128, depth=3, heads=4, head_width=32, mlp=256, dropout=0.0),
    "paper": EncoderConfig(width=256, depth=12, heads=8, head_width=64, mlp=512),
    # the sizes of BERT-base and ViT-B; too large for one small device, hence FSDP
    "large": EncoderConfig(width=768, depth=12, heads=12, head_width=64, mlp=3072),
}


def image_patches(x_BCHW: Tensor, patch: int) -> Tensor:
    """Cut images into square patches, (B, N, P), row by row, each flattened as (row, column, channel)."""
    b, c, h, w = x_BCHW.shape
    x = x_BCHW.reshape(b, c, h // patch, patch, w // patch, patch)
    return x.permute(0, 2, 4, 3, 5, 1).reshape(b, (h // patch) * (w // patch), patch * patch * c)


def series_segments(x_BTC: Tensor, segment: int) -> Tensor:
    """Cut series into segments of consecutive steps, (B, N, P), each flattened as (step, channel)."""
    b, t, c = x_BTC.shape
    return x_BTC.reshape(b, t // segment, segment * c)


class PatchEmbedding(nn.Module):
    """A linear map from the P values of each patch or segment to the width D."""

    def __init__(self, spec: Image | Series, width: int) -> None:
        super().__init__()
        self.spec = spec
        self.linear = nn.Linear(spec.patch_size, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, *spec.shape) -> (B, N, D)."""
        if isinstance(self.spec, Image):
            patches_BNP = image_patches(x, self.spec.patch)
        else:
            patches_BNP = series_segments(x, self.spec.segment)
        return self.linear(patches_BNP)  # type: ignore[no-any-return]


def embedding_of(spec: Spec, width: int) -> nn.Module:
    """Return the module that turns one input into embeddings of the given width."""
    return nn.Embedding(spec.vocabulary, width) if isinstance(spec, Tokens) else PatchEmbedding(spec, width)


def attend(q_BHSK: Tensor, k_BHSK: Tensor, v_BHSK: Tensor, mask_B11S: Tensor | None) -> Tensor:
    """Return the result of softmax attention, (B, H, S, K).

    This uses PyTorch's fused kernel, except when training in bf16 on a CPU, where the kernel's backward pass is several
    times slower than that of plain matrix products (`benchmarks/training_step.py`).
    """
    plain = q_BHSK.device.type == "cpu" and q_BHSK.dtype == torch.bfloat16 and q_BHSK.requires_grad
    if not plain:
        return F.scaled_dot_product_attention(q_BHSK, k_BHSK, v_BHSK, attn_mask=mask_B11S)
    dots_BHSS = (q_BHSK * q_BHSK.shape[-1] ** -0.5) @ k_BHSK.transpose(-1, -2)
    if mask_B11S is not None:
        # the mask is added because adding, unlike filling, needs nothing in the backward pass
        dots_BHSS = dots_BHSS + torch.zeros_like(mask_B11S, dtype=dots_BHSS.dtype).masked_fill(~mask_B11S, -torch.inf)
    weight_BHSS: Tensor = dots_BHSS.softmax(dim=-1).to(v_BHSK.dtype)
    return weight_BHSS @ v_BHSK


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self.heads = config.heads
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, config.width)

    def forward(self, x_BSD: Tensor, mask_B11S: Tensor | None) -> Tensor:
        """(B, S, D) -> (B, S, D). Positions where the mask is false are not attended to."""
        b, s, _ = x_BSD.shape
        q, k, v = self.qkv(x_BSD).reshape(b, s, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # each (B, H, S, K)
        y_BHSK = attend(q, k, v, mask_B11S)
        y_BSD = self.out(y_BHSK.transpose(1, 2).reshape(b, s, -1))
        return dropout(y_BSD, self.dropout, self.training)


class Block(nn.Module):
    """A pre-norm Transformer block: x + attention(norm(x)), then x + perceptron(norm(x))."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.norm1 = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, config.mlp)
        self.down = nn.Linear(config.mlp, config.width)

    def forward(self, x_BSD: Tensor, mask_B11S: Tensor | None) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        x_BSD = x_BSD + self.attention(self.norm1(x_BSD), mask_B11S)
        hidden = dropout(F.gelu(self.up(self.norm2(x_BSD))), self.dropout, self.training)
        return x_BSD + dropout(self.down(hidden), self.dropout, self.training)


class Encoder(nn.Module):
    """The domain-agnostic Transformer encoder.

    Args:
        config: its sizes.
        specs: of the inputs, whose embeddings are concatenated in this order.
    """

    def __init__(self, config: EncoderConfig, specs: Specs) -> None:
        super().__init__()
        self.config = config
        self.specs = specs
        self.embeddings = nn.ModuleList(embedding_of(spec, config.width) for spec in specs)
        self.cls = nn.Parameter(torch.randn(config.width))
        self.positions = nn.Parameter(torch.randn(1 + total_embeddings(specs), config.width))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.project = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.projection))

    @property
    def width(self) -> int:
        """D, the width of embeddings, tokens and features."""
        return self.config.width

    def embed(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the embeddings of inputs, without positions, (B, N, D)."""
        return torch.cat([embed(x) for embed, x in zip(self.embeddings, inputs, strict=True)], dim=1)

    def encode(self, x_BND: Tensor, mask_BN: Tensor | None = None, index_BN: Tensor | None = None) -> Tensor:
        """Return the tokens of embeddings.

        Args:
            x_BND: the first N embeddings (trailing padding may be cut off), or a subset if `index_BN` is given.
            mask_BN: true where an embedding is real, false where it is padding; None if all are real.
            index_BN: for a subset, the position that each embedding comes from, int64.

        Returns:
            Tokens, (B, 1+N, D), [CLS] first.
        """
        positions = self.positions[1 : 1 + x_BND.shape[1]] if index_BN is None else self.positions[1 + index_BN]
        cls_B1D = (self.cls + self.positions[0]).expand(len(x_BND), 1, -1)
        x_BSD = torch.cat([cls_B1D, x_BND + positions], dim=1)
        x_BSD = dropout(x_BSD, self.config.dropout, self.training)
        mask_B11S = None if mask_BN is None else F.pad(mask_BN, (1, 0), value=True)[:, None, None, :]
        for block in self.blocks:
            x_BSD = block(x_BSD, mask_B11S)
        return x_BSD

    @staticmethod
    def pool(tokens_BSD: Tensor, mask_BN: Tensor | None = None) -> Tensor:
        """Return the features of tokens, (B, D): the mean over [CLS] and all real positions."""
        if mask_BN is None:
            return tokens_BSD.mean(dim=1)
        weight_BS1 = F.pad(mask_BN, (1, 0), value=True)[:, :, None].to(tokens_BSD.dtype)
        return (tokens_BSD * weight_BS1).sum(dim=1) / weight_BS1.sum(dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """Return the features of a batch, (B, D)."""
        return self.pool(self.encode(self.embed(batch.inputs), batch.mask), batch.mask)


def compile_blocks(encoder: Encoder, mode: str = "default") -> None:
    """Let torch.compile compile each block on its first call; all blocks share the compiled code.

    The rest of an objective is not compiled: drawing and comparing examples takes a small share of a step, and PyTorch
    2.11 fails to compile e-Mix's partners and SimCLR's logits for a CPU.
    """
    for block in encoder.blocks:
        block.compile(mode=mode)
