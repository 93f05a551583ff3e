"""Wait for something to happen, and find the processes that a test has started."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="there is no /proc to find processes in"
)


def wait_for(what: Callable[[], bool], seconds: float) -> float:
    """Wait until `what()` is true, and return how long that took."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < seconds, "not in time"
        time.sleep(0.05)
    return time.monotonic() - begun


def marked_processes(mark: str) -> list[str]:
    """Return the command lines of the processes whose environment has a mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes() and int(place.name) != os.getpid():
                found.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it has just ended, or belongs to someone else
            continue
    return found
