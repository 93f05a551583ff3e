"""The boards of the site: one per ruleset, each with one table per protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dabs.config import without_budget
from dabs.evaluation.reference_rows import is_reference
from dabs.leaderboard.tables.aggregate import (
    Table,
    Tasks,
    build_table,
    order_algorithms,
    protocols_of,
    tasks_of,
)
from dabs.leaderboard.tables.budgets import BudgetTables, build_budget_tables
from dabs.results.entries import Entry
from dabs.results.schema import Result
from dabs.results.submission import RULESETS

MAX_DRAWN = 8  # learned algorithms in a figure, which shows the best ones


@dataclass(frozen=True, kw_only=True)
class Board:
    """The tables of one ruleset, one per protocol.

    Attributes:
        ruleset: one of `submission.RULESETS`.
        results: the results of all rows, under the rows' names.
        tables: in the order of `protocols_of`.
        budgets: by protocol, the rows that any figure of the board draws, at every budget.
    """

    ruleset: str
    results: tuple[Result, ...]
    tables: tuple[Table, ...]
    budgets: Mapping[str, BudgetTables]

    def table(self, protocol: str) -> Table:
        """Return the table of one protocol."""
        return next(table for table in self.tables if table.protocol == protocol)


def build_boards(rows: Sequence[Entry], tasks: Tasks | None = None, every: Sequence[Entry] = ()) -> list[Board]:
    """Return a board for each ruleset that has a row; every board includes the reference rows.

    Args:
        rows: rows of one budget.
        tasks: all tasks of each domain, as in `aggregate.build_table`.
        every: the same rows at every budget, for the figures of cost; `rows` by default.

    Raises:
        RequestError: results that may not share a table.
    """
    all_results = [result for row in rows for result in row.results]
    all_tasks = tasks_of(all_results, tasks)
    rulesets = {row.name: row.ruleset for row in rows}
    if len(set(rulesets.values())) > 1:  # the data must be the same across boards too
        for protocol in protocols_of(all_results):
            build_table(all_results, protocol, all_tasks)
    boards = []
    for ruleset in RULESETS:
        if ruleset in rulesets.values():
            own = [result for result in all_results if rulesets[result.algorithm] == ruleset]
            shown = tuple(r for r in all_results if rulesets[r.algorithm] == ruleset or is_reference(r.algorithm))
            tables = tuple(build_table(shown, protocol, all_tasks) for protocol in protocols_of(own))
            budgets = _build_budgets(tables, every or rows, ruleset)
            boards.append(Board(ruleset=ruleset, results=shown, tables=tables, budgets=budgets))
    return boards


def _build_budgets(tables: Sequence[Table], every: Sequence[Entry], ruleset: str) -> dict[str, BudgetTables]:
    """Return the tables of every budget for each protocol, of the rows that a figure draws."""
    drawn = {
        name
        for table in tables
        for domain in (None, *table.tasks)
        for name in select_drawn_rows(table, domain).algorithms
    }
    names = {entry.name: without_budget(entry.name) for entry in every}
    shown = [e for e in every if names[e.name] in drawn and (e.ruleset == ruleset or is_reference(names[e.name]))]
    results = [result for entry in shown for result in entry.results]
    tasks = tasks_of(results) | tables[0].tasks
    return {table.protocol: build_budget_tables(results, table.protocol, tasks) for table in tables}


def select_drawn_rows(table: Table, domain: str | None = None) -> Table:
    """Return the table with only the rows that a figure draws: the references, and the best of the others.

    Args:
        table: the whole table.
        domain: rank by the mean of this domain, and keep it alone; by default rank by the overall score.
    """

    def score(name: str) -> float:
        mean = table.domain_mean(name, domain) if domain else table.overall(name)
        return float("-inf") if mean is None else mean

    learned = sorted((name for name in table.algorithms if not is_reference(name)), key=score, reverse=True)
    kept = {*learned[:MAX_DRAWN], *(name for name in table.algorithms if is_reference(name))}
    tasks = {domain: table.tasks[domain]} if domain else table.tasks
    keys = ((name, d, task) for name in kept for d, names in tasks.items() for task in names)
    cells = {key: table.cells[key] for key in keys if key in table.cells}
    return replace(table, algorithms=order_algorithms(kept), tasks=tasks, cells=cells)
