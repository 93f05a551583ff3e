"""The check of cost: a training step against a plain step of the same encoder.

A plain step is one forward and backward pass of the encoder, and the optimiser's update.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dabs.bench.timing import bytes_kept
from dabs.check.mock import Case, NotApplicable, PromiseBroken, Subject, optimizer_of
from dabs.encoder import PRESETS
from dabs.specs import Batch
from dabs.training.step import Objective

COST_LIMIT = 10.0  # plain steps; all algorithms get the same number of steps, so their costs must be comparable
BATCH_SIZE = 16
ROUNDS = 3  # timed steps; the fastest counts


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one training step.

    Attributes:
        seconds: of forward, backward and the optimiser; the fastest of a few steps.
        bytes_kept: of the values kept for the backward pass, parameters aside, each counted once. This is the part of
            training's memory that depends on the objective, and it is the same on every machine.
    """

    seconds: float
    bytes_kept: int


def cost(subject: Subject, case: Case, limit: float = COST_LIMIT) -> str:
    """A step takes at most 10 times a plain step's time and memory, and drops parameters of at most 10 encoders."""
    if not subject.algorithm.trains:
        raise NotApplicable("it takes no steps (trains is False)")
    objective, batch = subject.objective(case.specs, config=PRESETS["small"]), case.batch(BATCH_SIZE)
    plain, own = measure(
        [
            (objective.encoder, lambda: objective.encoder(batch).square().mean()),
            (objective, lambda: _loss(objective, batch)),
        ]
    )
    size = sum(p.numel() for p in objective.encoder.parameters())
    dropped = sum(p.numel() for p in objective.algorithm.parameters())
    ratios = {
        "time": own.seconds / plain.seconds,
        "memory": own.bytes_kept / plain.bytes_kept,
        "parameters thrown away": dropped / size,
    }
    text = (
        f"time {1e3 * own.seconds:.0f} ms = {ratios['time']:.1f} plain steps, memory {own.bytes_kept / 1e6:.1f} MB = "
        f"{ratios['memory']:.1f}, {dropped:,} parameters thrown away = {ratios['parameters thrown away']:.2f} encoders"
    )
    high = [name for name, ratio in ratios.items() if ratio > limit]
    if high:
        raise PromiseBroken(
            f"{' and '.join(high)} above {limit:g} times the plain step's: {text}", subject.place("loss")
        )
    return text


def measure(steps: list[tuple[torch.nn.Module, Callable[[], Tensor]]]) -> list[Cost]:
    """Return the costs of training steps, timed in turns so that other work on the machine affects all of them."""
    optimizers = [optimizer_of(module) for module, _ in steps]  # type: ignore[arg-type]
    kept = [bytes_kept(module, loss) for module, loss in steps]
    seconds = [float("inf")] * len(steps)
    for turn in range(ROUNDS + 1):
        for i, (_, loss) in enumerate(steps):
            begun = time.perf_counter()
            loss().backward()  # type: ignore[no-untyped-call]
            optimizers[i].step()
            optimizers[i].zero_grad(set_to_none=True)
            if turn:  # the first round warms up
                seconds[i] = min(seconds[i], time.perf_counter() - begun)
    return [Cost(seconds=s, bytes_kept=k) for s, k in zip(seconds, kept, strict=True)]


def _loss(objective: Objective, batch: Batch) -> Tensor:
    out: dict[str, Tensor] = objective(batch)
    return out["loss"]
