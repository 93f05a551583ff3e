"""The paper's trend beside ours, domain by domain and by sign alone.

Is each algorithm of the paper above the random encoder, as published and as found?
Only signs are compared. The published numbers come from other tasks, another encoder and more steps, so no mean mixes
them with ours.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

from dabs.evaluation.reference_rows import RANDOM
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.budgets import BudgetTables
from dabs.leaderboard.tables.published import Published
from dabs.leaderboard.tables.render import EMPTY, plain_markdown, points
from dabs.leaderboard.tables.standing import domains_won

Side = Literal["above", "below", "level"]  # of the random encoder
_SIGNS: dict[Side | None, str] = {"above": "above", "below": "below", "level": "not told apart", None: EMPTY}


def published_side(published: Published, algorithm: str, domain: str) -> Side | None:
    """Return on which side of the random encoder an algorithm's published mean of a domain is."""
    own, floor = (published_mean(published, name, domain) for name in (algorithm, RANDOM))
    if own is None or floor is None:
        return None
    return "level" if own == floor else "above" if own > floor else "below"


def published_mean(published: Published, algorithm: str, domain: str) -> float | None:
    """Return the mean of a domain's published numbers, from −1 to 1; None if there are none."""
    numbers = [row.percent[algorithm] / 100 for row in published.rows if row.domain == domain]
    return statistics.fmean(numbers) if numbers else None


def found_side(table: Table, algorithm: str, domain: str) -> Side | None:
    """Return on which side of the random encoder an algorithm is by more than the spread over seeds."""
    if None in (table.domain_mean(algorithm, domain), table.domain_mean(RANDOM, domain)):
        return None
    if domain in domains_won(table, algorithm, RANDOM):
        return "above"
    return "below" if domain in domains_won(table, RANDOM, algorithm) else "level"


def markdown_trend(published: Published, budgets: BudgetTables) -> str:
    """Return the Markdown table of the published algorithms by domain, and how often each budget agrees."""
    names = [name for name in published.algorithms if name != RANDOM]
    heads = ["domain", "numbers", RANDOM, *names, *(f"{name} is" for name in names)]
    lines = [
        f"| {' | '.join(plain_markdown(head) for head in heads)} |",
        f"|---|---|{'---:|' * (1 + len(names))}{'---|' * len(names)}",
    ]
    for domain in budgets.first.counted:
        sides = [published_side(published, name, domain) for name in names]
        means = [published_mean(published, name, domain) for name in (RANDOM, *names)]
        lines.append(_row(domain, "published", means, sides))
        for budget, table in budgets.tables.items():
            sides = [found_side(table, name, domain) for name in names]
            means = [table.domain_mean(name, domain) for name in (RANDOM, *names)]
            lines.append(_row(domain, f"budget {budget:g}", means, sides))
    sentences = [
        f"At budget {budget:g}: {'; '.join(_agreement(published, table, name) for name in names)}."
        for budget, table in budgets.tables.items()
    ]
    note = (
        "Domain means in %, of the linear probe. Above or below the random encoder: for published numbers (one seed) "
        "by any difference; for ours by more than the seeds' spread."
    )
    return "\n".join([*lines, "", note, "", *sentences])


def _row(domain: str, numbers: str, means: Sequence[float | None], sides: Sequence[Side | None]) -> str:
    cells = [plain_markdown(domain), numbers, *map(points, means), *(_SIGNS[side] for side in sides)]
    return f"| {' | '.join(cells)} |"


def _agreement(published: Published, table: Table, algorithm: str) -> str:
    pairs = [
        (published_side(published, algorithm, domain), found_side(table, algorithm, domain)) for domain in table.counted
    ]
    both = [(theirs, ours) for theirs, ours in pairs if theirs is not None and ours is not None]
    agreed = sum(theirs == ours for theirs, ours in both)
    against = sum({theirs, ours} == {"above", "below"} for theirs, ours in both)
    return (
        f"{plain_markdown(algorithm)} agrees with the paper in {agreed} of {len(both)} domains and contradicts it in "
        f"{against}"
    )
