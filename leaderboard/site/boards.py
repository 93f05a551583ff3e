"""The tables of the site: a set a ruleset, what of them is drawn, and where each thing's page and JSON lie."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dabs.leaderboard.site.cell_json import cell_file
from dabs.leaderboard.tables.aggregate import FLOORS, Table, Tasks, build_table, ordered, protocols_of
from dabs.results.entries import Entry
from dabs.results.schema import Result
from dabs.results.submission import RULESETS

DRAWN = 8  # learned algorithms in a figure, the best ones


@dataclass(frozen=True, kw_only=True)
class Links:
    """Addresses as seen from one page.

    Attributes:
        root: from the page's folder to the site's, "" or "../".
        slugs: file name of each row.
    """

    root: str
    slugs: Mapping[str, str]

    def page(self, name: str) -> str:
        """One of the pages at the top: index, compare, cards, submit."""
        return f"{self.root}{name}.html"

    def algorithm(self, name: str) -> str:
        """The page of a row."""
        return f"{self.root}algorithms/{self.slugs[name]}.html"

    def domain(self, domain: str) -> str:
        """The page of a domain."""
        return f"{self.root}domains/{domain}.html"

    def task(self, domain: str, task: str) -> str:
        """The page of a task."""
        return f"{self.root}tasks/{domain}.{task}.html"

    def cell(self, name: str, domain: str, task: str, protocol: str) -> str:
        """The JSON of a score."""
        return f"{self.root}data/{self.slugs[name]}/{cell_file(domain, task, protocol)}"

    def summary(self, name: str) -> str:
        """The JSON of a row's means."""
        return f"{self.root}data/{self.slugs[name]}/summary.json"


@dataclass(frozen=True, kw_only=True)
class Board:
    """One ruleset: a table a protocol.

    Attributes:
        ruleset: one of `submission.RULESETS`.
        results: of all rows, under the rows' names.
        tables: in the order of `protocols_of`.
    """

    ruleset: str
    results: tuple[Result, ...]
    tables: tuple[Table, ...]

    def table(self, protocol: str) -> Table:
        """The table of one protocol."""
        return next(table for table in self.tables if table.protocol == protocol)


def boards_of(rows: Sequence[Entry], tasks: Tasks | None = None) -> list[Board]:
    """A board for each ruleset that has a row; random encoder and raw input stand in all of them.

    Raises:
        RequestError: results that may not share a table.
    """
    everything = [result for row in rows for result in row.results]
    known = tasks or _tasks_of(everything)
    rulesets = {row.name: row.ruleset for row in rows}
    if len(set(rulesets.values())) > 1:  # also what stands in two tables is of the same data
        for protocol in protocols_of(everything):
            build_table(everything, protocol, known)
    boards = []
    for ruleset in RULESETS:
        if ruleset in rulesets.values():
            mine = tuple(r for r in everything if rulesets[r.algorithm] == ruleset or r.algorithm in FLOORS)
            own = [result for result in mine if rulesets[result.algorithm] == ruleset]
            tables = (build_table(mine, p, known) for p in protocols_of(own))
            boards.append(Board(ruleset=ruleset, results=mine, tables=tuple(tables)))
    return boards


def drawn(table: Table, domain: str | None = None) -> Table:
    """The table with the rows that a figure shows: the floors and the best others, overall or in a domain."""

    def score(name: str) -> float:
        mean = table.domain_mean(name, domain) if domain else table.overall(name)
        return float("-inf") if mean is None else mean

    learned = sorted((name for name in table.algorithms if name not in FLOORS), key=score, reverse=True)
    kept = {*learned[:DRAWN], *(name for name in table.algorithms if name in FLOORS)}
    tasks = {domain: table.tasks[domain]} if domain else table.tasks
    keys = ((name, d, task) for name in kept for d, names in tasks.items() for task in names)
    cells = {key: table.cells[key] for key in keys if key in table.cells}
    return replace(table, algorithms=ordered(kept), tasks=tasks, cells=cells)


def _tasks_of(results: Sequence[Result]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = defaultdict(set)
    for result in results:
        found[result.domain].add(result.task)
    return {domain: tuple(sorted(names)) for domain, names in sorted(found.items())}
