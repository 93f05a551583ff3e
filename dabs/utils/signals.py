"""What Ctrl-C and a scheduler's SIGTERM do: a run saves before it ends, every other command ends in order.

Exit codes are 128 + the signal's number, as shells count: 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A signal ended the work; while a run trains, between two steps and after its state was saved.

    Args:
        message: how far the work is.
        number: of the signal.
    """

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.code = 128 + number


class StopFlag:
    """Which signal asks a run to stop; 0 while none does."""

    number = 0


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Set by the first Ctrl-C or SIGTERM instead of breaking into a step; a second Ctrl-C breaks in.

    A second SIGTERM does not: those who send it once may send it to a whole group of processes again.
    """
    flag = StopFlag()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: Any) -> None:
        flag.number = number
        if number == signal.SIGINT:
            signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM raises `Interrupted`, so that temporary files and locks go, and is passed on to worker processes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: Any) -> None:
        """Tell the workers, then leave."""
        import multiprocessing

        for worker in multiprocessing.active_children():
            worker.terminate()
        raise Interrupted("stopped by SIGTERM; the same command goes on from what is done", number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
