"""Run jobs on a Ray cluster: a running one, or one started on this machine."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from dabs.errors import DabsError, RequestError
from dabs.launch.job import Job, Outcome, perform


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
        self.remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(perform)

    def submit(self, job: Job) -> Future[Outcome]:
        """Queue a job."""
        future: Future[Outcome] = self.remote.remote(job).future()
        return future

    def close(self) -> None:
        """Disconnect from the cluster; stop it if it was started here."""
        self.ray.shutdown()
