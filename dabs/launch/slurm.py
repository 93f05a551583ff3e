"""Run each job as a Slurm job, through submitit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dabs.errors import DabsError, RequestError
from dabs.launch.job import Job, Outcome, perform
from dabs.utils.processes import end_on_signals, end_with


class RequeuedPerform:
    """`perform` for submitit, which queues it again if Slurm stops it at its time limit or preempts it.

    Args:
        launcher: the process to end with, if the job runs on its machine; 0 for a job of Slurm, which goes on without.
    """

    def __init__(self, launcher: int) -> None:
        self.launcher = launcher

    def __call__(self, job: Job) -> Outcome:
        """Perform the job."""
        if self.launcher:
            end_on_signals()
            end_with(self.launcher)
        return perform(job)

    def checkpoint(self, job: Job) -> Any:
        """Return what submitit queues again: the same call, because a run resumes from its own checkpoint."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, job)


class SlurmHandle:
    """A submitted Slurm job as a `Handle`.

    Args:
        job: of submitit.
    """

    def __init__(self, job: Any) -> None:
        self.job = job

    def done(self) -> bool:
        """Return whether the job has ended."""
        return bool(self.job.done())

    def result(self) -> Outcome:
        """Return how the job ended; raise if it was lost."""
        outcome: Outcome = self.job.result()
        return outcome


class SlurmExecutor:
    """Executor that submits each job as a Slurm job with one process.

    Args:
        folder: for submitit's files and Slurm's output; on a disk that the nodes share.
        cluster: "slurm", or "local" to run jobs as processes of this machine.
        cpus: cores per job.
        gpus: GPUs per job.
        minutes: after which Slurm stops a job, which is then queued again.
        parameters: more options for sbatch, by their long names: partition, account, qos and so on.
    """

    shared_fate = False
    losses: tuple[type[Exception], ...] = (Exception,)  # `perform` raises none of its own

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
        self.launcher = os.getpid() if cluster == "local" else 0
        self.jobs: list[Any] = []

    def submit(self, job: Job) -> SlurmHandle:
        """Submit a job."""
        self.jobs.append(self.executor.submit(RequeuedPerform(self.launcher), job))
        return SlurmHandle(self.jobs[-1])

    def stop(self) -> None:
        """Cancel the jobs that have not ended. Slurm gives a run that trains its KillWait to save its state."""
        for job in self.jobs:
            if not job.done():
                job.cancel()

    def close(self) -> None:
        """Cancel what has not ended."""
        self.stop()
