"""Run jobs in worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from dabs.launch.job import Job, Outcome, perform, send_to
from dabs.utils.signals import Interrupted

SAVE_SECONDS = 30.0  # that a worker has to save its run after its launcher died

_stopped = False  # whether this worker has received Ctrl-C


class LocalExecutor:
    """A pool of processes that report progress through one queue.

    Args:
        jobs: how many jobs run at a time; they share the cores.
    """

    shared_fate = True

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.context = multiprocessing.get_context("spawn")
        self.messages: Any = self.context.Queue()
        self.threads = max(1, (os.cpu_count() or 1) // jobs)
        # read by the maths libraries of the workers when they are loaded
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(self.threads)
        self.pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.jobs, self.context, _start_worker, (self.messages, self.threads))

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue a job, in a new pool if a worker has died."""
        with _without_main():  # submitting may start a worker
            try:
                return self.pool.submit(_perform, job)
            except BrokenProcessPool:
                self.pool.shutdown(wait=True)
                self.pool = self._new_pool()
                return self.pool.submit(_perform, job)

    def close(self) -> None:
        """Wait for running jobs, and drop queued ones."""
        self.pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep workers from importing the caller's script, which would start the grid again where it has no main guard."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker(messages: Any, threads: int) -> None:
    import torch

    send_to(messages.put)
    torch.set_num_threads(threads)
    # Ctrl-C reaches the whole process group; a run that is training has its own handler, which saves a checkpoint first
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: os._exit(128 + number))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Let a worker save its run and stop when its launcher was killed, instead of working on unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SAVE_SECONDS)
        os._exit(1)


def _perform(job: Job) -> Outcome:
    global _stopped
    if _stopped:
        raise KeyboardInterrupt  # this job was already queued when Ctrl-C came
    try:
        return perform(job)
    except KeyboardInterrupt as error:
        if isinstance(error, Interrupted) and error.code == 128 + signal.SIGTERM:
            os._exit(error.code)  # the checkpoint is written, and the launcher may be gone
        _stopped = True
        raise
