"""What a step costs against a plain step: one pass of the same encoder forward and back, and the optimiser."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dabs.bench.timing import bytes_kept
from dabs.check.mock import Broken, Case, NotApplicable, Subject, optimizer_of
from dabs.encoder import PRESETS
from dabs.specs import Batch
from dabs.training.step import Objective

LIMIT = 10.0  # times a plain step; all algorithms get the same number of steps, so a step must stay comparable
BATCH = 16
ROUNDS = 3  # timed steps, of which the fastest counts


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one training step.

    Attributes:
        seconds: of forward, backward and the optimiser; the fastest of a few.
        bytes_kept: of the values kept for the backward pass, parameters aside, each counted once: the part of
            training's memory that an objective decides, the same on every machine.
    """

    seconds: float
    bytes_kept: int


def cost(subject: Subject, case: Case, limit: float = LIMIT) -> str:
    """A step takes at most 10 times a plain step's time and memory and throws away at most 10 encoders' parameters."""
    if not subject.algorithm.trains:
        raise NotApplicable("it takes no step (trains is False)")
    objective, batch = subject.objective(case.specs, config=PRESETS["small"]), case.batch(BATCH)
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
        raise Broken(f"{' and '.join(high)} above {limit:g} times the plain step's: {text}", subject.place("loss"))
    return text


def measure(steps: list[tuple[torch.nn.Module, Callable[[], Tensor]]]) -> list[Cost]:
    """Costs of training steps, taken in turns so that what else the machine does meets all of them."""
    optimizers = [optimizer_of(module) for module, _ in steps]  # type: ignore[arg-type]
    kept = [bytes_kept(module, loss) for module, loss in steps]
    seconds = [float("inf")] * len(steps)
    for turn in range(ROUNDS + 1):
        for i, (_, loss) in enumerate(steps):
            begun = time.perf_counter()
            loss().backward()  # type: ignore[no-untyped-call]
            optimizers[i].step()
            optimizers[i].zero_grad(set_to_none=True)
            if turn:  # the first one warms up
                seconds[i] = min(seconds[i], time.perf_counter() - begun)
    return [Cost(seconds=s, bytes_kept=k) for s, k in zip(seconds, kept, strict=True)]


def _loss(objective: Objective, batch: Batch) -> Tensor:
    out: dict[str, Tensor] = objective(batch)
    return out["loss"]
