"""Run jobs on a Ray cluster: a running one, or one started on this machine."""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import Any

from dabs.errors import DabsError, RequestError
from dabs.launch.job import Job, Outcome, perform
from dabs.utils.processes import SAVE_SECONDS, end_on_signals, end_with


def _perform(job: Job, launcher: int) -> Outcome:
    """Perform a job in a process that ends at once when its job is cancelled, unless it has a run to save.

    Args:
        job: what to do.
        launcher: the process to end with, if it is on this machine; 0 if Ray alone looks after that.
    """
    end_on_signals()
    if launcher:
        end_with(launcher)
    return perform(job)


class RayExecutor:
    """Executor that places each job on a node with enough free cores and GPUs.

    If a node dies, its jobs are lost and run again.

    Args:
        address: of a running cluster ("auto" for the one on this machine); empty starts one here.
        jobs: how many jobs run at a time on a cluster that is started here.
        cpus: cores per job.
        gpus: GPUs per job.
    """

    shared_fate = False
    losses: tuple[type[Exception], ...] = (Exception,)  # `perform` raises none of its own

    def __init__(self, address: str, jobs: int, cpus: int, gpus: int) -> None:
        try:
            import ray
        except ImportError as error:
            raise RequestError("--launcher ray needs the package: pip install 'dabs[ray]'") from error
        self.ray: Any = ray
        here = {} if address else {"num_cpus": jobs * cpus}
        try:
            # jobs write their own logs; the dashboard would send usage statistics over the network
            ray.init(address or "local", log_to_driver=False, logging_level="error", include_dashboard=False, **here)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise DabsError(f"no Ray cluster answers at {address or 'this machine'}: {error}") from error
        # no retries here, because `run_graph` runs lost jobs again
        self.remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_perform)
        self.launcher = 0 if address else os.getpid()
        self.submitted: list[Any] = []

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue a job."""
        self.submitted.append(self.remote.remote(job, self.launcher))
        future: Future[Outcome] = self.submitted[-1].future()
        return future

    def stop(self) -> None:
        """Cancel all jobs: those that train receive what Ctrl-C sends, and have `SAVE_SECONDS` to save their runs."""
        for reference in self.submitted:
            self.ray.cancel(reference)
        if self.submitted:
            self.ray.wait(self.submitted, num_returns=len(self.submitted), timeout=SAVE_SECONDS)

    def close(self) -> None:
        """Disconnect from the cluster; stop it if it was started here."""
        self.ray.shutdown()
