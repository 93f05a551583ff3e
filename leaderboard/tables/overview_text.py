"""All rows of one budget at a glance: a Markdown table with a line for each."""

from __future__ import annotations

from dabs.evaluation.reference_rows import is_reference
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.budget_text import flops_text
from dabs.leaderboard.tables.budgets import BudgetTables
from dabs.leaderboard.tables.costs import total_cost
from dabs.leaderboard.tables.ranking import RANKS, column_leader, column_ranks
from dabs.leaderboard.tables.render import (
    COVERS,
    EMPTY,
    FAILED,
    READERS,
    describe_failures,
    describe_seeds,
    mark,
    name_of_all,
    plain_markdown,
    points,
)


def markdown_overview(budgets: BudgetTables, budget: float) -> str:
    """Return each row's domain means, the mean of all domains with its interval, the rank and the FLOPs, best first."""
    table = budgets.tables[budget]
    heads = [f"{domain}{mark(table, domain)}" for domain in table.tasks]
    lines = [
        f"| row | {' | '.join(heads)} | {name_of_all(table)} | rank | FLOPs |",
        f"| --- |{' ---: |' * (len(heads) + 3)}",
    ]
    ranks = column_ranks(table)
    for name in sorted(table.algorithms, key=lambda name: -(table.overall(name) or 0.0)):
        shown = f"*{name}*" if is_reference(name) else plain_markdown(name)
        cells = [_mean(table, name, domain) for domain in table.tasks]
        flops = total_cost(budgets.costs[budget], name, table.counted).flops
        cells += [f"{_mean(table, name)}{_interval(table, name)}", str(ranks.get(name, EMPTY)), flops_text(flops)]
        lines.append(f"| {' | '.join([shown, *cells])} |")
    note = (
        f"Reader: {READERS[table.protocol]}. Score × 100, mean over pretraining seeds "
        f"({describe_seeds(table.cells.values())}); in brackets the 95 % interval over {COVERS}; bold as in the tables "
        f"below. FLOPs: of pretraining, of all domains together. {RANKS}. {plain_markdown(describe_failures(table))}"
    )
    return "\n".join([*lines, "", note.strip()])


def _mean(table: Table, name: str, domain: str | None = None) -> str:
    """Return a row's mean of a domain or of all, bold where it leads, marked where it includes a failed run."""
    mean = table.overall(name) if domain is None else table.domain_mean(name, domain)
    text = f"{points(mean)}{FAILED * table.has_failed(name, domain)}"
    return f"**{text}**" if column_leader(table, domain) == name else text


def _interval(table: Table, name: str) -> str:
    ends = table.overall_interval(name)
    return f" ({points(ends[0])} to {points(ends[1])})" if ends else ""
