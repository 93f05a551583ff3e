"""Run a graph of jobs: in processes of this machine, on Ray, or on Slurm.

Nothing here knows what the jobs do. A job that fails stops only the jobs that need it, a job whose process or node dies
is run again, and every job has its own log.
"""

from dabs.launch.graph import Executor, Watcher, run_graph
from dabs.launch.job import Job, Outcome, Progress, report
from dabs.launch.options import LaunchOptions, executor_of

__all__ = ["Executor", "Job", "LaunchOptions", "Outcome", "Progress", "Watcher", "executor_of", "report", "run_graph"]
