"""An executor of grids without worker processes, each of which would import torch anew."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Future

from dabs.launch.job import Job, Outcome, perform


class InThisProcess:
    """Runs each job when it is submitted; takes the place of `dabs.launch.local.LocalExecutor`."""

    shared_fate = True
    losses = (BrokenExecutor,)

    def __init__(self, jobs: int) -> None:
        self.messages = None

    def submit(self, job: Job) -> Future[Outcome]:
        """Run a job."""
        done: Future[Outcome] = Future()
        done.set_result(perform(job))
        return done

    def stop(self) -> None:
        """Do nothing: no job runs on."""

    def close(self) -> None:
        """Do nothing."""
