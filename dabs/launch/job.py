"""One job, and how a process performs it: its output goes to a log."""

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
from dabs.utils.files import require_writable

REPORT_SECONDS = 30.0  # between the lines that `report` writes to a log
FORWARDED = ("DABS_HOME", "DABS_DATA_DIR", "DABS_TOKENIZER")  # variables that processes of a cluster need, to find data
_send: Callable[[Progress], None] | None = None  # sends progress to a display in another process, if there is one
_reported = 0.0  # when `report` last wrote to the log


def _forwarded_variables() -> dict[str, str]:
    return {name: os.environ[name] for name in FORWARDED if name in os.environ}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A function call to make in another process, perhaps on another machine."""

    name: str  # unique in its graph
    function: Callable[..., str]  # importable by name; returns a line for the display
    arguments: tuple[Any, ...]
    log: Path  # where its output goes; on a cluster, on a disk that all nodes share
    after: tuple[str, ...] = ()  # the names of jobs that must have succeeded
    folder: Path = field(default_factory=Path.cwd)  # the working directory, so that relative paths keep their meaning
    environment: dict[str, str] = field(default_factory=_forwarded_variables)


@dataclass(frozen=True)
class Outcome:
    """How a job ended, as text, which can be sent between any two processes."""

    ok: bool
    text: str
    ran: bool = True  # false if a job that it needs had failed


def perform(job: Job) -> Outcome:
    """Run a job in this process. An error becomes a failed outcome; output and tracebacks go to the job's log."""
    try:
        os.chdir(job.folder)
        os.environ.update(job.environment)
        with _logged(job):
            try:
                return Outcome(True, job.function(*job.arguments))
            except Exception:
                traceback.print_exc()
                raise
    except Exception as error:
        return Outcome(False, str(error) if isinstance(error, DabsError) else _describe(error))


def _describe(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    first = first_line(error)
    return f"{type(error).__name__} at {last.filename}:{last.lineno} in {last.name}: {first}"


@contextmanager
def _logged(job: Job) -> Iterator[None]:
    """Append everything that this process prints, from Python or below it, to the job's log.

    A stream that writes to its descriptor stays in place while the descriptor is redirected: libraries keep the stream
    they find on import, and the next job in this process has another log.
    """
    require_writable(job.log.parent)
    _flush()
    kept = os.dup(1), os.dup(2)
    with open(job.log, "a", encoding="utf-8", buffering=1) as log, ExitStack() as stack:
        log.write(f"--- {time.strftime('%F %T')} {job.name} on {socket.gethostname()}, process {os.getpid()}\n")
        if not _writes_to(sys.stdout, 1):
            stack.enter_context(redirect_stdout(log))
        if not _writes_to(sys.stderr, 2):
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


def _writes_to(stream: TextIO, number: int) -> bool:
    try:
        return stream.fileno() == number
    except OSError:  # a stream in memory
        return False


def send_to(send: Callable[[Progress], None]) -> None:
    """Let `report` send progress to a display in another process from now on."""
    global _send
    _send = send


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far along a job is."""

    name: str  # of what is in progress
    text: str = ""  # what it is doing
    step: int = 0
    steps: int = 0  # 0 if it has no steps
    numbers: dict[str, float] = field(default_factory=dict)  # by name, such as a loss


def report(name: str, text: str = "", step: int = 0, steps: int = 0, **numbers: float) -> None:
    """Report how far along a job is to the display, or to the log every `REPORT_SECONDS`; see `Progress`."""
    global _reported
    if _send is not None:
        _send(Progress(name=name, text=text, step=step, steps=steps, numbers=numbers))
    elif time.monotonic() - _reported > REPORT_SECONDS:
        _reported = time.monotonic()
        words = [name, *([f"{step}/{steps}"] if steps else []), text, *(f"{k} {v:,.4g}" for k, v in numbers.items())]
        print(time.strftime("%T"), *filter(None, words), flush=True)
