"""Running a graph of tasks: on worker processes of this machine, on a Ray cluster, or as Slurm jobs.

Nothing here knows what the tasks do. A task that fails stops only those that need it; one whose process or node dies is
run again; every task writes a log of its own.
"""

from dabs.launch.graph import Executor, Watcher, run_graph
from dabs.launch.job import Job, Outcome, Progress, report
from dabs.launch.options import Launching, executor_of

__all__ = ["Executor", "Job", "Launching", "Outcome", "Progress", "Watcher", "executor_of", "report", "run_graph"]
