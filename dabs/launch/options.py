"""The options of a launcher, and the executor they ask for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dabs.errors import RequestError

if TYPE_CHECKING:
    from dabs.launch.graph import Executor


@dataclass(frozen=True, kw_only=True)
class Launching:
    """Where the cells of a grid run."""

    launcher: Literal["local", "ray", "slurm"] = "local"  # processes of this machine, a Ray cluster, or Slurm jobs
    address: str = ""  # of a Ray cluster (empty: one on this machine); for slurm "local" runs jobs as processes here
    jobs: int = 0  # cells at a time on this machine; 0: one a core up to four without a GPU, else one
    cpus: int = 1  # cores of a cell on Ray or Slurm
    gpus: int = 0  # GPUs of a cell on Ray or Slurm
    minutes: int = 240  # after which Slurm stops a job; it is queued again and goes on
    sbatch: tuple[str, ...] = ()  # further options of sbatch, as partition=gpu account=me
    retries: int = 2  # times that a cell is run again whose process or node was lost

    def __post_init__(self) -> None:
        if min(self.jobs, self.gpus, self.retries) < 0 or min(self.cpus, self.minutes) < 1:
            raise RequestError("--jobs, --gpus and --retries must be at least 0, --cpus and --minutes at least 1.")
        for option in self.sbatch:
            if not all(option.partition("=")):
                raise RequestError(f"--sbatch takes name=value, not {option!r}.")


def jobs_of(options: Launching) -> int:
    """How many cells run at a time on this machine."""
    import torch

    return options.jobs or (1 if torch.cuda.is_available() else min(os.cpu_count() or 1, 4))


def executor_of(options: Launching, folder: Path) -> Executor:
    """The executor that the options ask for.

    Args:
        options: where.
        folder: for the files of submitit.

    Raises:
        RequestError: an optional package is not there.
        DabsError: no cluster answers.
    """
    if options.launcher == "ray":
        from dabs.launch.ray import RayExecutor

        return RayExecutor(options.address, jobs_of(options), options.cpus, options.gpus)
    if options.launcher == "slurm":
        from dabs.launch.slurm import SlurmExecutor

        given = dict(option.split("=", 1) for option in options.sbatch)
        cluster = options.address or "slurm"
        return SlurmExecutor(folder, cluster, options.cpus, options.gpus, options.minutes, given)
    from dabs.launch.local import LocalExecutor

    return LocalExecutor(jobs_of(options))
