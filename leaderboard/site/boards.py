"""The boards of the site: one per ruleset, each with one table per protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dabs.evaluation.reference_rows import is_reference
from dabs.leaderboard.tables.aggregate import (
    Table,
    Tasks,
    build_table,
    order_algorithms,
    protocols_of,
    tasks_of,
)
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
    """

    ruleset: str
    results: tuple[Result, ...]
    tables: tuple[Table, ...]

    def table(self, protocol: str) -> Table:
        """Return the table of one protocol."""
        return next(table for table in self.tables if table.protocol == protocol)


def build_boards(rows: Sequence[Entry], tasks: Tasks | None = None) -> list[Board]:
    """Return a board for each ruleset that has a row; every board includes the reference rows.

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
            tables = (build_table(shown, protocol, all_tasks) for protocol in protocols_of(own))
            boards.append(Board(ruleset=ruleset, results=shown, tables=tuple(tables)))
    return boards


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
