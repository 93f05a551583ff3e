"""Functions that the tests of the launchers run in other processes."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path


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


def log(folder: str, name: str) -> str:
    """Log a warning through a handler that the first such job in the process made, as libraries do on import."""
    logger = logging.getLogger("tests.helpers.launched")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler())
    logger.warning("%s warns", name)
    return f"{name} logged"
