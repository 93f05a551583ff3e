"""A training step to time, and what limits its speed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dabs.algorithm import Algorithm
from dabs.bench.synthetic import synthetic_batch
from dabs.bench.timing import Times, bytes_kept
from dabs.encoder import Encoder, EncoderConfig, compile_blocks
from dabs.specs import Batch, Specs
from dabs.training.operations import flops_of
from dabs.training.precision import autocast
from dabs.training.step import Objective, OptimizerStep, adamw, flush_denormals, parts_of, seed_all


class TrainingStep:
    """Takes an optimiser step on a synthetic batch when called, as `dabs pretrain` does; the batch is always the same.

    Args:
        specs: the inputs.
        algorithm: the objective, built with its default hyper-parameters.
        config: the encoder's sizes.
        size: B.
        precision: "fp32", or "bf16" for autocast.
        device: "cpu" or "cuda".
        mode: of `torch.compile` ("default", "reduce-overhead") for the encoder's blocks; None leaves it out.
    """

    def __init__(
        self,
        specs: Specs,
        algorithm: type[Algorithm],
        config: EncoderConfig,
        size: int,
        *,
        precision: str = "fp32",
        device: str = "cpu",
        mode: str | None = None,
    ) -> None:
        seed_all(0, -1)
        encoder = Encoder(config, specs)
        self.objective = Objective(encoder, algorithm(encoder)).to(device).train()
        if mode:
            compile_blocks(encoder, mode)
        self.optimizer = adamw(self.objective.parameters(), 1e-4, 1e-4)
        self.size, self.precision, self.device = size, precision, device
        self.batch = synthetic_batch(specs, size, device=device)
        self.take = OptimizerStep(lambda batch: {"loss": self.loss(batch)}, self.optimizer)

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss on a batch, in the precision of the step."""
        with autocast(torch.device(self.device), self.precision):
            out: dict[str, Tensor] = self.objective((batch.inputs, batch.mask))
        return out["loss"]

    def __call__(self) -> None:
        """Take one step: forward, backward, clipping, AdamW."""
        with flush_denormals():
            self.take(self.batch)

    def flops(self) -> int:
        """Return the operations of a step's matrix products, extrapolated from two examples."""
        two = next(parts_of(self.batch, self.size // 2))
        count = flops_of(lambda: self.loss(two).backward())  # type: ignore[no-untyped-call]
        self.optimizer.zero_grad(set_to_none=True)
        return count * self.size // 2

    def memory(self) -> int:
        """Return the bytes that the forward pass keeps for the backward pass."""
        return bytes_kept(self.objective, lambda: self.loss(self.batch))


@dataclass(frozen=True, kw_only=True)
class StepLimits:
    """What a training step spends its time on.

    Attributes:
        seconds: of a step of `size` examples, without reading them.
        size: B.
        share_of_peak: the FLOP/s of its matrix products, as a share of the machine's peak.
        fixed: share of the time that does not grow with the batch: launching operations, Python, the optimiser.
        waiting: share of reading in the time of reading and stepping, if nothing is read ahead.
    """

    seconds: float
    size: int
    share_of_peak: float
    fixed: float
    waiting: float

    @property
    def limit(self) -> str:
        """Say what limits the step most."""
        if self.waiting > 0.2:
            return "reading data"
        if self.fixed > 0.4:
            return "fixed costs per step (launching operations, Python, the optimiser): a larger batch helps"
        if self.share_of_peak > 0.4:
            return "arithmetic"
        return "memory traffic: attention scores and elementwise operations, not matrix products"


def limits_of(whole: Times, part: Times, sizes: tuple[int, int], flops: int, peak: float, reading: float) -> StepLimits:
    """Derive what limits a step from the times of a whole batch and of a part of it.

    Args:
        whole, part: their times, measured in turns.
        sizes: examples in the whole batch and in the part.
        flops: operations of the whole batch's step.
        peak: FLOP/s of the fastest matrix product in the same precision.
        reading: seconds to read the whole batch.
    """
    # if a step of n examples takes a + b * n seconds, this is the share of a
    fixed = 1 - (1 - part.over(whole).median) * sizes[0] / (sizes[0] - sizes[1])
    return StepLimits(
        seconds=whole.median,
        size=sizes[0],
        share_of_peak=flops / whole.median / peak,
        fixed=min(max(fixed, 0.0), 1.0),
        waiting=reading / (reading + whole.median),
    )
