"""Handle Ctrl-C and SIGTERM: a run saves its state first, other commands clean up.

The exit code is 128 plus the signal's number, as in shells: 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A signal ended the work. A run that was training has saved its state after a complete step.

    Args:
        message: how far the work is.
        number: the signal.
    """

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.code = 128 + number


class StopFlag:
    """The signal that asked a run to stop, or 0."""

    number = 0


_flags = 0  # how many blocks of `stop_flag` this process is in


def is_saving() -> bool:
    """Return whether the main thread is inside `stop_flag()`, and will save its state and end when a signal comes."""
    return _flags > 0


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Yield a flag that the first Ctrl-C or SIGTERM sets instead of interrupting a step.

    A second Ctrl-C interrupts. A second SIGTERM does not, because a scheduler may send SIGTERM to the process and again
    to its whole group.
    """
    global _flags
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
    _flags += 1
    try:
        yield flag
    finally:
        _flags -= 1
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise `Interrupted`, so that temporary files and locks are removed.

    Ctrl-C raises a KeyboardInterrupt also where the shell that started a background process told it to ignore SIGINT.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def end(number: int, frame: Any) -> None:
        """Raise."""
        raise Interrupted("stopped by SIGTERM; the same command resumes from what is done", number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
