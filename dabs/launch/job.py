"""One job, and how it is performed in any process: with a log, and its failure as text."""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from dabs.errors import DabsError, first_line

QUIET = 30.0  # seconds between the lines that `report` writes into a log
CARRIED = ("DABS_HOME", "DABS_DATA_DIR", "DABS_TOKENIZER")  # where data lies: a cluster's processes must know it too
_send: Callable[[Progress], None] | None = None  # to a display in another process, if there is one
_reported = 0.0  # when the log last got a line


@dataclass(frozen=True, kw_only=True)
class Job:
    """A call in another process, perhaps on another machine."""

    name: str  # unique in its graph
    function: Callable[..., str]  # importable by name; gives a line for the display
    arguments: tuple[Any, ...]
    log: Path  # where its output goes; on a cluster, on a disk that all nodes share
    after: tuple[str, ...] = ()  # tasks that must have succeeded
    folder: Path = field(default_factory=Path.cwd)  # where it runs: relative paths mean there what they mean here
    environment: dict[str, str] = field(default_factory=lambda: {n: os.environ[n] for n in CARRIED if n in os.environ})


@dataclass(frozen=True)
class Outcome:
    """How a task ended: as text, which survives every way between processes."""

    ok: bool
    text: str
    ran: bool = True  # false where a task that it needs had failed


def perform(task: Job) -> Outcome:
    """Run a task here; what it raises becomes a failed outcome, and its output and traceback go to its log."""
    os.chdir(task.folder)
    os.environ.update(task.environment)
    with _logged(task):
        try:
            return Outcome(True, task.function(*task.arguments))
        except Exception as error:
            traceback.print_exc()
            return Outcome(False, str(error) if isinstance(error, DabsError) else _described(error))


def _described(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    first = first_line(error)
    return f"{type(error).__name__} at {last.filename}:{last.lineno} in {last.name}: {first}"


@contextmanager
def _logged(task: Job) -> Iterator[None]:
    """Append all that this process prints, in Python or below it, to the task's log.

    A stream that writes to its descriptor is left in place, and the descriptor leads into the log: libraries keep the
    stream they find on import, and the next task in this process has another log.
    """
    task.log.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    kept = os.dup(1), os.dup(2)
    with open(task.log, "a", encoding="utf-8", buffering=1) as log, ExitStack() as stack:
        log.write(f"--- {time.strftime('%F %T')} {task.name} on {socket.gethostname()}, process {os.getpid()}\n")
        if not _leads_to(sys.stdout, 1):
            stack.enter_context(redirect_stdout(log))
        if not _leads_to(sys.stderr, 2):
            stack.enter_context(redirect_stderr(log))
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            _flush()
            for number, original in zip((1, 2), kept, strict=True):
                os.dup2(original, number)
                os.close(original)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _leads_to(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except OSError:  # a stream in memory
        return False


def send_to(send: Callable[[Progress], None]) -> None:
    """From now on, `report` sends progress to a display in another process."""
    global _send
    _send = send


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is."""

    name: str  # of what is in progress
    text: str = ""  # what it is doing
    step: int = 0
    steps: int = 0  # 0 where there are none
    numbers: dict[str, float] = field(default_factory=dict)  # by name, e.g. a loss


def report(name: str, text: str = "", step: int = 0, steps: int = 0, **numbers: float) -> None:
    """Report how far a job is: to the display, or every `QUIET` seconds to the log. See `Progress`."""
    global _reported
    if _send is not None:
        _send(Progress(name=name, text=text, step=step, steps=steps, numbers=numbers))
    elif time.monotonic() - _reported > QUIET:
        _reported = time.monotonic()
        words = [name, *([f"{step}/{steps}"] if steps else []), text, *(f"{k} {v:,.4g}" for k, v in numbers.items())]
        print(time.strftime("%T"), *filter(None, words), flush=True)
