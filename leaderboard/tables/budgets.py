"""The rows of a suite at every budget: scores, intervals and costs.

Each budget has a table of its own, so results of different budgets are never part of one mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dabs.config import label_at, without_budget
from dabs.leaderboard.tables.aggregate import Table, Tasks, build_table, order_algorithms, tasks_of
from dabs.leaderboard.tables.costs import (
    CostKey,
    RunCost,
    costs_of,
    machine_of,
    most_used_machine,
    one_per_run,
    spread_of_seconds,
    total_cost,
)
from dabs.leaderboard.tables.ranking import Ends
from dabs.results.schema import Result


@dataclass(frozen=True, kw_only=True)
class Point:
    """A row at one budget: its mean of a domain or of all domains, and what its pretraining cost.

    Attributes:
        budget: the multiple of the standard steps.
        score: the mean, as in the table of this budget.
        interval: its interval, as in that table.
        cost: of the domain, or of all domains together.
        failed: the mean includes a run that did not learn.
    """

    budget: float
    score: float
    interval: Ends
    cost: RunCost
    failed: bool


@dataclass(frozen=True, kw_only=True)
class Level:
    """A row without pretraining, which is the same at every budget."""

    algorithm: str
    score: float
    interval: Ends


@dataclass(frozen=True, kw_only=True)
class BudgetTables:
    """The tables of one suite and protocol, one for each budget.

    Attributes:
        tables: by budget, ascending.
        costs: by budget, then by (algorithm, domain).
        machine: the one whose seconds count.
        runs: the number of training runs.
        elsewhere: how many of them were made on other machines; their seconds are left out.
        spread: how many times as long as its fastest seed the slowest seed of a cell took.
    """

    tables: dict[float, Table]
    costs: dict[float, dict[CostKey, RunCost]]
    machine: str
    runs: int
    elsewhere: int
    spread: float

    @property
    def first(self) -> Table:
        """The table of the smallest budget, for what all of them share: suite, protocol and tasks."""
        return next(iter(self.tables.values()))

    @property
    def trained(self) -> tuple[str, ...]:
        """The rows that have a budget, in the order of a table."""
        return order_algorithms({name for costs in self.costs.values() for name, _ in costs})

    def points(self, algorithm: str, domain: str | None = None) -> list[Point]:
        """Return a row at every budget at which it has a mean of a domain, or of all domains."""
        found = []
        for budget, table in self.tables.items():
            score, interval = _mean(table, algorithm, domain)
            costs = self.costs[budget]
            if score is not None and interval is not None and any(name == algorithm for name, _ in costs):
                cost = total_cost(costs, algorithm, table.counted if domain is None else (domain,))
                failed = table.has_failed(algorithm, domain)
                found.append(Point(budget=budget, score=score, interval=interval, cost=cost, failed=failed))
        return found

    def levels(self, domain: str | None = None) -> list[Level]:
        """Return the rows without pretraining that have a mean of a domain, or of all domains."""
        found = []
        for name in order_algorithms({name for table in self.tables.values() for name in table.algorithms}):
            score, interval = _mean(self.first, name, domain)
            if name not in self.trained and score is not None and interval is not None:
                found.append(Level(algorithm=name, score=score, interval=interval))
        return found


def _mean(table: Table, algorithm: str, domain: str | None) -> tuple[float | None, Ends | None]:
    if domain is None:
        return table.overall(algorithm), table.overall_interval(algorithm)
    return table.domain_mean(algorithm, domain), table.domain_interval(algorithm, domain)


def build_budget_tables(results: Sequence[Result], protocol: str, tasks: Tasks | None = None) -> BudgetTables:
    """Build one table for each budget that has results of a protocol.

    Rows without pretraining are part of every table.

    Args:
        results: of any budgets and protocols; a row may be named with its budget or without.
        protocol: one of `config.PROTOCOLS`.
        tasks: all tasks of each domain; by default those that any result of any budget is about. A table whose budget
            lacks one of them has no mean there.

    Raises:
        RequestError: as `aggregate.build_table` does, also where two budgets have different data or settings.
    """
    named = [_under(result, without_budget(result.algorithm)) for result in results]
    chosen = [result for result in named if result.protocol == protocol]
    budgets = sorted({result.budget for result in chosen if result.budget is not None}) or [1.0]
    known = tasks_of(named, tasks)
    if len(budgets) > 1:  # the same data and settings at every budget
        build_table([_under(one, label_at(one.algorithm, one.budget or 1.0)) for one in chosen], protocol, known)
    at = {budget: [one for one in chosen if one.budget in (None, budget)] for budget in budgets}
    runs = [run for found in at.values() for run in one_per_run(found) if run.pretraining.steps]
    machine = most_used_machine(runs)
    return BudgetTables(
        tables={budget: build_table(found, protocol, known) for budget, found in at.items()},
        costs={budget: costs_of(found, machine) for budget, found in at.items()},
        machine=machine,
        runs=len(runs),
        elsewhere=sum(machine_of(run) != machine for run in runs),
        spread=spread_of_seconds(runs, machine),
    )


def _under(result: Result, name: str) -> Result:
    return result if result.algorithm == name else result.model_copy(update={"algorithm": name})


def non_dominated(points: Sequence[tuple[float, float]], floor: float | None = None) -> list[int]:
    """Return the points that no other one beats: none scores at least as high for at most the cost.

    Of equal points, all are returned.

    Args:
        points: (cost, score) of each.
        floor: the best score that costs nothing, which a point has to exceed.

    Returns:
        Indices, by ascending cost.
    """
    order = sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1]))
    best, found = floor, list[int]()
    for i in order:
        equal = bool(found) and points[i] == points[found[-1]]
        if best is None or points[i][1] > best or equal:
            best = points[i][1]
            found.append(i)
    return found
