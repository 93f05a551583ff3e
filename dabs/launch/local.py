"""Run jobs in worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext
from types import ModuleType
from typing import Any

from dabs.launch.job import Job, Outcome, perform, send_to
from dabs.utils.environment import usable_cores
from dabs.utils.processes import SAVE_SECONDS, end_on_signals, end_with, environment_variables
from dabs.utils.signals import Interrupted


class _RememberingContext(SpawnContext):
    """Starts processes afresh, not as copies of this one, and remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Any] = []

    def Process(self, *arguments: Any, **more: Any) -> Any:  # type: ignore[override]  # a class in typeshed
        """Return a new process."""
        self.started.append(super().Process(*arguments, **more))
        return self.started[-1]


class LocalExecutor:
    """A pool of processes that report progress through one queue.

    Args:
        jobs: how many jobs run at a time; they share the cores.
    """

    shared_fate = True
    losses: tuple[type[Exception], ...] = (BrokenProcessPool,)

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.context = _RememberingContext()
        self.messages: Any = self.context.Queue()
        self.threads = max(1, usable_cores() // jobs)
        self.pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        arguments = (self.messages, self.threads, os.getpid())
        return ProcessPoolExecutor(self.jobs, self.context, _start_worker, arguments)

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue a job, in a new pool if a worker has died."""
        # submitting may start a worker, whose maths libraries read the variables when they are loaded
        threads = environment_variables(OMP_NUM_THREADS=str(self.threads), OPENBLAS_NUM_THREADS=str(self.threads))
        with _without_main(), _without_ctrl_c(), threads:
            try:
                return self.pool.submit(_perform, job)
            except BrokenProcessPool:
                self.pool.shutdown(wait=True)
                self.pool = self._new_pool()
                return self.pool.submit(_perform, job)

    def stop(self) -> None:
        """Let workers that train save their runs, for `SAVE_SECONDS`, and end all workers."""
        workers = self.context.started
        try:
            for worker in workers:
                worker.terminate()
            left = [worker.sentinel for worker in workers]
            while left and (ended := multiprocessing.connection.wait(left, SAVE_SECONDS)):
                left = [sentinel for sentinel in left if sentinel not in ended]
        finally:  # also when Ctrl-C comes again
            for worker in workers:
                worker.kill()

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


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Start processes that receive Ctrl-C only once `_start_worker` lets them: before, they would print a traceback."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(messages: Any, threads: int, launcher: int) -> None:
    end_on_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with(launcher)
    import torch

    send_to(messages.put)
    torch.set_num_threads(threads)


def _perform(job: Job) -> Outcome:
    try:
        return perform(job)
    except Interrupted as error:
        os._exit(error.code)  # the checkpoint is written, and the launcher stops too, or is gone
