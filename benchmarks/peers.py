"""Time our training step against those of timm, transformers and lightly.

    pip install -e '.[peers]'
    python benchmarks/peers.py                               # the lite suite's encoder, fp32 and autocast
    python benchmarks/peers.py --encoder paper --batch 16    # the paper's depth and width
    python benchmarks/peers.py --precisions fp32 --domains natural_images

A step is a forward pass, a cross-entropy of mean-pooled features through one linear layer, the backward pass, clipping
and AdamW. Sides of a row take turns in one process; all but the encoder is the same code for each of them. Pictures,
spectrograms and series (pictures of one row) go through timm's `VisionTransformer` and transformers' `ViTModel`, texts
through transformers' `RobertaPreLayerNormModel`. In the rows `NT-Xent` and `VICReg` the encoder is ours, and lightly's
loss takes the place of `contrastive`'s (with its projection head) or `vicreg`'s; in the row `MAE`, lightly's masked
autoencoder with timm's encoder stands against `mae` with ours.

Before a row is timed, the peer gets our weights, without dropout and without what it does not have (rotary and
sinusoidal positions, standardised inputs): its loss must then equal ours up to rounding. What is timed is the preset
as `dabs pretrain` uses it, rotary positions included. Neither library can have heads whose width in all is not the
model's, so the paper's encoder has 4 heads of 64 here.

Expected: 1.25 or more in every row of an encoder.
"""

from __future__ import annotations

import sys
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from statistics import geometric_mean
from typing import Any

import torch
from reporting import parser_of, publish
from torch import Tensor, nn
from torch.nn import functional as F

from dabs.bench.synthetic import synthetic_batch
from dabs.bench.timing import Ratio, Times, TimingTable, alternate, widest_instructions
from dabs.encoder import PRESETS, Encoder, EncoderConfig
from dabs.registry import find_algorithm, find_domain
from dabs.specs import Batch, Image, Series, Spec, Tokens
from dabs.training.memory import keep_freed_memory
from dabs.training.precision import autocast
from dabs.training.step import OptimizerStep, adamw, flush_denormals
from dabs.utils.environment import processor_name

DOMAINS = ("natural_images", "speech", "sensor", "english_text")  # pictures, spectrograms, series, texts
CLASSES = 10
EPSILON = 1e-5  # of our layer norms
TOLERANCE = 1e-4  # largest difference of the losses, as a share of ours
OURS, TIMM, TRANSFORMERS, LIGHTLY = "dabs", "timm", "transformers", "lightly"


class Step:
    """Takes an optimiser step of a module when called; the batch is always the same.

    Args:
        module: whose parameters are trained.
        loss: of the batch.
        precision: "fp32", or "bf16" for autocast.
    """

    def __init__(self, module: nn.Module, loss: Callable[[], Tensor], precision: str) -> None:
        self.module, self.loss, self.precision = module.train(), loss, precision
        self.take = OptimizerStep(lambda batch: {"loss": self.value()}, adamw(module.parameters(), 1e-4, 1e-4))

    def value(self) -> Tensor:
        """Return the loss, in the precision of the step."""
        with autocast(torch.device("cpu"), self.precision):
            return self.loss()

    def __call__(self) -> None:
        """Forward, backward, clipping, AdamW."""
        with flush_denormals():
            self.take(Batch(inputs=(torch.empty(1),)))


class Classifier(nn.Module):
    """A linear layer on the mean of a body's tokens.

    Args:
        body: the model of a library.
        tokens_of: maps the body and a batch to tokens, (B, S, D), and the mask over them, (B, S), or None.
        width: D.
    """

    def __init__(self, body: nn.Module, tokens_of: Callable[[Any, Batch], tuple[Tensor, Tensor | None]], width: int):
        super().__init__()
        self.body, self.tokens_of = body, tokens_of
        self.head = nn.Linear(width, CLASSES)

    def forward(self, batch: Batch) -> Tensor:
        """Return the cross-entropy with the batch's labels."""
        tokens_BSD, mask_BS = self.tokens_of(self.body, batch)
        features_BD = Encoder.pool(tokens_BSD, None if mask_BS is None else mask_BS[:, 1:])
        return F.cross_entropy(self.head(features_BD), batch.label)


def ours(encoder: Encoder, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return our encoder's tokens."""
    mask = None if batch.mask is None else F.pad(batch.mask, (1, 0), value=True)
    return encoder.encode(encoder.embed(batch.inputs), batch.mask), mask


def as_picture(spec: Spec) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Return the channels, size and patch of a picture; a series is one of a single row."""
    if isinstance(spec, Series):
        return spec.channels, (1, spec.steps), (1, spec.segment)
    assert isinstance(spec, Image)
    return spec.channels, (spec.height, spec.width), (spec.patch, spec.patch)


def pictures(batch: Batch) -> Tensor:
    """Return pictures (B, C, H, W) or series (B, T, C) as pictures."""
    (x,) = batch.inputs
    return x if x.ndim == 4 else x.transpose(1, 2)[:, :, None]


def make_timm(config: EncoderConfig, spec: Spec) -> tuple[nn.Module, Callable[..., Any]]:
    """Return timm's `VisionTransformer` of our sizes."""
    from timm.models.vision_transformer import VisionTransformer

    channels, size, patch = as_picture(spec)
    body = VisionTransformer(
        img_size=size,
        patch_size=patch,  # type: ignore[arg-type]
        in_chans=channels,
        num_classes=0,
        global_pool="",
        embed_dim=config.width,
        depth=config.depth,
        num_heads=config.heads,
        mlp_ratio=config.mlp / config.width,
        qkv_bias=False,
        final_norm=False,
        pos_drop_rate=config.dropout,
        proj_drop_rate=config.dropout,
        norm_layer=partial(nn.LayerNorm, eps=EPSILON),
    )
    return body, lambda body, batch: (body(pictures(batch)), None)


def transformers_sizes(config: EncoderConfig) -> dict[str, Any]:
    """Return our sizes by the names of transformers."""
    return {
        "hidden_size": config.width,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "intermediate_size": config.mlp,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": 0.0,
        "layer_norm_eps": EPSILON,
    }


def make_vit(config: EncoderConfig, spec: Spec) -> tuple[nn.Module, Callable[..., Any]]:
    """Return transformers' `ViTModel` of our sizes."""
    from transformers import ViTConfig, ViTModel

    channels, size, patch = as_picture(spec)
    settings = ViTConfig(
        image_size=size,
        patch_size=patch,
        num_channels=channels,
        qkv_bias=False,
        **transformers_sizes(config),
    )
    body = ViTModel(settings, add_pooling_layer=False)
    body.layernorm = nn.Identity()
    return body, lambda body, batch: (body(pictures(batch)).last_hidden_state, None)


def make_roberta(config: EncoderConfig, spec: Spec) -> tuple[nn.Module, Callable[..., Any]]:
    """Return transformers' `RobertaPreLayerNormModel` of our sizes; its vocabulary has one more word, [CLS]."""
    from transformers import RobertaPreLayerNormConfig, RobertaPreLayerNormModel

    assert isinstance(spec, Tokens)
    settings = RobertaPreLayerNormConfig(
        vocab_size=spec.vocabulary + 1,
        max_position_embeddings=spec.length + 1,
        type_vocab_size=1,
        **transformers_sizes(config),
    )
    body = RobertaPreLayerNormModel(settings, add_pooling_layer=False)
    body.LayerNorm = body.embeddings.LayerNorm = nn.Identity()
    positions = torch.arange(spec.length + 1)[None]

    def tokens_of(body: Any, batch: Batch) -> tuple[Tensor, Tensor]:
        (ids,) = batch.inputs
        ids = F.pad(ids, (1, 0), value=spec.vocabulary)
        mask = torch.ones_like(ids) if batch.mask is None else F.pad(batch.mask, (1, 0), value=True).long()
        out = body(input_ids=ids, attention_mask=mask, position_ids=positions[:, : ids.shape[1]].expand_as(ids))
        return out.last_hidden_state, mask.bool()

    return body, tokens_of


def copy_weights(encoder: Encoder, body: nn.Module) -> None:
    """Give a peer our encoder's weights, by the names of its parameters; what it has more becomes zero."""
    theirs, found = dict(body.named_parameters()), {}
    (embedding,) = encoder.embeddings
    spec = encoder.specs[0]
    if isinstance(spec, Tokens):
        found["embeddings.word_embeddings.weight"] = torch.cat([embedding.weight, encoder.cls[None]])
        found["embeddings.position_embeddings.weight"] = encoder.positions
    else:
        channels, _, patch = as_picture(spec)
        kernel = embedding.linear.weight.reshape(-1, *patch, channels).permute(0, 3, 1, 2)
        timm = "pos_embed" in theirs
        place = "patch_embed.proj" if timm else "embeddings.patch_embeddings.projection"
        found |= {f"{place}.weight": kernel, f"{place}.bias": embedding.linear.bias}
        found["cls_token" if timm else "embeddings.cls_token"] = encoder.cls[None, None]
        found["pos_embed" if timm else "embeddings.position_embeddings"] = encoder.positions[None]
    for i, block in enumerate(encoder.blocks):
        found |= block_weights(block, next(p for p in PLACES if p.norm1.format(i) + ".weight" in theirs), i)
    with torch.no_grad():
        for name, parameter in theirs.items():
            parameter.copy_(found.get(name, torch.zeros(())))
    unknown = found.keys() - theirs.keys()
    assert not unknown, unknown


class Places:
    """Where a library keeps the parameters of block `{}`; `qkv` holds one name for all three, or three."""

    def __init__(self, norm1: str, qkv: tuple[str, ...], out: str, norm2: str, up: str, down: str) -> None:
        self.norm1, self.qkv, self.out, self.norm2, self.up, self.down = norm1, qkv, out, norm2, up, down


PLACES = (
    Places(
        "blocks.{}.norm1",
        ("blocks.{}.attn.qkv",),
        "blocks.{}.attn.proj",
        "blocks.{}.norm2",
        "blocks.{}.mlp.fc1",
        "blocks.{}.mlp.fc2",
    ),
    Places(
        "layers.{}.layernorm_before",
        tuple(f"layers.{{}}.attention.{name}_proj" for name in "qkv"),
        "layers.{}.attention.o_proj",
        "layers.{}.layernorm_after",
        "layers.{}.mlp.fc1",
        "layers.{}.mlp.fc2",
    ),
    Places(
        "encoder.layer.{}.attention.LayerNorm",
        tuple(f"encoder.layer.{{}}.attention.self.{name}" for name in ("query", "key", "value")),
        "encoder.layer.{}.attention.output.dense",
        "encoder.layer.{}.intermediate.LayerNorm",
        "encoder.layer.{}.intermediate.dense",
        "encoder.layer.{}.output.dense",
    ),
)


def block_weights(block: nn.Module, places: Places, i: int) -> dict[str, Tensor]:
    """Return our block's parameters by the names of a library."""
    found: dict[str, Tensor] = {}
    for part in ("norm1", "norm2", "up", "down"):
        module, name = getattr(block, part), getattr(places, part).format(i)
        found |= {f"{name}.weight": module.weight, f"{name}.bias": module.bias}
    attention: Any = block.attention
    found |= {
        f"{places.out.format(i)}.weight": attention.out.weight,
        f"{places.out.format(i)}.bias": attention.out.bias,
    }
    weights = attention.qkv.weight.chunk(len(places.qkv))
    return found | {f"{name.format(i)}.weight": weight for name, weight in zip(places.qkv, weights, strict=True)}


def peers_of(spec: Spec) -> dict[str, Callable[..., Any]]:
    """Return the libraries' encoders that can take an input."""
    return {TRANSFORMERS: make_roberta} if isinstance(spec, Tokens) else {TIMM: make_timm, TRANSFORMERS: make_vit}


def check(spec: Spec, config: EncoderConfig, batch: Batch) -> None:
    """Exit unless every peer computes our loss from our weights."""
    plain = replace(config, dropout=0.0, rotary=False, sinusoids=0.0, standardise=False)
    torch.manual_seed(0)
    encoder = Encoder(plain, (spec,))
    mine = Classifier(encoder, ours, plain.width)
    loss = float(mine(batch).detach())
    for name, make in peers_of(spec).items():
        body, tokens_of = make(plain, spec)
        copy_weights(encoder, body)
        theirs = Classifier(body, tokens_of, plain.width)
        theirs.head.load_state_dict(mine.head.state_dict())
        found = float(theirs(batch).detach())
        if abs(found - loss) > TOLERANCE * abs(loss):
            sys.exit(f"{name}: with our weights its loss is {found:.6g}, ours is {loss:.6g}")


def encoder_sides(spec: Spec, config: EncoderConfig, batch: Batch, precision: str) -> dict[str, Step]:
    """Return our step and the peers' for one kind of input."""
    torch.manual_seed(0)
    bodies = {OURS: (Encoder(config, (spec,)), ours)}
    bodies |= {name: make(config, spec) for name, make in peers_of(spec).items()}
    sides = {}
    for name, (body, tokens_of) in bodies.items():
        module = Classifier(body, tokens_of, config.width)
        sides[name] = Step(module, partial(module, batch), precision)
    return sides


def contrastive_sides(spec: Spec, config: EncoderConfig, batch: Batch, precision: str) -> dict[str, Step]:
    """Return `contrastive` and the same views of the same encoder through lightly's loss and head.

    Exits unless both losses are equal for the same projections.
    """
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead

    from dabs.algorithms.contrastive import nt_xent

    contrastive = find_algorithm("contrastive")
    torch.manual_seed(0)
    encoders = [Encoder(config, (spec,)) for _ in range(2)]
    mine, views = (contrastive(encoder) for encoder in encoders)
    loss_of = NTXentLoss(temperature=mine.temperature)
    views.head = SimCLRProjectionHead(config.width, config.width, 128)
    a, b = torch.randn(2, len(batch), 128)
    exact, found = float(nt_xent(a, b, mine.temperature)[0]), float(loss_of(a, b))
    if abs(found - exact) > TOLERANCE * exact:
        sys.exit(f"lightly's NT-Xent is {found:.6g}, ours is {exact:.6g}")

    def theirs() -> Tensor:
        x_BND = encoders[1].embed(batch.inputs)
        drawn = (views.draw(x_BND, batch.mask) for _ in range(2))
        projections = [views._view(encoders[1], x_BND, batch.mask, index) for index in drawn]
        return loss_of(*projections)  # type: ignore[no-any-return]

    return {
        OURS: Step(nn.ModuleList([encoders[0], mine]), lambda: mine.loss(encoders[0], batch)["loss"], precision),
        LIGHTLY: Step(nn.ModuleList([encoders[1], views]), theirs, precision),
    }


def vicreg_sides(spec: Spec, config: EncoderConfig, batch: Batch, precision: str) -> dict[str, Step]:
    """Return `vicreg` and the same views of the same encoder through lightly's loss, after comparing both losses."""
    from lightly.loss import VICRegLoss

    vicreg = find_algorithm("vicreg")
    torch.manual_seed(0)
    encoders = [Encoder(config, (spec,)) for _ in range(2)]
    mine, views = (vicreg(encoder) for encoder in encoders)
    loss_of = VICRegLoss()
    a, b = torch.randn(2, len(batch), 128)
    exact, found = float(mine.loss_of(a, b)["loss"]), float(loss_of(a, b))
    if abs(found - exact) > TOLERANCE * exact:
        sys.exit(f"lightly's VICReg is {found:.6g}, ours is {exact:.6g}")

    def theirs() -> Tensor:
        x_BND = encoders[1].embed(batch.inputs)
        return loss_of(*(views._view(encoders[1], x_BND, batch.mask) for _ in range(2)))  # type: ignore[no-any-return]

    return {
        OURS: Step(nn.ModuleList([encoders[0], mine]), lambda: mine.loss(encoders[0], batch)["loss"], precision),
        LIGHTLY: Step(nn.ModuleList([encoders[1], views]), theirs, precision),
    }


def mae_sides(spec: Image, config: EncoderConfig, batch: Batch, precision: str) -> dict[str, Step]:
    """Return `mae` and lightly's masked autoencoder, with a decoder of one block and of the encoder's width as well.

    Their losses are not compared: lightly's encoder is timm's, so the two differ in weights and in what is hidden.
    """
    from lightly.models import utils
    from lightly.models.modules import MAEDecoderTIMM, MaskedVisionTransformerTIMM

    torch.manual_seed(0)
    encoder = Encoder(config, (spec,))
    mine = find_algorithm("mae")(encoder)
    body, _ = make_timm(config, spec)
    masked = MaskedVisionTransformerTIMM(vit=body)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its removal in lightly 1.7
        decoder = MAEDecoderTIMM(
            num_patches=spec.embeddings,
            patch_size=spec.patch,
            in_chans=spec.channels,
            embed_dim=config.width,
            decoder_embed_dim=config.width,
            decoder_depth=1,
            decoder_num_heads=config.heads,
            mlp_ratio=config.mlp / config.width,
        )
    size = (len(batch), masked.sequence_length)
    picture_BCHW = pictures(batch)

    def theirs() -> Tensor:
        keep_BK, hide_BM = utils.random_token_mask(size=size, mask_ratio=mine.mask_rate)
        shown_BKD = decoder.embed(masked.encode(picture_BCHW, idx_keep=keep_BK))
        tokens_BSD = utils.repeat_token(decoder.mask_token, size)
        tokens_BSD = utils.set_at_index(tokens_BSD, keep_BK, shown_BKD.type_as(tokens_BSD))
        guess_BMP = decoder.predict(utils.get_at_index(decoder.decode(tokens_BSD), hide_BM))
        patch_BMP = utils.get_at_index(utils.patchify(picture_BCHW, spec.patch), hide_BM - 1)
        return F.mse_loss(guess_BMP, utils.normalize_mean_var(patch_BMP, dim=-1))

    return {
        OURS: Step(nn.ModuleList([encoder, mine]), lambda: mine.loss(encoder, batch)["loss"], precision),
        LIGHTLY: Step(nn.ModuleList([masked, decoder]), theirs, precision),
    }


def rows_of(options: Namespace) -> Iterator[tuple[str, dict[str, Times]]]:
    """Check and time the sides of each row."""
    config = PRESETS[options.encoder]
    if config.heads * config.head_width != config.width:
        config = replace(config, heads=config.width // config.head_width)
    for domain in options.domains:
        (spec,) = find_domain(domain, "lite" if options.encoder == "small" else "paper").specs
        batch = synthetic_batch((spec,), options.batch)
        batch = replace(batch, label=torch.arange(options.batch) % CLASSES)
        check(spec, config, batch)
        for precision in options.precisions:
            yield f"{domain}, {precision}", alternate(encoder_sides(spec, config, batch, precision), options.rounds)
            sides = contrastive_sides(spec, config, batch, precision)
            yield f"NT-Xent, {domain}, {precision}", alternate(sides, options.rounds)
            sides = vicreg_sides(spec, config, batch, precision)
            yield f"VICReg, {domain}, {precision}", alternate(sides, options.rounds)
            if isinstance(spec, Image) and spec.height == spec.width:  # lightly cuts square pictures only
                yield (
                    f"MAE, {domain}, {precision}",
                    alternate(mae_sides(spec, config, batch, precision), options.rounds),
                )


def table_of(rows: list[tuple[str, dict[str, Times]]], options: Namespace) -> TimingTable:
    """Return the table of all rows, and the geometric mean of the ratios of each peer and precision."""
    peers = (TIMM, TRANSFORMERS, LIGHTLY)
    lines, ratios = [], {}
    for name, times in rows:
        found: dict[str, Ratio] = {peer: times[peer].over(times[OURS]) for peer in peers if peer in times}
        ratios |= {(peer, name.rpartition(", ")[2], name): ratio.median for peer, ratio in found.items()}
        cells = (str(found[peer]) if peer in found else "–" for peer in peers)
        lines.append((name, f"{1e3 * times[OURS].median:.0f}", *cells))
    for precision in options.precisions:
        means = [[x for (p, kind, _), x in ratios.items() if (p, kind) == (peer, precision)] for peer in peers]
        cells = (f"{geometric_mean(mean):.2f}" if mean else "–" for mean in means)
        lines.append((f"geometric mean, {precision}", "", *cells))
    title = f"{options.encoder} encoder, batches of {options.batch}: how many times as long as ours a peer's step takes"
    return TimingTable(title=title, columns=("step", "dabs, ms", *peers), rows=lines)


def kind_of_processor() -> str:
    """Return the processor's name and instructions: ratios differ between kinds, so each has a section."""
    name = processor_name().replace("(R)", "").replace(" Processor", "")
    return f"{name}, {widest_instructions()}"


def main() -> None:
    """Print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--encoder", choices=("small", "paper"), default="small")
    parser.add_argument("--batch", type=int, default=64, help="examples per step")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=DOMAINS)
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=("fp32", "bf16"))
    options = parser.parse_args()
    if options.quick:
        options.batch, options.rounds = 4, 1
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    rows = []
    for name, times in rows_of(options):
        rows.append((name, times))
        ours = times[OURS]
        print(name, *(f"{side} {times[side].over(ours)}" for side in times if side != OURS), sep="  ", flush=True)
    table = table_of(rows, options)
    table.show()
    publish(options.markdown, f"peers, {options.encoder}, {kind_of_processor()}", [table])


if __name__ == "__main__":
    main()
