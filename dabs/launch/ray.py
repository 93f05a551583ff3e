"""Tasks on a Ray cluster: one that is there, or one started on this machine."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from dabs.errors import DabsError, RequestError
from dabs.launch.job import Job, Outcome, perform


class RayExecutor:
    """Ray places each task where its cores and GPUs are free; tasks of a node that dies are lost, and run again.

    Args:
        address: of a running cluster ("auto" for the one of this machine); empty starts one here.
        jobs: tasks at a time on a cluster that is started here.
        cpus: cores a task takes.
        gpus: GPUs a task takes.
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
            # tasks write logs of their own; usage statistics would be sent over the network
            ray.init(address or "local", log_to_driver=False, logging_level="error", include_dashboard=False, **here)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise DabsError(f"no Ray cluster answers at {address or 'this machine'}: {error}") from error
        # `run_graph` runs lost tasks again
        self.remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(perform)

    def submit(self, task: Job) -> Future[Outcome]:
        """Queue a task."""
        future: Future[Outcome] = self.remote.remote(task).future()
        return future

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self.ray.shutdown()
