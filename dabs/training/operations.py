"""The floating-point operations of a run, which its results state as its cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dabs.algorithm import Algorithm
from dabs.config import PretrainConfig
from dabs.data.domain import TRAIN
from dabs.data.prepared import Prepared
from dabs.data.split import Split
from dabs.distributed import independent_processes
from dabs.specs import Batch
from dabs.training.step import build

COUNTED = 8  # examples of the batch that is counted


def flops_of(work: Callable[[], Any]) -> int:
    """Count the floating-point operations of a call's matrix products; a multiply-add counts as two."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    # the counter does not know the CPU's fused attention kernel
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def flops_of_training(loss_of: Callable[[Batch], Tensor], split: Split, batch_size: int, steps: int) -> int:
    """Return the operations of some training steps, from the forward and backward pass of one batch.

    Args:
        loss_of: maps a batch on the CPU to a scalar.
        split: the examples that were trained on, of which a few are taken, evenly spaced.
        batch_size: examples per step.
        steps: how many were taken.
    """
    rows = np.linspace(0, len(split) - 1, min(COUNTED, batch_size, len(split))).astype(np.int64)
    batch = split.batch(rows)
    count = flops_of(lambda: loss_of(batch).backward())  # type: ignore[no-untyped-call]
    return round(count * batch_size / len(rows)) * steps


def flops_of_run(config: PretrainConfig, algorithm: type[Algorithm], data: Prepared) -> int:
    """Return the operations of all steps, counted on a new objective; 0 if that one cannot take a step."""
    split = Split(data, TRAIN, labels=False)
    try:
        with independent_processes():
            new = build(config, algorithm, data.domain).train()
            return flops_of_training(lambda batch: new(batch)["loss"], split, config.batch_size, config.steps)
    except Exception:  # the run is complete, whatever its algorithm does in another one
        return 0
