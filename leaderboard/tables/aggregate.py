"""A table of results: means over seeds, tasks and domains.

Higher scores are better. A missing task leaves the means of its domain and of all domains empty; it is never skipped.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dabs.config import PROTOCOLS
from dabs.errors import RequestError
from dabs.evaluation.reference_rows import has_no_seed, is_reference, reference_place
from dabs.leaderboard.tables.compatibility import (
    budget_of,
    data_of,
    evaluation_of,
    recipe_of,
    refuse_repeated_seed,
    to_plain,
)
from dabs.leaderboard.tables.intervals import MeanInterval, TableIntervals, build_intervals
from dabs.official import is_official
from dabs.results.schema import Counts, MetricRecord, Result

TaskNames = TypeVar("TaskNames", bound=Sequence[str])
Tasks = Mapping[str, Sequence[str]]  # domain -> the names of all its tasks


@dataclass(frozen=True, kw_only=True)
class CellMean:
    """One algorithm on one task under one protocol, over its pretraining seeds.

    Attributes:
        seeds: the seeds, ascending.
        scores: one per seed, in the same order.
        mean: mean of the scores.
        deviation: sample standard deviation of the scores; None for one seed.
        interval: ends of the interval of the mean (`intervals.build_intervals`).
        test_data_only: the encoder has one seed, and the interval says nothing about other seeds.
        failed: the seeds whose run did not learn; their scores are part of the mean.
        reasons: why they did not, each reason once.
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
    test_data_only: bool
    failed: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def spread(self) -> float:
        """Largest score minus smallest over seeds; 0 for one seed."""
        return max(self.scores) - min(self.scores)


@dataclass(frozen=True, kw_only=True)
class TaskInfo:
    """What all results of a task agree on; tasks with the same `test_split` (a hash) use the same examples."""

    domain: str
    task: str
    metric: MetricRecord
    origin: str
    counts: Counts
    test_split: str


@dataclass(frozen=True, kw_only=True)
class Wins:
    """The tasks (domain, task) on which an algorithm beats a baseline, out of a number of `tasks`."""

    won: tuple[tuple[str, str], ...]
    tasks: int

    @property
    def share(self) -> float:
        """Share of tasks won, from 0 to 1; a task that either of the two lacks counts as not won."""
        return len(self.won) / self.tasks


@dataclass(frozen=True, kw_only=True)
class Table:
    """The results of one suite under one protocol.

    Attributes:
        algorithms: the reference rows, then in alphabetical order.
        tasks: all tasks of every domain, with or without results.
        cells: by (algorithm, domain, task).
        info: by (domain, task), for the tasks that any algorithm has a result for.
        intervals: of the cells, of the domains' means and of the overall means.
        budget: of the trained rows.
    """

    suite: str
    protocol: str
    algorithms: tuple[str, ...]
    tasks: dict[str, tuple[str, ...]]
    cells: dict[tuple[str, str, str], CellMean]
    info: dict[tuple[str, str], TaskInfo]
    intervals: TableIntervals
    budget: float = 1.0

    @property
    def title(self) -> str:
        """What the results are of: the suite, and a budget that is not the standard one."""
        return f"{self.suite} suite" if self.budget == 1 else f"{self.suite} suite at budget {self.budget:g}"

    def cell(self, algorithm: str, domain: str, task: str) -> CellMean | None:
        """Return an algorithm's cell for a task, or None."""
        return self.cells.get((algorithm, domain, task))

    def score(self, algorithm: str, domain: str, task: str) -> float | None:
        """Return the mean score over seeds, or None without a result."""
        cell = self.cell(algorithm, domain, task)
        return cell.mean if cell else None

    def domain_mean(self, algorithm: str, domain: str) -> float | None:
        """Return the mean over all tasks of the domain; None when one is missing."""
        return _mean_of_all([self.score(algorithm, domain, task) for task in self.tasks[domain]])

    @property
    def counted(self) -> dict[str, tuple[str, ...]]:
        """The tasks of the domains that make up "all domains": see `counted_domains`."""
        return counted_domains(self.tasks, self.suite)

    def overall(self, algorithm: str) -> float | None:
        """Return the mean over all domains with equal weights; None when any task is missing."""
        return _mean_of_all([self.domain_mean(algorithm, domain) for domain in self.counted])

    def of_domain(self, domain: str) -> Table:
        """Return the table of one domain alone, with all its rows."""
        cells = {key: cell for key, cell in self.cells.items() if key[1] == domain}
        return replace(self, tasks={domain: self.tasks[domain]}, cells=cells)

    def has_failed(self, algorithm: str, domain: str | None = None) -> bool:
        """Return whether a run in the mean of a domain, or of all domains, did not learn."""
        domains = self.counted if domain is None else (domain,)
        cells = [self.cell(algorithm, d, task) for d in domains for task in self.tasks[d]]
        return any(cell.failed for cell in cells if cell)

    def domain_interval(self, algorithm: str, domain: str) -> tuple[float, float] | None:
        """Return the interval of `domain_mean` at the level of the cells; None without a mean."""
        found = self.intervals.domains.get((algorithm, domain))
        return found.ends if found else None

    def overall_interval(self, algorithm: str) -> tuple[float, float] | None:
        """Return the interval of `overall`; None without a mean."""
        found = self.intervals.overall.get(algorithm)
        return found.ends if found else None

    def test_data_only(self, algorithm: str) -> bool:
        """Return whether any interval of an algorithm says nothing about other seeds, as some encoder has only one."""
        return any(cell.test_data_only for (name, *_), cell in self.cells.items() if name == algorithm)

    def origins(self, domain: str) -> tuple[str, ...]:
        """Return the origins of the domain's data, as far as results name them."""
        return tuple(sorted({info.origin for (d, _), info in self.info.items() if d == domain}))

    def beats(self, algorithm: str, baseline: str = "none") -> Wins:
        """Return the tasks whose mean exceeds the baseline's by more than the spread over seeds.

        The spread is the larger of the two ranges over seeds.

        Raises:
            RequestError: one of the two is not in the table.
        """
        for name in (algorithm, baseline):
            if name not in self.algorithms:
                raise RequestError(f"the table has no results for {name!r}, only for {', '.join(self.algorithms)}.")
        keys = [(domain, task) for domain, tasks in self.counted.items() for task in tasks]
        won = []
        for domain, task in keys:
            own, other = self.cell(algorithm, domain, task), self.cell(baseline, domain, task)
            if own and other and own.mean - other.mean > max(own.spread, other.spread):
                won.append((domain, task))
        return Wins(won=tuple(won), tasks=len(keys))


def counted_domains(tasks: Mapping[str, TaskNames], suite: str) -> dict[str, TaskNames]:
    """Return the domains that make up "all domains": the official ones of the suite, or all if none is official.

    A plug-in domain in the same folder has a row of its own, and no part in the mean that others are compared by.
    """
    official = {domain: names for domain, names in tasks.items() if is_official(domain, suite)}
    return official or dict(tasks)


def protocols_of(results: Iterable[Result]) -> tuple[str, ...]:
    """Return the protocols that have results, in the order of `config.PROTOCOLS`."""
    seen = {result.protocol for result in results}
    return tuple(protocol for protocol in PROTOCOLS if protocol in seen)


def build_table(results: Sequence[Result], protocol: str, tasks: Tasks | None = None) -> Table:
    """Build the table of one protocol.

    Args:
        results: results of any protocols; those of the others only add to the known tasks.
        protocol: one of `config.PROTOCOLS`.
        tasks: all tasks of each domain; by default those that any of `results` is about.

    Raises:
        RequestError: there are no results of the protocol, one is about a task outside `tasks`, or they may not be
            compared: the suite differs, a task's data, splits or evaluation settings differ, a domain's pretraining
            budgets differ, or the seeds of a cell differ in more than the seed.
    """
    chosen = [result for result in results if result.protocol == protocol]
    if not chosen:
        others = ", ".join(sorted({result.protocol for result in results}))
        hint = f"There are some for: {others}; name one with --protocol." if others else "Make some with `dabs run`."
        raise RequestError(f"there are no results for the protocol {protocol!r}. {hint}")
    _check_equal(results, "suite", lambda r: "the table", lambda r: {"suite": r.suite})
    _check_equal(results, "data", _task_path, data_of)
    _check_equal(chosen, "evaluation", _task_path, evaluation_of)
    _check_equal(chosen, "seeds", lambda r: f"{r.algorithm} on {_task_path(r)}", recipe_of)
    trained = [result for result in chosen if result.pretraining.steps]
    _check_equal(trained, "budget", lambda r: f"pretraining in {r.domain}", budget_of)
    known = tasks_of(results, tasks)
    groups: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for result in chosen:
        groups[result.algorithm, result.domain, result.task].append(result)
    intervals = build_intervals(groups, known, counted_domains(known, chosen[0].suite))
    return Table(
        suite=chosen[0].suite,
        protocol=protocol,
        algorithms=order_algorithms(_shown_rows(results, chosen)),
        tasks=known,
        cells={key: _make_cell(group, intervals.cells[key]) for key, group in groups.items()},
        info={(r.domain, r.task): _info(r) for r in results},
        intervals=intervals,
        budget=trained[0].budget or 1.0 if trained else 1.0,
    )


def order_algorithms(algorithms: Iterable[str]) -> tuple[str, ...]:
    """Return algorithms in the order of a table: the reference rows first, then alphabetically."""
    return tuple(sorted(algorithms, key=lambda name: (not is_reference(name), reference_place(name), name)))


def _shown_rows(results: Iterable[Result], chosen: Iterable[Result]) -> set[str]:
    """Return every algorithm, except those without an encoder that the protocol cannot be applied to."""
    return {r.algorithm for r in results if not has_no_seed(r.algorithm)} | {r.algorithm for r in chosen}


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known and len(known) == len(values) else None


def tasks_of(results: Iterable[Result], tasks: Tasks | None = None) -> dict[str, tuple[str, ...]]:
    """Return all tasks of each domain: `tasks` if given, else those that any result is about, alphabetically.

    Raises:
        RequestError: a result is about a task that is not in `tasks`.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for result in results:
        found[result.domain].add(result.task)
    if tasks is None:
        return {domain: tuple(sorted(names)) for domain, names in sorted(found.items())}
    for domain, names in found.items():
        for task in sorted(names - set(tasks.get(domain, ()))):
            raise RequestError(f"there is a result for the task {domain}/{task}, which is not in the list of tasks.")
    return {domain: tuple(names) for domain, names in tasks.items()}


def _make_cell(group: list[Result], interval: MeanInterval) -> CellMean:
    group = sorted(group, key=lambda result: result.seed)
    first, scores = group[0], tuple(result.score for result in group)
    seeds = tuple(result.seed for result in group)
    failed = [result for result in group if not result.pretraining.learning.learned]
    refuse_repeated_seed(f"{first.algorithm} on {_task_path(first)} ({first.protocol})", seeds)
    return CellMean(
        algorithm=first.algorithm,
        domain=first.domain,
        task=first.task,
        protocol=first.protocol,
        seeds=seeds,
        scores=scores,
        mean=statistics.fmean(scores),
        deviation=statistics.stdev(scores) if len(scores) > 1 else None,
        interval=interval.ends,
        test_data_only=interval.test_data_only,
        failed=tuple(result.seed for result in failed),
        reasons=tuple(dict.fromkeys(result.pretraining.learning.reason for result in failed)),
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


def _task_path(result: Result) -> str:
    return f"{result.domain}/{result.task}"


def _check_equal(
    results: Sequence[Result], what: str, group: Callable[[Result], str], facts: Callable[[Result], dict[str, Any]]
) -> None:
    """Refuse results of one group whose facts differ; the message names the fact, both values and both results."""
    firsts: dict[str, tuple[Result, dict[str, Any]]] = {}
    for result in results:
        own = facts(result)
        first, expected = firsts.setdefault(group(result), (result, own))
        for name in own:
            if own[name] != expected.setdefault(name, own[name]):
                values = to_plain(expected[name]), to_plain(own[name])
                raise RequestError(
                    f"{group(result)}: {name} differs, so these results may not share a table ({what}): "
                    f"{_describe(first)} has {values[0]!r}, {_describe(result)} has {values[1]!r}. "
                    "Leave one of them out, or make it again with the same data and settings."
                )


def _describe(result: Result) -> str:
    return f"{result.algorithm} ({_task_path(result)}, {result.protocol}, seed {result.seed})"
