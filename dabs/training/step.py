"""A batch in parts, to need less memory: gradients are added up over the parts before the one optimiser step.

Of N parts each is drawn, contrasted and mixed by itself: negatives, and e-Mix's partners, come from an example's own
part. So N is part of what a run is, and of its results. Where each example has a loss of its own, and as many terms in
it as every other, the sum over the parts is that of the whole batch.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from dabs.algorithm import Algorithm
from dabs.config import PretrainConfig
from dabs.data.domain import Domain
from dabs.encoder import PRESETS, Encoder
from dabs.errors import DabsError, RequestError

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor

    from dabs.specs import Batch


def parts_of(batch: Batch, parts: int) -> Iterator[Batch]:
    """A batch of B examples cut into parts of B / N, all as long as the longest of the whole."""
    from dabs.specs import Batch

    size = len(batch) // parts
    for start in range(0, size * parts, size):
        rows = slice(start, start + size)
        mask = None if batch.mask is None else batch.mask[rows]
        yield Batch(inputs=tuple(x[rows] for x in batch.inputs), mask=mask)


def backward(fabric: Fabric, module: Any, batch: Batch, parts: int = 1) -> dict[str, Tensor]:
    """Add the gradients of a batch, the mean over its parts, to those of a module; gives the mean of what each logs."""
    if parts == 1:
        out: dict[str, Tensor] = module((batch.inputs, batch.mask))
        fabric.backward(out["loss"])
        return out
    total: dict[str, Tensor] = {}
    for number, part in enumerate(parts_of(batch, parts), 1):
        with fabric.no_backward_sync(module, enabled=number < parts):  # processes exchange gradients once a step
            out = module((part.inputs, part.mask))
            fabric.backward(out["loss"] / parts)
        for name, value in out.items():
            total[name] = total.get(name, 0.0) + value.detach() / parts
    return total


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Vocabulary cross-entropies meet denormals, which are thirty times slower; nothing outside training is changed."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def check_finite(module: nn.Module, step: int, folder: Path) -> None:
    """Refuse to keep weights that are not numbers: a gradient can overflow where the loss did not.

    Raises:
        DabsError: a parameter is not finite; nothing of this step was written.
    """
    for name, parameter in module.named_parameters():
        local = parameter.detach()
        local = local.to_local() if hasattr(local, "to_local") else local  # of a sharded one, this process's share
        if not bool(torch.isfinite(local).all()):
            raise DabsError(
                f"the weights {name} are not finite after step {step - 1}, though the loss was; training stopped, and "
                f"the last checkpoint before it is kept in {folder}. Try a lower --lr or fp32, with another --out."
            )


Fields = tuple[tuple[Tensor, ...], Tensor | None]  # of a batch: inputs, mask


class Objective(nn.Module):
    """The encoder and the algorithm as the one module that is trained."""

    def __init__(self, encoder: Encoder, algorithm: Algorithm) -> None:
        super().__init__()
        self.encoder = encoder
        self.algorithm = algorithm

    def forward(self, batch: Batch | Fields) -> dict[str, Tensor]:
        """The algorithm's loss on a batch, or on its inputs and mask: Fabric passes on no frozen dataclass in bf16."""
        given = batch if isinstance(batch, Batch) else Batch(inputs=batch[0], mask=batch[1])
        return self.algorithm.loss(self.encoder, given)


def seed_all(seed: int, step: int, process: int = 0) -> None:
    """Seed every generator for one step (-1 is the initialisation), by default alike in every process."""
    mixed = int(np.random.SeedSequence([seed, step + 1], spawn_key=(process,) * (process > 0)).generate_state(1)[0])
    torch.manual_seed(mixed)
    np.random.seed(mixed)
    random.seed(mixed)


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Linear warm-up over a tenth of the steps, then a cosine to zero."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


WARMUP_SHARE = 0.1  # share of the steps
CLIP_NORM = 1.0


def build(config: PretrainConfig, algorithm: type[Algorithm], domain: Domain) -> Objective:
    """The seeded encoder and algorithm. The encoder is drawn first: one seed gives all algorithms the same start."""
    seed_all(config.seed, -1)
    encoder = Encoder(PRESETS[config.encoder], domain.specs)
    try:
        return Objective(encoder, algorithm(encoder, **config.options))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{config.algorithm} refuses its options {config.options}: {error}") from error
