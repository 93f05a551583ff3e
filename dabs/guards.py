"""What surrounds training: a stop that waits for a step to end, a folder of its own, the processor's arithmetic."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from dabs.errors import DabsError
from dabs.home import sole_use


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
