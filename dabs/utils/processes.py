"""Processes that end with the command that started them, and at once on a signal.

    python -m dabs.utils.processes PID MODULE ...   # as `python -m MODULE ...`, but ends with the process PID

Python handles a signal only between two of its own instructions, so a process that spends minutes in a library would
not react. Worker processes therefore have a thread that does.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dabs.utils.signals import is_saving

SAVE_SECONDS = 30.0  # that a run has to save its state before its process ends
LOOK_SECONDS = 0.3  # between looks at whether the other process is alive

_watched = False  # whether a thread of this process reacts to signals


def end_on_signals() -> None:
    """Let the first SIGINT or SIGTERM end this process, with a run that is training saved.

    Call this in the main thread. Inside `stop_flag()` the work is to end by itself; it has `SAVE_SECONDS`, and a second
    SIGINT ends it at once. Called again, this does nothing.
    """
    global _watched
    if _watched:
        return
    _watched = True
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # the signal's number arrives whatever the main thread does
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    threading.Thread(target=_end_when_told, args=(reader,), daemon=True).start()


def _end_when_told(reader: int) -> None:
    interrupts = 0
    while True:
        number = os.read(reader, 1)[0]
        interrupts += number == signal.SIGINT
        if number not in (signal.SIGINT, signal.SIGTERM):
            continue
        if not is_saving() or interrupts > 1:
            os._exit(128 + number)
        threading.Timer(SAVE_SECONDS, os._exit, (128 + number,)).start()


def end_with(pid: int) -> None:
    """End this process, by a SIGTERM to itself, soon after the process `pid` has ended, however it ended."""
    if os.name == "posix":
        threading.Thread(target=_end_without, args=(pid, os.getppid() == pid), daemon=True).start()


def _end_without(pid: int, is_parent: bool) -> None:
    while (os.getppid() == pid) if is_parent else _is_alive(pid):
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SAVE_SECONDS)
    os._exit(1)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is there, and another user's
        pass
    return True


@contextmanager
def environment_variables(**values: str) -> Iterator[None]:
    """Set environment variables, also of processes that start meanwhile; this process gets its own back afterwards."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def module_command(module: str) -> list[str]:
    """Return the command that runs a module of Python in a process that ends with this one."""
    return [sys.executable, "-m", "dabs.utils.processes", str(os.getpid()), module]


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
