"""Measure how fast prepared rows are read, and how fast an encoder reads them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from dabs.bench.synthetic import synthetic_domain
from dabs.bench.timing import Times, alternate
from dabs.data.arrow import MappedColumn
from dabs.data.domain import PRETRAIN, TRAIN, Domain
from dabs.data.loader import read_batches
from dabs.data.prepared import folder_of, open_prepared
from dabs.data.split import Split
from dabs.encoder import Encoder, EncoderConfig
from dabs.evaluation.features import pooled_features
from dabs.specs import Batch, Specs
from dabs.training.precision import autocast


def mapped_inputs(domain: Domain) -> list[MappedColumn]:
    """Return the input columns of a domain's pretraining rows, mapped from the file."""
    path = folder_of(domain) / PRETRAIN / f"{TRAIN}.arrow"
    return [MappedColumn(path, f"input_{i}") for i in range(len(domain.specs))]


def read_seconds(domain: Domain, size: int, device: str) -> float:
    """Return the seconds to read one batch of pretraining rows onto a device, with nothing read ahead."""
    split = Split(open_prepared(domain), TRAIN, labels=False)
    index = np.random.default_rng(0).integers(0, len(split), size)
    return alternate({"read": lambda: list(read_batches(split, [index], torch.device(device)))}, 5)["read"].median


def reading_rates(domain: Domain, rounds: int, size: int = 256) -> tuple[int, float, float]:
    """Return the bytes of an example, and the rows per second from a mapped file: as stored, and as floats."""
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
    """Time the features of a split ("features"), and forward passes over batches already in memory ("bare").

    Args:
        specs: the inputs.
        config: the encoder's sizes.
        rows: examples in the split.
        rounds: how often both are timed.
        precision: "fp32" or "bf16".
        sizes: the batch sizes of the bare pass; the fastest one counts.
    """
    torch.manual_seed(0)
    encoder = Encoder(config, specs).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    device = next(encoder.parameters()).device

    @torch.inference_mode()
    def bare(batches: list[Batch]) -> None:
        with autocast(device, precision):
            for batch in batches:
                encoder(batch)

    with synthetic_domain(specs, rows) as domain:
        split = Split(open_prepared(domain), TRAIN, labels=False)
        batches_of = {size: [batch.to(device) for batch in split.batches(size)] for size in sizes}
        sides: dict[str, Any] = {"features": lambda: pooled_features(encoder, split, precision)}
        sides |= {str(size): partial(bare, batches) for size, batches in batches_of.items()}
        times = alternate(sides, rounds)
    fastest = min(map(str, sizes), key=lambda size: times[size].median)
    return {"features": times["features"], "bare": times[fastest]}
