"""Running out of memory while training: which errors mean it, and which options need less."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dabs.config import PretrainConfig
from dabs.distributed import processes
from dabs.errors import DabsError, first_line

# how allocators say it that raise no error of a kind of its own: PyTorch's on CPUs, CUDA's, cuBLAS and cuDNN
SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, of the machine or of a GPU, did not suffice."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in SIGNS)


@contextmanager
def explain_out_of_memory(config: PretrainConfig, folder: Path) -> Iterator[None]:
    """Say what to do when memory runs out in a step.

    Raises:
        DabsError: it did; the message names a batch size and a number of parts to try.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # a GPU's torch.OutOfMemoryError is a RuntimeError
        if not is_out_of_memory(error):
            raise
        raise DabsError(_advice(config, folder, error)) from error


def _advice(config: PretrainConfig, folder: Path, error: BaseException) -> str:
    whole, now = config.batch_size, config.accumulate
    at_once = whole // processes() // now
    ways, share = [], processes()
    more = next((n for n in range(2 * now, whole // share // 2 + 1) if whole % (n * share) == 0), None)
    if more is not None:
        ways.append(
            f"--accumulate {more} keeps the batch of {whole} and computes it in parts of {whole // share // more} "
            "(negatives and mixtures then come from a part)"
        )
    if whole // share >= 4:
        ways.append(f"--batch-size {whole // share // 2 * share} takes half of it")
    ways.append("--encoder small, or more devices (--devices), need less on each")
    first = first_line(error)
    return (
        f"out of memory in a training step of {at_once} examples at once ({first[:160]}). {'; '.join(ways)}. Each "
        f"of them is another run: give another folder with --out, or delete {folder}."
    )


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h: bytes that are kept, bytes that are mapped apart


def keep_freed_memory() -> None:
    """Let glibc keep and reuse large freed blocks: every step asks for the same ones, and fresh pages are slow.

    Elsewhere than under glibc nothing is changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
