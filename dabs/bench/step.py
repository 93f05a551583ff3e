"""A training step to time, and what its time goes to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dabs.algorithm import Algorithm
from dabs.bench.synthetic import synthetic_batch
from dabs.bench.timing import Times, bytes_kept, flops_of
from dabs.encoder import Encoder, EncoderConfig, compile_blocks
from dabs.specs import Batch, Specs
from dabs.training.precision import autocast
from dabs.training.step import Objective, OptimizerStep, adamw, flush_denormals, parts_of, seed_all


class TrainingStep:
    """One optimiser step on a repeated batch of made-up examples, as `dabs pretrain` takes it; called to take one.

    Args:
        specs: the inputs.
        algorithm: the objective, with its default hyper-parameters.
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
        """The objective on a batch, in the precision of the step."""
        with autocast(torch.device(self.device), self.precision):
            out: dict[str, Tensor] = self.objective((batch.inputs, batch.mask))
        return out["loss"]

    def __call__(self) -> None:
        """Forward, backward, clipping, AdamW."""
        with flush_denormals():
            self.take(self.batch)

    def flops(self) -> int:
        """Operations of the products of a step, from those of one on two examples."""
        two = next(parts_of(self.batch, self.size // 2))
        count = flops_of(lambda: self.loss(two).backward())  # type: ignore[no-untyped-call]
        self.optimizer.zero_grad(set_to_none=True)
        return count * self.size // 2

    def memory(self) -> int:
        """Bytes that the forward pass keeps for the backward pass."""
        return bytes_kept(self.objective, lambda: self.loss(self.batch))


@dataclass(frozen=True, kw_only=True)
class StepLimits:
    """What a training step's time goes to.

    Attributes:
        seconds: of a step of `size` examples, without reading them.
        size: B.
        share_of_peak: the work of its products over its time, against the fastest product.
        fixed: share of the time that does not grow with the examples: launching operations, Python, the optimiser.
        waiting: share of the time of reading and stepping that is reading, when nothing is read ahead.
    """

    seconds: float
    size: int
    share_of_peak: float
    fixed: float
    waiting: float

    @property
    def limit(self) -> str:
        """What to look at first."""
        if self.waiting > 0.2:
            return "reading data"
        if self.fixed > 0.4:
            return "what a step costs whatever its batch (launching, Python, the optimiser): a larger batch pays"
        if self.share_of_peak > 0.4:
            return "arithmetic"
        return "memory traffic: attention's scores and elementwise work, not products"


def limits_of(whole: Times, part: Times, sizes: tuple[int, int], flops: int, peak: float, reading: float) -> StepLimits:
    """From a step of the whole batch and one of a part of it.

    Args:
        whole, part: their times, taken in turns.
        sizes: examples of the whole batch and of the part.
        flops: of the whole batch's step.
        peak: FLOP/s of the fastest product in the same precision.
        reading: seconds of reading the whole batch.
    """
    # of a time a + b * examples, the share of a
    fixed = 1 - (1 - part.over(whole).median) * sizes[0] / (sizes[0] - sizes[1])
    return StepLimits(
        seconds=whole.median,
        size=sizes[0],
        share_of_peak=flops / whole.median / peak,
        fixed=min(max(fixed, 0.0), 1.0),
        waiting=reading / (reading + whole.median),
    )
