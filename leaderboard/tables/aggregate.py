"""Results gathered into one table: means over seeds, tasks and domains, and what may stand in one table together.

Every score is higher-is-better. A missing task empties the mean of its domain and of the whole; it is never skipped.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dabs.config import PROTOCOLS
from dabs.errors import RequestError
from dabs.evaluation.raw_input import RAW
from dabs.leaderboard.tables.compatibility import budget_of, data_of, evaluation_of, plain, recipe_of
from dabs.results.schema import Counts, MetricRecord, Result

Tasks = Mapping[str, Sequence[str]]  # domain -> the names of all its tasks
FLOORS = ("none", RAW)  # the random encoder and the raw input, which stand first


@dataclass(frozen=True, kw_only=True)
class CellMean:
    """One algorithm on one task under one protocol, over its pretraining seeds.

    Attributes:
        seeds: the seeds, ascending.
        scores: one a seed, in the same order.
        mean: of the scores.
        deviation: their sample standard deviation; None with one seed.
        interval: ends of the interval over test examples, averaged over seeds. It says nothing about seeds.
    """

    algorithm: str
    domain: str
    task: str
    protocol: str
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    mean: float
    deviation: float | None
    interval: tuple[float, float]

    @property
    def spread(self) -> float:
        """Largest score less smallest over seeds; 0 with one seed."""
        return max(self.scores) - min(self.scores)


@dataclass(frozen=True, kw_only=True)
class TaskInfo:
    """What all results of a task agree on; tasks of one `test_split` (its hash) ask about the same examples."""

    domain: str
    task: str
    metric: MetricRecord
    origin: str
    counts: Counts
    test_split: str


@dataclass(frozen=True, kw_only=True)
class Wins:
    """The tasks (domain, task) on which an algorithm beats a baseline, out of `tasks`, and their share."""

    won: tuple[tuple[str, str], ...]
    tasks: int

    @property
    def share(self) -> float:
        """Between 0 and 1; a task that either of the two lacks counts as not won."""
        return len(self.won) / self.tasks


@dataclass(frozen=True, kw_only=True)
class Table:
    """The results of one suite under one protocol.

    Attributes:
        algorithms: none, raw, then alphabetical.
        tasks: all tasks of every domain, whether or not there is a result.
        cells: by (algorithm, domain, task).
        info: by (domain, task); lacks the tasks that no algorithm has a result for.
    """

    suite: str
    protocol: str
    algorithms: tuple[str, ...]
    tasks: dict[str, tuple[str, ...]]
    cells: dict[tuple[str, str, str], CellMean]
    info: dict[tuple[str, str], TaskInfo]

    def cell(self, algorithm: str, domain: str, task: str) -> CellMean | None:
        """One algorithm's cell for a task, or None."""
        return self.cells.get((algorithm, domain, task))

    def score(self, algorithm: str, domain: str, task: str) -> float | None:
        """Mean over seeds, or None without a result."""
        cell = self.cell(algorithm, domain, task)
        return cell.mean if cell else None

    def domain_mean(self, algorithm: str, domain: str) -> float | None:
        """Mean over all tasks of the domain; None when one is missing."""
        return _mean_of_all([self.score(algorithm, domain, task) for task in self.tasks[domain]])

    def overall(self, algorithm: str) -> float | None:
        """Mean over all domains, each counting the same; None when a task is missing anywhere."""
        return _mean_of_all([self.domain_mean(algorithm, domain) for domain in self.tasks])

    def domain_interval(self, algorithm: str, domain: str) -> tuple[float, float] | None:
        """Interval of `domain_mean` over test examples, at the level of the cells' own; None where the mean is."""
        parts = [
            (cell.mean, cell.interval, self.info[domain, task].test_split) if cell else None
            for task in self.tasks[domain]
            for cell in [self.cell(algorithm, domain, task)]
        ]
        return _interval_of_mean(parts)

    def overall_interval(self, algorithm: str) -> tuple[float, float] | None:
        """Interval of `overall` over test examples; None where the mean is."""
        parts = []
        for domain in self.tasks:
            mean, interval = self.domain_mean(algorithm, domain), self.domain_interval(algorithm, domain)
            parts.append((mean, interval, domain) if mean is not None and interval else None)
        return _interval_of_mean(parts)

    def origins(self, domain: str) -> tuple[str, ...]:
        """The origins of the domain's data, as far as results name them."""
        return tuple(sorted({info.origin for (d, _), info in self.info.items() if d == domain}))

    def beats(self, algorithm: str, baseline: str = "none") -> Wins:
        """The tasks whose mean exceeds the baseline's by more than the seeds' spread: the larger of the two ranges.

        Raises:
            RequestError: one of the two is not in the table.
        """
        for name in (algorithm, baseline):
            if name not in self.algorithms:
                raise RequestError(f"the table has no results of {name!r}; it has {', '.join(self.algorithms)}.")
        every = [(domain, task) for domain, tasks in self.tasks.items() for task in tasks]
        won = []
        for domain, task in every:
            mine, theirs = self.cell(algorithm, domain, task), self.cell(baseline, domain, task)
            if mine and theirs and mine.mean - theirs.mean > max(mine.spread, theirs.spread):
                won.append((domain, task))
        return Wins(won=tuple(won), tasks=len(every))


def protocols_of(results: Iterable[Result]) -> tuple[str, ...]:
    """The protocols there are results for, in the order linear, knn, finetune."""
    seen = {result.protocol for result in results}
    return tuple(protocol for protocol in PROTOCOLS if protocol in seen)


def build_table(results: Sequence[Result], protocol: str, tasks: Tasks | None = None) -> Table:
    """Gather the results of one protocol.

    Args:
        results: of any protocols; those of the others only tell which tasks there are.
        protocol: "linear", "knn" or "finetune".
        tasks: all tasks of each domain; by default those that occur in `results` for any algorithm.

    Raises:
        RequestError: no results, a result outside `tasks`, or results that may not be compared: another suite, other
            data, splits or evaluation settings for one task, or seeds of one cell that differ in more than the seed.
    """
    chosen = [result for result in results if result.protocol == protocol]
    if not chosen:
        raise RequestError(f"there are no results of the protocol {protocol!r}.")
    _check_equal(results, "suite", lambda r: "the table", lambda r: {"suite": r.suite})
    _check_equal(results, "data", _task_words, data_of)
    _check_equal(chosen, "evaluation", _task_words, evaluation_of)
    _check_equal(chosen, "seeds", lambda r: f"{r.algorithm} on {_task_words(r)}", recipe_of)
    trained = [result for result in chosen if result.pretraining.steps]
    _check_equal(trained, "budget", lambda r: f"pretraining in {r.domain}", budget_of)
    known = tasks_of(results, tasks)
    groups: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for result in chosen:
        groups[result.algorithm, result.domain, result.task].append(result)
    return Table(
        suite=chosen[0].suite,
        protocol=protocol,
        algorithms=ordered({result.algorithm for result in results}),
        tasks=known,
        cells={key: _cell(group) for key, group in groups.items()},
        info={(r.domain, r.task): _info(r) for r in results},
    )


def ordered(algorithms: Iterable[str]) -> tuple[str, ...]:
    """The floors first, then alphabetical."""
    return tuple(sorted(algorithms, key=lambda name: (FLOORS.index(name) if name in FLOORS else len(FLOORS), name)))


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if there and len(there) == len(values) else None


def _interval_of_mean(parts: Sequence[tuple[float, tuple[float, float], str] | None]) -> tuple[float, float] | None:
    """Interval of the mean of scores from their own intervals; None when one is missing.

    Each score comes with the name of its examples. The distances from score to either end add where scores share their
    examples, which are taken as wholly dependent (as `evidence.mean_evidence` does), and otherwise in quadrature
    (MOVER: Zou and Donner, Statistics in Medicine 27, 2008).
    """
    there = [part for part in parts if part]
    if not there or len(there) < len(parts):
        return None
    mean = statistics.fmean(score for score, _, _ in there)
    below: dict[str, float] = defaultdict(float)
    above: dict[str, float] = defaultdict(float)
    for score, (low, high), examples in there:
        below[examples] += max(0.0, score - low)
        above[examples] += max(0.0, high - score)
    return mean - math.hypot(*below.values()) / len(there), mean + math.hypot(*above.values()) / len(there)


def tasks_of(results: Sequence[Result], tasks: Tasks | None = None) -> dict[str, tuple[str, ...]]:
    """Return all tasks of each domain: `tasks` if given, else those that occur in `results`.

    Raises:
        RequestError: a result is of a task that is not in `tasks`.
    """
    seen: dict[str, set[str]] = defaultdict(set)
    for result in results:
        seen[result.domain].add(result.task)
    if tasks is None:
        return {domain: tuple(sorted(names)) for domain, names in sorted(seen.items())}
    for domain, names in seen.items():
        for task in sorted(names - set(tasks.get(domain, ()))):
            raise RequestError(f"there is a result of the task {domain}/{task}, which is not in the list of tasks.")
    return {domain: tuple(names) for domain, names in tasks.items()}


def _cell(group: list[Result]) -> CellMean:
    group = sorted(group, key=lambda result: result.seed)
    first, scores = group[0], tuple(result.score for result in group)
    seeds = tuple(result.seed for result in group)
    if len(set(seeds)) < len(seeds):
        words = f"{first.algorithm} on {_task_words(first)} ({first.protocol})"
        raise RequestError(f"{words} has two results of one seed among {seeds}. Remove one of the two.")
    ends = [statistics.fmean(getattr(r.interval, end) for r in group) for end in ("low", "high")]
    return CellMean(
        algorithm=first.algorithm,
        domain=first.domain,
        task=first.task,
        protocol=first.protocol,
        seeds=seeds,
        scores=scores,
        mean=statistics.fmean(scores),
        deviation=statistics.stdev(scores) if len(scores) > 1 else None,
        interval=(ends[0], ends[1]),
    )


def _info(result: Result) -> TaskInfo:
    return TaskInfo(
        domain=result.domain,
        task=result.task,
        metric=result.metric,
        origin=result.data.origin,
        counts=result.counts,
        test_split=result.data.split_sha256.test,
    )


def _task_words(result: Result) -> str:
    return f"{result.domain}/{result.task}"


def _check_equal(
    results: Sequence[Result], what: str, group: Callable[[Result], str], facts: Callable[[Result], dict[str, Any]]
) -> None:
    """Refuse results of one group whose facts differ, naming the fact, both values and whose they are."""
    firsts: dict[str, tuple[Result, dict[str, Any]]] = {}
    for result in results:
        mine = facts(result)
        first, theirs = firsts.setdefault(group(result), (result, mine))
        for name in mine:
            if mine[name] != theirs[name]:
                raise RequestError(
                    f"{group(result)}: {name} differs, so these results may not share a table ({what}): "
                    f"{_whose(first)} has {plain(theirs[name])!r}, {_whose(result)} has {plain(mine[name])!r}. "
                    "Leave one of them out, or make it again with the same data and settings."
                )


def _whose(result: Result) -> str:
    return f"{result.algorithm} ({_task_words(result)}, {result.protocol}, seed {result.seed})"
