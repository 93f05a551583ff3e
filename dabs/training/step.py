"""A batch in parts, to need less memory: gradients are added up over the parts before the one optimiser step.

Of N parts each is drawn, contrasted and mixed by itself: negatives, and e-Mix's partners, come from an example's own
part. So N is part of what a run is, and of its results. Where each example has a loss of its own, and as many terms in
it as every other, the sum over the parts is that of the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.distributed import processes

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch import Tensor

    from dabs.specs import Batch


def arranged(index_G: np.ndarray, parts: int) -> np.ndarray:
    """The examples of a whole batch in an order that makes R processes work on the parts that one would.

    Each process takes G / R examples in a row, and N parts of those in turn: its k-th part becomes its share of the
    k-th part of the whole batch.
    """
    return index_G.reshape(parts, processes(), -1).swapaxes(0, 1).reshape(-1)


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
