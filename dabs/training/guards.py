"""What surrounds training: a folder of its own, the processor's arithmetic, weights that are numbers."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from dabs.errors import DabsError
from dabs.utils.files import sole_use

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h: bytes that are kept, bytes that are mapped apart


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Vocabulary cross-entropies meet denormals, which are thirty times slower; nothing outside training is changed."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def memory_kept() -> None:
    """Let glibc keep and reuse large freed blocks: every step asks for the same ones, and fresh pages are slow.

    Elsewhere than under glibc nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


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
