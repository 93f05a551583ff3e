"""What surrounds training: a stop that waits for a step to end, a folder of its own, the processor's arithmetic."""

from __future__ import annotations

import ctypes
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from dabs.errors import DabsError
from dabs.home import sole_use

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h: bytes that are kept, bytes that are mapped apart


class Interrupted(KeyboardInterrupt):
    """Ctrl-C between two steps, after the state was saved."""


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
def stop_flag() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C instead of breaking into a step; a second one breaks in."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: Any) -> None:
        flag.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


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
