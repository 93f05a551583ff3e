"""All rows of one budget at a glance: a Markdown table with a line for each."""

from __future__ import annotations

from dabs.evaluation.reference_rows import is_reference
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.budget_text import flops_text
from dabs.leaderboard.tables.budgets import BudgetTables
from dabs.leaderboard.tables.costs import total_cost
from dabs.leaderboard.tables.ranking import RANKS, column_ranks
from dabs.leaderboard.tables.render import (
    COVERS,
    EMPTY,
    bold_means,
    mark,
    markdown_note,
    markdown_row,
    name_of_all,
    plain_markdown,
    points,
)


def markdown_overview(budgets: BudgetTables, budget: float) -> str:
    """Return each row's domain means, the mean of all domains with its interval, the rank and the FLOPs, best first."""
    table = budgets.tables[budget]
    heads = [f"{domain}{mark(table, domain)}" for domain in table.tasks]
    lines = [
        f"| row | {' | '.join(heads)} | {name_of_all(table)} | interval | rank | FLOPs |",
        f"| --- |{' ---: |' * (len(heads) + 4)}",
    ]
    columns = [dict(zip(table.algorithms, bold_means(table, domain), strict=True)) for domain in (*table.tasks, None)]
    ranks = column_ranks(table)
    means = {name: table.overall(name) for name in table.algorithms}
    for name in sorted(means, key=lambda name: (means[name] is None, -(means[name] or 0.0))):
        flops = total_cost(budgets.costs[budget], name, table.counted).flops
        more = (_interval(table, name), str(ranks.get(name, EMPTY)), flops_text(flops))
        shown = f"*{name}*" if is_reference(name) else plain_markdown(name)
        lines.append(markdown_row(shown, [*(column[name] for column in columns), *((text, False) for text in more)]))
    note = (
        f"{markdown_note(table)} Interval: at 95 %, over {COVERS}, of the mean of all domains. FLOPs: of pretraining, "
        f"of all domains together. {RANKS}."
    )
    return "\n".join([*lines, "", note])


def _interval(table: Table, name: str) -> str:
    ends = table.overall_interval(name)
    return f"{points(ends[0])} to {points(ends[1])}" if ends else EMPTY
