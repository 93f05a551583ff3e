"""What the checks work with: small encoders, synthetic inputs, training steps."""

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

#: The encoder of all checks but that of cost; with fewer than two blocks, no block would see the output of attention.
TINY = EncoderConfig(width=32, depth=2, heads=2, head_width=16, mlp=64, projection=16, dropout=0.0)
LEARNING_RATE = 3e-3  # of AdamW, as for the `small` encoder

#: A small input of every kind, and one that combines two.
KINDS: dict[str, Specs] = {
    "tokens": (Tokens(length=12, vocabulary=50),),
    "series": (Series(steps=20, channels=6, segment=5),),
    "image": (Image(height=16, width=16, channels=3, patch=4),),
    "image_tokens": (Image(height=16, width=16, channels=3, patch=4), Tokens(length=12, vocabulary=50)),
}


class PromiseBroken(Exception):
    """An algorithm breaks the promise that a check is about.

    Args:
        reason: what was found, and what it should be.
        place: FILE:LINE; if it is empty, the line of the checked method is shown.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.place = place


class NotApplicable(Exception):
    """Raised when a check does not apply to an algorithm or an input; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """The input of a check: one of `KINDS`, or a domain's specs under the domain's name."""

    name: str
    specs: Specs

    def batch(self, size: int = 6, seed: int = 0, *, padded: bool = False) -> Batch:
        """Return a synthetic batch without labels."""
        return synthetic_batch(self.specs, size, seed=seed, padded=padded)


@dataclass(frozen=True)
class Subject:
    """The algorithm under test."""

    algorithm: type[Algorithm]

    @cached_property
    def file(self) -> str:
        """Return the path of its source, as tracebacks name it."""
        return inspect.getfile(self.algorithm)

    def place(self, method: str) -> str:
        """Return FILE:LINE of a method, or of the class if it inherits the method."""
        own: Any = vars(self.algorithm).get(method, self.algorithm)
        try:
            return f"{self.file}:{inspect.getsourcelines(own)[1]}"
        except (OSError, TypeError):
            return self.file

    def objective(self, specs: Specs, seed: int = 0, config: EncoderConfig = TINY) -> Objective:
        """Build the seeded encoder and the algorithm with its default hyper-parameters, as `dabs pretrain` does."""
        seed_all(seed, -1)
        encoder = Encoder(config, specs)
        return Objective(encoder, self.algorithm(encoder))

    def loss(self, objective: Objective, batch: Batch, step: int = 0) -> Tensor:
        """Return the loss on a batch, with the random numbers of a step.

        Raises:
            RequestError: `loss` does not return a dictionary of scalar tensors with the key "loss".
            PromiseBroken: one of them is not finite.
        """
        seed_all(0, step)
        return self.finite_loss(objective(batch))

    def finite_loss(self, out: dict[str, Tensor]) -> Tensor:
        """Return the loss from what `loss` returned, after checking that all of it is finite."""
        for name, value in out.items():
            if not torch.isfinite(value):
                raise PromiseBroken(
                    f"{name!r} is {value.item()}; look for a logarithm or a root of 0, or a division by 0",
                    self.place("loss"),
                )
        return out["loss"]

    def steps(
        self,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        batch: Batch,
        start: int,
        end: int,
        parts: int = 1,
        *,
        after_step: bool = True,
    ) -> list[float]:
        """Take the steps start .. end-1 on one repeated batch, as `dabs pretrain` does; return their losses.

        Without `after_step`, a teacher or whatever else the objective moves there stays as it is.
        """
        losses = []
        take_step = OptimizerStep(lambda part: {"loss": self.finite_loss(objective(part))}, optimizer, parts=parts)
        for step in range(start, end):
            seed_all(0, step)
            losses.append(take_step(batch)["loss"].item())
            if after_step:
                objective.after_step(step)
        return losses


def optimizer_of(objective: Objective) -> torch.optim.AdamW:
    """Return the optimiser of pretraining, with the learning rate of the `small` encoder."""
    return adamw(objective.parameters(), LEARNING_RATE, 1e-4)
