"""How fast prepared rows are read, alone and through an encoder."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from dabs.bench.synthetic import made_up_domain
from dabs.bench.timing import Times, alternate
from dabs.data.arrow import MappedColumn
from dabs.data.domain import PRETRAIN, TRAIN, Domain
from dabs.data.loader import read_batches
from dabs.data.prepared import folder_of, open_prepared
from dabs.data.split import Split
from dabs.encoder import Encoder, EncoderConfig
from dabs.evaluation.features import features_of
from dabs.specs import Batch, Specs
from dabs.training.precision import autocast


def mapped_inputs(domain: Domain) -> list[MappedColumn]:
    """The inputs of a domain's pretraining rows, read from its file."""
    path = folder_of(domain) / PRETRAIN / f"{TRAIN}.arrow"
    return [MappedColumn(path, f"input_{i}") for i in range(len(domain.specs))]


def read_seconds(domain: Domain, size: int, device: str) -> float:
    """Seconds of making one batch of a domain's pretraining rows ready on a device, when nothing is read ahead."""
    split = Split(open_prepared(domain), TRAIN, labels=False)
    index = np.random.default_rng(0).integers(0, len(split), size)
    return alternate({"read": lambda: list(read_batches(split, [index], torch.device(device)))}, 5)["read"].median


def reading_rates(domain: Domain, rounds: int, size: int = 256) -> tuple[int, float, float]:
    """Bytes of an example, and rows a second from a domain's mapped file: as stored, and as models take them."""
    split = Split(open_prepared(domain), TRAIN, labels=False, in_memory=False)
    indices = [np.random.default_rng(i).integers(0, len(split), size) for i in range(4)]
    times = alternate(
        {
            "stored": lambda: [split.stored(index) for index in indices],
            "floats": lambda: [split.batch(index) for index in indices],
        },
        rounds,
    )
    rates = [len(indices) * size / times[name].median for name in ("stored", "floats")]
    one = split.stored(indices[0][:1])
    return sum(x.nbytes for x in one.inputs), rates[0], rates[1]


def feature_seconds(
    specs: Specs,
    config: EncoderConfig,
    rows: int,
    rounds: int,
    *,
    precision: str = "fp32",
    sizes: tuple[int, ...] = (32,),
) -> dict[str, Times]:
    """Times of the features of a split ("features") and of passes over its batches that are there already ("bare").

    Args:
        specs: the inputs.
        config: the encoder's sizes.
        rows: of the split.
        rounds: how often.
        precision: "fp32" or "bf16".
        sizes: of batches, of which the fastest is the bare one.
    """
    torch.manual_seed(0)
    encoder = Encoder(config, specs).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    device = next(encoder.parameters()).device

    @torch.inference_mode()
    def bare(batches: list[Batch]) -> None:
        with autocast(device, precision):
            for batch in batches:
                encoder(batch)

    with made_up_domain(specs, rows) as domain:
        split = Split(open_prepared(domain), TRAIN, labels=False)
        there = {size: [batch.to(device) for batch in split.batches(size)] for size in sizes}
        sides: dict[str, Any] = {"features": lambda: features_of(encoder, split, precision)}
        sides |= {str(size): partial(bare, batches) for size, batches in there.items()}
        times = alternate(sides, rounds)
    fastest = min(map(str, sizes), key=lambda size: times[size].median)
    return {"features": times["features"], "bare": times[fastest]}
