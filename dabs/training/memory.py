"""Out of memory: recognise it, say which options need less, keep freed memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dabs.config import PretrainConfig
from dabs.distributed import processes
from dabs.errors import DabsError, first_line

# in the messages of allocators without an exception type of their own: PyTorch's on CPUs, CUDA, cuBLAS and cuDNN
OUT_OF_MEMORY_WORDS = ("can't allocate memory", "not enough memory", "out of memory", "alloc_failed", "bad_alloc")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the machine or a GPU ran out of memory."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in OUT_OF_MEMORY_WORDS)


@contextmanager
def explain_out_of_memory(config: PretrainConfig, folder: Path) -> Iterator[None]:
    """Say what to do when the block runs out of memory.

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
    batch, parts, ranks = config.batch_size, config.accumulate, processes()
    options = []
    more = next((n for n in range(2 * parts, batch // ranks // 2 + 1) if batch % (n * ranks) == 0), None)
    if more is not None:
        options.append(
            f"--accumulate {more} keeps the batch of {batch} and computes it in parts of {batch // ranks // more} "
            "(negatives and mixtures then come from the same part)"
        )
    if batch // ranks >= 4:
        options.append(f"--batch-size {batch // ranks // 2 * ranks} halves the batch")
    options.append("--encoder small, or more devices (--devices), need less memory on each device")
    return (
        f"out of memory in a training step of {batch // ranks // parts} examples at once ({first_line(error)[:160]}). "
        f"{'; '.join(options)}. Each of these makes it another run: give another folder with --out, or delete {folder}."
    )


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h: free bytes to keep, size from which a block is mapped


def keep_freed_memory() -> None:
    """Make glibc keep and reuse large freed blocks; other C libraries are left as they are.

    Every step allocates the same blocks, and getting fresh pages for them is slow.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 1 << 30)
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
