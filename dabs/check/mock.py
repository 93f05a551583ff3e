"""What the checks work with: small encoders, synthetic batches of every kind of input, and the steps of training."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from dabs.algorithm import Algorithm
from dabs.data.split import padding_mask
from dabs.encoder import Encoder, EncoderConfig
from dabs.specs import Batch, Image, Series, Specs, Tokens
from dabs.training.step import CLIP_NORM, Objective, seed_all

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
        """A synthetic batch without labels; see `make_batch`."""
        return make_batch(self.specs, size, seed, padded=padded)


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
        for step in range(start, end):
            loss = self.loss(objective, batch, step)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(objective.parameters(), CLIP_NORM)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            objective.algorithm.after_step(step)
            losses.append(loss.item())
        return losses


def adamw(objective: Objective) -> torch.optim.AdamW:
    """The optimiser of pretraining."""
    return torch.optim.AdamW(objective.parameters(), lr=RATE, weight_decay=1e-4)


def make_batch(specs: Specs, size: int, seed: int = 0, *, padded: bool = False) -> Batch:
    """A synthetic batch: standard normal values, uniform ids.

    Args:
        specs: the inputs.
        size: B.
        seed: of the values.
        padded: whether token inputs end in padding; the first example then has a single real token.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = []
    for spec in specs:
        if isinstance(spec, Tokens):
            ids = torch.randint(1, spec.vocabulary, (size, spec.length), generator=generator)
            lengths = torch.randint(3, spec.length, (size, 1), generator=generator)
            lengths[0] = 1
            inputs.append(ids.where(torch.arange(spec.length) < lengths, spec.pad) if padded else ids)
        else:
            inputs.append(torch.randn(size, *spec.shape, generator=generator))
    return Batch(inputs=tuple(inputs), mask=padding_mask(tuple(inputs), specs))


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
