"""The Transformer that all algorithms share, from inputs to features.

    inputs --embed--> (B, N, D) --encode--> (B, 1+N, D) --pool--> (B, D) --project--> (B, projection)

The architecture is that of the DABS paper (Tamkin et al., NeurIPS 2021): pre-norm blocks, a [CLS] token, and mean
pooling over all positions. There is one difference: padding is masked out of attention and pooling, whereas the
reference attends to it. Without padding the two agree. The presets `paper` and `large` have the paper's learned
positions; `small` has the settings that let a few hundred steps suffice (docs/experiments/lite-recipe).

Shapes: B batch, N embeddings, S = 1+N positions with [CLS] first, D width, H heads, K head width, P values in a patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.attention import attend_on_cpu, is_faster_on_cpu
from dabs.distributed import dropout
from dabs.specs import Batch, Image, Series, Spec, Specs, Standardisation, Tokens, total_embeddings

Rotation = tuple[Tensor, Tensor]  # the cosine and sine of every position's angles, (S, K/2) or (B, 1, S, K/2)


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The sizes and settings of the encoder; the specs of its inputs are passed separately."""

    width: int = 128  # D
    depth: int = 4  # blocks
    heads: int = 4  # H
    head_width: int = 32  # K
    mlp: int = 256  # hidden width of a block's perceptron
    projection: int = 128  # output of the projection head, used by contrastive objectives
    dropout: float = 0.1  # after attention, in the perceptron and on embeddings
    standardise: bool = False  # scale each input channel to mean 0 and deviation 1 over the pretraining data
    sinusoids: float = 0.0  # amplitude of fixed sinusoidal positions; 0: learned positions of deviation 1
    rotary: bool = False  # also rotate queries and keys by their position (RoPE), so attention sees distances
    mimetic: bool = False  # initialise attention so that it first looks at similar positions
    token_scale: float = 1.0  # deviation of the initial token table
    cls_scale: float = 1.0  # deviation of the initial [CLS] embedding


PRESETS = {
    # sized for two cores; in a few passes over small data, dropout takes a quarter of a step and improves nothing
    "small": EncoderConfig(
        width=128,
        depth=3,
        heads=4,
        head_width=32,
        mlp=256,
        dropout=0.0,
        standardise=True,
        sinusoids=0.5,
        rotary=True,
        mimetic=True,
        token_scale=0.3,
        cls_scale=0.02,
    ),
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


def embedding_of(spec: Spec, width: int, token_scale: float = 1.0) -> nn.Module:
    """Return the module that turns one input into embeddings of the given width."""
    if not isinstance(spec, Tokens):
        return PatchEmbedding(spec, width)
    table = nn.Embedding(spec.vocabulary, width)
    table.weight.data.mul_(token_scale)
    return table


def position_angles(positions: int, pairs: int, base: float) -> Tensor:
    """Return the angle of each position for each pair of values, float64 (positions, pairs), from fast to slow."""
    frequency = base ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    return torch.arange(positions, dtype=torch.float64)[:, None] * frequency


def sinusoidal_positions(positions: int, width: int) -> Tensor:
    """Return the fixed positions of Vaswani et al. (2017), sine and cosine alternating, (positions, width)."""
    angle = position_angles(positions, width // 2, base=10_000.0)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(positions, width).float()


def rotate(x_BHSK: Tensor, rotation: Rotation) -> Tensor:
    """Rotate each pair of values by its position's angle (RoFormer, Su et al. 2021); dots then depend on distance."""
    cos, sin = rotation  # fp32, in which the products are computed also under autocast
    a, b = x_BHSK.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1).to(x_BHSK.dtype)


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_width
        self.heads = config.heads
        self.dropout = config.dropout
        self.qkv = nn.Linear(config.width, 3 * inner, bias=False)
        self.out = nn.Linear(inner, config.width)

    def forward(self, x_BSD: Tensor, mask_B11S: Tensor | None, rotation: Rotation | None = None) -> Tensor:
        """(B, S, D) -> (B, S, D). Positions where the mask is false are not attended to."""
        b, s, _ = x_BSD.shape
        if is_faster_on_cpu(x_BSD, self.qkv.weight, rotated=rotation is not None):
            y_BSN = self._attend_on_cpu(x_BSD, mask_B11S, rotation)
        else:
            q, k, v = self.qkv(x_BSD).reshape(b, s, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # each (B, H, S, K)
            if rotation is not None:
                q, k = rotate(q, rotation), rotate(k, rotation)
            y_BHSK = F.scaled_dot_product_attention(q, k, v, attn_mask=mask_B11S)
            y_BSN = y_BHSK.transpose(1, 2).reshape(b, s, -1)
        return dropout(self.out(y_BSN), self.dropout, self.training)

    def _attend_on_cpu(self, x_BSD: Tensor, mask: Tensor | None, rotation: Rotation | None) -> Tensor:
        weight, turns = self.qkv.weight, None
        if rotation is not None:
            # `rotate` pairs value j of a query or key with value j + K/2; here the rows that make them lie side by side
            turns = torch.complex(*rotation)
            pairs, rest = weight[: 2 * len(weight) // 3], weight[2 * len(weight) // 3 :]
            pairs = pairs.reshape(2 * self.heads, 2, -1, pairs.shape[1]).transpose(1, 2)
            weight = torch.cat([pairs.reshape(-1, pairs.shape[-1]), rest])
        return attend_on_cpu(F.linear(x_BSD, weight), self.heads, mask, turns)

    @torch.no_grad()
    def initialise_mimetically(self) -> None:
        """Draw weights such that queries meet similar keys and values are written back with the opposite sign.

        Per head W_q W_k^T = 0.7 Z + 0.7 I, over all heads W_v W_o = 0.4 Z - 0.4 I, where Z has entries N(0, 1/D)
        (Trockman and Kolter, Mimetic Initialization of Self-Attention Layers, ICML 2023).
        """
        weight, (inner, width) = self.qkv.weight, (self.out.in_features, self.out.out_features)
        size = inner // self.heads
        for head in range(self.heads):
            u, s, vh = _noisy_identity(width, 0.7, 0.7)
            rows, root = slice(head * size, (head + 1) * size), s[:size].sqrt()
            weight[:inner][rows] = (u[:, :size] * root).T
            weight[inner : 2 * inner][rows] = vh[:size] * root[:, None]
        u, s, vh = _noisy_identity(width, 0.4, -0.4)
        rank = min(inner, width)
        root = s[:rank].sqrt()
        weight[2 * inner : 2 * inner + rank] = (u[:, :rank] * root).T
        self.out.weight.zero_()
        self.out.weight[:, :rank] = (root[:, None] * vh[:rank]).T
        self.out.bias.zero_()


def _noisy_identity(width: int, noise: float, identity: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the singular value decomposition of noise * Z + identity * I."""
    z = torch.randn(width, width) * width**-0.5
    u, s, vh = torch.linalg.svd(noise * z + identity * torch.eye(width))
    return u, s, vh


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

    def forward(self, x_BSD: Tensor, mask_B11S: Tensor | None, rotation: Rotation | None = None) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        x_BSD = x_BSD + self.attention(self.norm1(x_BSD), mask_B11S, rotation)
        hidden = dropout(F.gelu(self.up(self.norm2(x_BSD))), self.dropout, self.training)
        return x_BSD + dropout(self.down(hidden), self.dropout, self.training)


class Encoder(nn.Module):
    """The domain-agnostic Transformer encoder.

    Args:
        config: its sizes.
        specs: of the inputs, whose embeddings are concatenated in this order.
        standardisation: the mean and deviation of each input channel, used if `config.standardise`. Without them,
            inputs are taken as they are, until the constants of a saved encoder are loaded.
    """

    def __init__(self, config: EncoderConfig, specs: Specs, standardisation: Standardisation | None = None) -> None:
        super().__init__()
        self.config = config
        self.specs = specs
        self.embeddings = nn.ModuleList(embedding_of(spec, config.width, config.token_scale) for spec in specs)
        self.cls = nn.Parameter(config.cls_scale * torch.randn(config.width))
        self._set_positions(config, 1 + total_embeddings(specs))
        blocks = [Block(config) for _ in range(config.depth)]
        for block in blocks if config.mimetic else ():
            block.attention.initialise_mimetically()
        self.blocks = nn.ModuleList(blocks)
        self.project = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.projection))
        for i, spec in enumerate(specs if config.standardise else ()):
            if not isinstance(spec, Tokens):
                known = standardisation[i] if standardisation else None
                shape = (1, -1) if isinstance(spec, Series) else (-1, 1, 1)
                for name, default in (("mean", 0.0), ("deviation", 1.0)):
                    values = getattr(known, name) if known else (default,) * spec.channels
                    self.register_buffer(f"{name}_{i}", torch.tensor(values).reshape(shape))

    def _set_positions(self, config: EncoderConfig, count: int) -> None:
        if config.sinusoids:
            # fixed, so not saved with the weights
            fixed = config.sinusoids * sinusoidal_positions(count, config.width)
            self.register_buffer("positions", fixed, persistent=False)
        else:
            self.positions = nn.Parameter(torch.randn(count, config.width))
        if config.rotary:
            # few embeddings: distances of one to a hundred should turn the slowest pair by about a radian
            angle = position_angles(count, config.head_width // 2, base=100.0)
            self.register_buffer("cos", angle.cos().float(), persistent=False)
            self.register_buffer("sin", angle.sin().float(), persistent=False)

    @property
    def width(self) -> int:
        """D, the width of embeddings, tokens and features."""
        return self.config.width

    def embed(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the embeddings of inputs, without positions, (B, N, D)."""
        inputs = tuple(self._standardised(i, x) for i, x in enumerate(inputs))
        return torch.cat([embed(x) for embed, x in zip(self.embeddings, inputs, strict=True)], dim=1)

    def _standardised(self, i: int, x: Tensor) -> Tensor:
        if not self.config.standardise or isinstance(self.specs[i], Tokens):
            return x
        return (x - self.get_buffer(f"mean_{i}")) / self.get_buffer(f"deviation_{i}")

    def _rotation(self, n: int, index_BN: Tensor | None) -> Rotation | None:
        """Return the angles of [CLS] and of n embeddings, which come from the positions `index_BN`."""
        if not self.config.rotary:
            return None
        cos, sin = self.get_buffer("cos"), self.get_buffer("sin")
        if index_BN is None:
            return cos[: 1 + n], sin[: 1 + n]
        place_BS = F.pad(index_BN + 1, (1, 0))
        return cos[place_BS][:, None], sin[place_BS][:, None]

    def encode(
        self,
        x_BND: Tensor,
        mask_BN: Tensor | None = None,
        index_BN: Tensor | None = None,
        attend_BSS: Tensor | None = None,
    ) -> Tensor:
        """Return the tokens of embeddings, (B, 1+N, D), [CLS] first: those after the last block.

        Args:
            x_BND: the first N embeddings (trailing padding may be cut off), or a subset if `index_BN` is given.
            mask_BN: true where an embedding is real, false where it is padding; None if all are real.
            index_BN: for a subset, the position that each embedding comes from, int64.
            attend_BSS: true where a token (row) may attend to another (column), bool (B, S, S) or (S, S), [CLS]
                included; None lets every token attend to all real ones. Padding stays masked. If [CLS] attends to
                tokens that another token must not see, that token must not attend to [CLS].
        """
        for x_BSD in self.layers(x_BND, mask_BN, index_BN, attend_BSS):
            tokens_BSD = x_BSD
        return tokens_BSD

    def layers(
        self,
        x_BND: Tensor,
        mask_BN: Tensor | None = None,
        index_BN: Tensor | None = None,
        attend_BSS: Tensor | None = None,
    ) -> Iterator[Tensor]:
        """Yield the tokens after each block, (B, 1+N, D), first to last; the arguments are those of `encode`."""
        positions = self.positions[1 : 1 + x_BND.shape[1]] if index_BN is None else self.positions[1 + index_BN]
        cls_B1D = (self.cls + self.positions[0]).expand(len(x_BND), 1, -1)
        x_BSD = torch.cat([cls_B1D, x_BND + positions], dim=1)
        x_BSD = dropout(x_BSD, self.config.dropout, self.training)
        mask = None if mask_BN is None else F.pad(mask_BN, (1, 0), value=True)[:, None, None, :]
        if attend_BSS is not None:
            attend = attend_BSS if attend_BSS.ndim == 2 else attend_BSS[:, None]
            mask = attend if mask is None else attend & mask
            # attention over nothing is not a number, so a token that may attend to nothing attends to itself
            mask = mask | torch.eye(mask.shape[-1], dtype=torch.bool, device=mask.device)
        rotation = self._rotation(x_BND.shape[1], index_BN)
        for block in self.blocks:
            x_BSD = block(x_BSD, mask, rotation)
            yield x_BSD

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


def compile_blocks(encoder: Encoder, mode: str = "default", backend: str = "inductor") -> None:
    """Let torch.compile compile each block on its first call; all blocks share the compiled code.

    The rest of an objective is not compiled: drawing and comparing examples takes a small share of a step, and PyTorch
    2.11 fails to compile e-Mix's partners and SimCLR's logits for a CPU.
    """
    for block in encoder.blocks:
        block.compile(mode=mode, backend=backend)
