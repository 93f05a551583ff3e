"""What the checks work with: small encoders, synthetic batches of every kind of input, and the steps of training."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dabs.algorithm import Algorithm
from dabs.bench.synthetic import synthetic_batch
from dabs.encoder import Encoder, EncoderConfig
from dabs.specs import Batch, Image, Series, Specs, Tokens
from dabs.training.step import Objective, OptimizerStep, adamw, seed_all

#: The encoder of all checks but the cost: two blocks are the fewest in which attention can carry something on.
TINY = EncoderConfig(width=32, depth=2, heads=2, head_width=16, mlp=64, projection=16, dropout=0.0)
RATE = 3e-3  # of AdamW, the `small` encoder's

#: One small input of every kind, and two inputs together.
KINDS: dict[str, Specs] = {
    "tokens": (Tokens(length=12, vocabulary=50),),
    "series": (Series(steps=20, channels=6, segment=5),),
    "image": (Image(height=16, width=16, channels=3, patch=4),),
    "image_tokens": (Image(height=16, width=16, channels=3, patch=4), Tokens(length=12, vocabulary=50)),
}


class Broken(Exception):
    """A promise that does not hold.

    Args:
        reason: what was seen and what it should have been.
        place: FILE:LINE; without one the checked method's line is shown.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.place = place


class NotApplicable(Exception):
    """Why a check says nothing about this algorithm or input."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """An input to check on: a kind, or a domain's own specs under the domain's name."""

    name: str
    specs: Specs

    def batch(self, size: int = 6, seed: int = 0, *, padded: bool = False) -> Batch:
        """A synthetic batch without labels."""
        return synthetic_batch(self.specs, size, seed=seed, padded=padded)


@dataclass(frozen=True)
class Subject:
    """The algorithm that is checked."""

    algorithm: type[Algorithm]

    @cached_property
    def file(self) -> str:
        """The path of its source, as tracebacks name it."""
        return inspect.getfile(self.algorithm)

    def place(self, method: str) -> str:
        """FILE:LINE where a method is defined; the class's line when it inherits the method."""
        own: Any = vars(self.algorithm).get(method, self.algorithm)
        try:
            return f"{self.file}:{inspect.getsourcelines(own)[1]}"
        except (OSError, TypeError):
            return self.file

    def objective(self, specs: Specs, seed: int = 0, config: EncoderConfig = TINY) -> Objective:
        """The seeded encoder and the algorithm with its default hyper-parameters, as `dabs pretrain` makes them."""
        seed_all(seed, -1)
        encoder = Encoder(config, specs)
        return Objective(encoder, self.algorithm(encoder))

    def loss(self, objective: Objective, batch: Batch, step: int = 0) -> Tensor:
        """The loss on a batch with the random numbers of a step.

        Raises:
            Broken: it is not a scalar tensor under "loss" in a dictionary of scalar tensors.
        """
        seed_all(0, step)
        return self.scalar(objective(batch))

    def scalar(self, out: Any) -> Tensor:
        """The loss among what `loss` gave, after checking its form."""
        place = self.place("loss")
        if not isinstance(out, dict) or "loss" not in out:
            raise Broken(f'loss must return a dictionary with the key "loss", not {_short(out)}', place)
        for name, value in out.items():
            if not isinstance(value, Tensor) or value.shape != ():
                raise Broken(f"{name!r} must be a scalar tensor, not {_short(value)}", place)
            if not torch.isfinite(value):
                raise Broken(f"{name!r} is {value.item()}", place)
        return out["loss"]  # type: ignore[no-any-return]

    def steps(
        self, objective: Objective, optimizer: torch.optim.Optimizer, batch: Batch, start: int, end: int
    ) -> list[float]:
        """Losses of the steps start .. end-1 of training on one repeated batch, done as `dabs pretrain` does them."""
        losses = []
        take_step = OptimizerStep(lambda part: {"loss": self.scalar(objective(part))}, optimizer)
        for step in range(start, end):
            seed_all(0, step)
            losses.append(take_step(batch)["loss"].item())
            objective.algorithm.after_step(step)
        return losses


def optimizer_of(objective: Objective) -> torch.optim.AdamW:
    """The optimiser of pretraining, at the rate of the `small` encoder."""
    return adamw(objective.parameters(), RATE, 1e-4)


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
