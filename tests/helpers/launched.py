"""Functions that the tests of the launchers run in other processes."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dabs.utils.processes import module_command
from dabs.utils.signals import Interrupted, stop_flag


def note(folder: str, name: str) -> str:
    """Add a line to FOLDER/NAME."""
    with open(Path(folder) / name, "a", encoding="utf-8") as handle:
        handle.write(f"{os.getpid()}\n")
    print(f"{name} prints")
    return f"{name} noted"


def fail(folder: str, name: str) -> str:
    """Raise an error."""
    note(folder, name)
    raise ValueError(f"{name} has a mistake")


def die(folder: str, name: str, times: int) -> str:
    """Kill this process, on the first `times` calls."""
    note(folder, name)
    if len((Path(folder) / name).read_text().splitlines()) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{name} survived"


def sleep(folder: str, name: str, seconds: float) -> str:
    """Sleep for some seconds."""
    note(folder, name)
    time.sleep(seconds)
    return f"{name} slept"


def environment(folder: str, name: str, variables: tuple[str, ...]) -> str:
    """Write the values of environment variables to FOLDER/NAME."""
    (Path(folder) / name).write_text(" ".join(os.environ.get(one, "-") for one in variables))
    return f"{name} written"


def log(folder: str, name: str) -> str:
    """Log a warning through a handler that the first such job in the process made, as libraries do on import."""
    logger = logging.getLogger("tests.helpers.launched")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    logger.warning("%s warns", name)
    return f"{name} logged"


def train(folder: str, name: str, seconds: float) -> str:
    """Do what a run that trains does on a signal: finish a step, save, and raise `Interrupted`."""
    note(folder, name)
    deadline = time.monotonic() + seconds
    with stop_flag() as stop:
        while not stop.number and time.monotonic() < deadline:
            time.sleep(0.05)
    (Path(folder) / f"{name}-saved").touch()
    raise Interrupted("stopped", stop.number)


def stay_in_library(folder: str, name: str) -> str:
    """Spend a minute in one call of a library, with a child process that would outlive this one."""
    command = [*module_command("tests.helpers.launched"), str(Path(folder) / f"{name}-child")]
    with subprocess.Popen(command):
        note(folder, name)
        time.sleep(0)
        ctypes.CDLL(None).sleep(60)
    return f"{name} returned"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(60)
