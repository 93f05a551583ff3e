"""What surrounds training: a folder of its own, the processor's arithmetic, weights that are numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from dabs.errors import DabsError
from dabs.home import sole_use


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Vocabulary cross-entropies meet denormals, which are thirty times slower; nothing outside training is changed."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def taken(folder: Path, fabric: Fabric) -> Iterator[None]:
    """Keep other runs out of the folder; every process of this one learns whether that is possible."""
    with ExitStack() as held:
        refusal = None
        if fabric.is_global_zero:
            try:
                held.enter_context(sole_use(folder))
            except DabsError as error:
                refusal = str(error)
        refusal = fabric.broadcast(refusal)
        if refusal:
            raise DabsError(refusal)
        yield


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
