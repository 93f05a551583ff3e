"""What pretraining cost: the seconds and FLOPs of each row in each domain.

Seconds mean something on one machine only, so those of the machine with the most runs count, and the others are left
out. A result names the machine that evaluated the run; `dabs run` does both on one machine.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from dabs.evaluation.reference_rows import SUPERVISED
from dabs.results.schema import Result


@dataclass(frozen=True, kw_only=True)
class RunCost:
    """What pretraining a row cost, as means over seeds; None where it is unknown."""

    seconds: float | None = None
    flops: float | None = None


CostKey = tuple[str, str]  # algorithm, domain


def one_per_run(results: Iterable[Result]) -> list[Result]:
    """Return one result of each training run; all results of a run describe it alike.

    A run belongs to an algorithm, a domain and a seed; the supervised encoder has one for each task as well.
    """
    firsts: dict[tuple[str, str, str, int], Result] = {}
    for result in results:
        task = result.task if result.algorithm == SUPERVISED else ""
        firsts.setdefault((result.domain, result.algorithm, task, result.seed), result)
    return [firsts[key] for key in sorted(firsts)]


def machine_of(result: Result) -> str:
    """Return the machine of a result in words."""
    one = result.environment
    return f"{one.processor}, {one.cores} core{'s' * (one.cores != 1)}, {one.device}"


def most_used_machine(runs: Iterable[Result]) -> str:
    """Return the machine with the most of some training runs, the first by name among equals; empty without runs."""
    counts = Counter(machine_of(run) for run in runs)
    return min(counts, key=lambda name: (-counts[name], name)) if counts else ""


def costs_of(results: Sequence[Result], machine: str) -> dict[CostKey, RunCost]:
    """Return the cost of each row that was trained, in each domain.

    The supervised encoder is trained anew for every task, so its cost is the sum over the tasks.

    Args:
        results: of one budget and protocol.
        machine: the one whose seconds count.
    """
    by_seed: dict[CostKey, dict[int, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for run in one_per_run(results):
        if run.pretraining.steps:
            by_seed[run.algorithm, run.domain][run.seed].append(run)
    return {key: _mean_cost(list(seeds.values()), machine) for key, seeds in by_seed.items()}


def _mean_cost(seeds: Sequence[Sequence[Result]], machine: str) -> RunCost:
    """Return the mean over seeds; each seed is the list of its runs."""
    flops = [_sum_known([run.pretraining.flops for run in runs]) for runs in seeds]
    here = [runs for runs in seeds if all(machine_of(run) == machine for run in runs)]
    seconds = [_sum_known([run.pretraining.wall_seconds for run in runs]) for runs in here]
    return RunCost(seconds=_mean_known(seconds), flops=_mean_known(flops))


def total_cost(costs: Mapping[CostKey, RunCost], algorithm: str, domains: Iterable[str]) -> RunCost:
    """Return the cost of a row in some domains together; unknown if it is unknown in one of them."""
    found = [costs.get((algorithm, domain), RunCost()) for domain in domains]
    return RunCost(
        seconds=_sum_known([one.seconds or 0.0 for one in found]), flops=_sum_known([one.flops or 0.0 for one in found])
    )


def _sum_known(values: Sequence[float]) -> float | None:
    """Return the sum; None if there is no value, or if one is 0, which stands for unknown."""
    return sum(values) if values and all(values) else None


def _mean_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def spread_of_seconds(runs: Iterable[Result], machine: str) -> float:
    """Return how many times as long as its fastest seed the slowest seed of a cell took on a machine; at least 1."""
    found: dict[tuple[str, str, str, int], list[float]] = defaultdict(list)
    for run in runs:
        if machine_of(run) == machine and run.pretraining.wall_seconds:
            task = run.task if run.algorithm == SUPERVISED else ""
            key = (run.algorithm, run.domain, task, run.pretraining.steps)
            found[key].append(run.pretraining.wall_seconds)
    return max((max(seconds) / min(seconds) for seconds in found.values()), default=1.0)
