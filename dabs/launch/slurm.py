"""Tasks as Slurm jobs, through submitit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dabs.errors import DabsError, RequestError
from dabs.launch.job import Job, Outcome, perform


class Resumed:
    """`perform` as submitit calls it: a job that Slurm stops for its time, or for another, is queued again."""

    def __call__(self, task: Job) -> Outcome:
        """Perform the task."""
        return perform(task)

    def checkpoint(self, task: Job) -> Any:
        """What submitit queues instead: the same, as a run goes on from its own checkpoint."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, task)


class _Job:
    """A submitted job as a `Handle`."""

    def __init__(self, job: Any) -> None:
        self.job = job

    def done(self) -> bool:
        return bool(self.job.done())

    def result(self) -> Outcome:
        outcome: Outcome = self.job.result()
        return outcome


class SlurmExecutor:
    """Each task is a job with one process; Slurm's own output is kept in a folder.

    Args:
        folder: for submitit's files; on a disk that the nodes share.
        cluster: "slurm", or "local" to run jobs as processes of this machine.
        cpus: cores a job takes.
        gpus: GPUs a job takes.
        minutes: after which Slurm stops a job (which is then queued again).
        parameters: further options of sbatch, by their long names: partition, account, qos and so on.
    """

    shared_fate = False

    def __init__(
        self, folder: Path, cluster: str, cpus: int, gpus: int, minutes: int, parameters: dict[str, str]
    ) -> None:
        try:
            import submitit
        except ImportError as error:
            raise RequestError("--launcher slurm needs the package: pip install 'dabs[slurm]'") from error
        try:
            self.executor = submitit.AutoExecutor(folder=folder / "%j", cluster=cluster)
        except RuntimeError as error:
            raise DabsError(f"jobs cannot be submitted: {error}. Run this where sbatch is.") from error
        self.executor.update_parameters(
            name="dabs", cpus_per_task=cpus, gpus_per_node=gpus, timeout_min=minutes, tasks_per_node=1, nodes=1
        )
        if cluster == "slurm" and parameters:
            self.executor.update_parameters(slurm_additional_parameters=parameters)
        self.jobs: list[Any] = []

    def submit(self, task: Job) -> _Job:
        """Submit a job."""
        self.jobs.append(self.executor.submit(Resumed(), task))
        return _Job(self.jobs[-1])

    def close(self) -> None:
        """Cancel what has not ended."""
        for job in self.jobs:
            if not job.done():
                job.cancel()
