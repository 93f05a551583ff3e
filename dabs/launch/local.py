"""Tasks on worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from dabs.launch.job import Job, Outcome, perform, send_to
from dabs.utils.signals import Interrupted

GRACE = 30.0  # seconds that a worker has to save after its launcher died

_stopped = False  # Ctrl-C came to this worker


class LocalExecutor:
    """A pool of processes that report progress through one queue.

    Args:
        jobs: tasks at a time; they share the cores.
    """

    shared_fate = True

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.context = multiprocessing.get_context("spawn")
        self.messages: Any = self.context.Queue()
        self.threads = max(1, (os.cpu_count() or 1) // jobs)
        # workers read these when they load their maths libraries
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(self.threads)
        self.pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.jobs, self.context, _start_worker, (self.messages, self.threads))

    def submit(self, task: Job) -> Future[Outcome]:
        """Queue a task; after the death of a worker, for a new pool."""
        try:
            return self.pool.submit(_perform, task)
        except BrokenProcessPool:
            self.pool.shutdown(wait=True)
            self.pool = self._new_pool()
            return self.pool.submit(_perform, task)

    def close(self) -> None:
        """Wait for what runs, and drop what is queued."""
        self.pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(messages: Any, threads: int) -> None:
    import torch

    send_to(messages.put)
    torch.set_num_threads(threads)
    # Ctrl-C reaches the whole process group. While a run trains, its own handler saves a checkpoint first.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: os._exit(128 + number))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose launcher was killed saves and stops rather than work on unseen."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)


def _perform(task: Job) -> Outcome:
    global _stopped
    if _stopped:
        raise KeyboardInterrupt  # the pool had this task queued already when Ctrl-C came
    try:
        return perform(task)
    except KeyboardInterrupt as error:
        if isinstance(error, Interrupted) and error.code == 128 + signal.SIGTERM:
            os._exit(error.code)  # its checkpoint is written, and nobody may be left to hear of it
        _stopped = True
        raise
