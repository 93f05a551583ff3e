"""The options of a launcher, and the executor they select."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dabs.errors import RequestError
from dabs.utils.environment import usable_cores

if TYPE_CHECKING:
    from dabs.launch.graph import Executor


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Where the runs of the benchmark take place; a cell is one algorithm in one domain with one seed."""

    launcher: Literal["local", "ray", "slurm"] = "local"  # processes of this machine, a Ray cluster, or Slurm jobs
    address: str = ""  # of the Ray cluster (empty: start one here); for slurm, "local" runs jobs as processes here
    jobs: int = 0  # cells at a time on this machine; 0: one with a GPU, otherwise one per core, at most four
    cpus: int = 1  # cores per cell on Ray or Slurm
    gpus: int = 0  # GPUs per cell on Ray or Slurm
    minutes: int = 240  # time limit of a Slurm job; a job that reaches it is queued again and resumes
    sbatch: tuple[str, ...] = ()  # more options for sbatch, such as partition=gpu account=me
    retries: int = 2  # how often a cell is run again if its process or node is lost

    def __post_init__(self) -> None:
        if min(self.jobs, self.gpus, self.retries) < 0 or min(self.cpus, self.minutes) < 1:
            raise RequestError("--jobs, --gpus and --retries must be at least 0, --cpus and --minutes at least 1.")
        for option in self.sbatch:
            if not all(option.partition("=")):
                raise RequestError(f"--sbatch takes name=value, not {option!r}.")


def count_parallel_cells(options: LaunchOptions) -> int:
    """Return how many cells run at a time on this machine."""
    import torch

    return options.jobs or (1 if torch.cuda.is_available() else min(usable_cores(), 4))


def executor_of(options: LaunchOptions, folder: Path) -> Executor:
    """Return the executor that the options select.

    Args:
        options: of the launcher.
        folder: where submitit keeps its files.

    Raises:
        RequestError: an optional package is not installed.
        DabsError: no cluster can be reached.
    """
    if options.launcher == "ray":
        from dabs.launch.ray import RayExecutor

        return RayExecutor(options.address, count_parallel_cells(options), options.cpus, options.gpus)
    if options.launcher == "slurm":
        from dabs.launch.slurm import SlurmExecutor

        given = dict(option.split("=", 1) for option in options.sbatch)
        cluster = options.address or "slurm"
        return SlurmExecutor(folder, cluster, options.cpus, options.gpus, options.minutes, given)
    from dabs.launch.local import LocalExecutor

    return LocalExecutor(count_parallel_cells(options))
