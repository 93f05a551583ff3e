"""Ranks with ties, and which row stands out: two rows differ where intervals do.

One rule for bold cells and ranks: a row is ahead of another where its interval lies wholly above the other's, at the
digits that are shown. It needs nothing but the published intervals, so it covers rows without predictions, and does not
depend on which other rows are tested. It is stricter than the paired test of `dabs compare`, which also uses that both
rows answer the same examples; where the predictions are at hand, ranks by those tests stand beside these
(`dabs.leaderboard.compare.ranks`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dabs.evaluation.reference_rows import EXTERNAL_PREFIX, SUPERVISED, is_reference
from dabs.leaderboard.tables.aggregate import Table

Ends = tuple[float, float]
TestedRanks = dict[str | None, dict[str, int]]  # domain, or None for all -> row -> its rank by `compare.ranks`
RANKS = (
    "Ranks are of the algorithms alone, without the reference rows. Algorithms whose intervals overlap share ranks: "
    "1–2 means first or second"
)

TESTED_RANKS = (
    "Tested ranks: 1 and the number of algorithms that are better by the paired tests of `dabs compare`, with Holm's "
    "correction over all pairs of the column; algorithms that the tests cannot tell apart may share a rank"
)


@dataclass(frozen=True, kw_only=True)
class SharedRank:
    """The ranks that a row may have: `best` if every tie were decided for it, `worst` if against it."""

    best: int
    worst: int

    def __str__(self) -> str:
        """Return `2`, or `1–3` for a tie."""
        return str(self.best) if self.best == self.worst else f"{self.best}–{self.worst}"


def is_ahead(own: Ends, other: Ends) -> bool:
    """Return whether an interval lies wholly above another one, in points with one decimal, as tables show them."""
    return round(100 * own[0], 1) > round(100 * other[1], 1)


def rank_intervals(intervals: Mapping[str, Ends | None]) -> dict[str, SharedRank]:
    """Return the ranks of some rows by their intervals; rows without an interval have none.

    The order of the rows does not matter.
    """
    known = {name: ends for name, ends in intervals.items() if ends is not None}
    return {
        name: SharedRank(
            best=1 + sum(is_ahead(other, own) for other in known.values()),
            worst=len(known) - sum(is_ahead(own, other) for other in known.values()),
        )
        for name, own in known.items()
    }


def find_leader(intervals: Mapping[str, Ends | None]) -> str | None:
    """Return the algorithm whose interval lies above those of all other rows but the supervised one; None without one.

    A reference row never leads, but keeps an algorithm from leading, unless its encoder is from elsewhere. Nor does a
    row lead that is alone.
    """
    known = {name: ends for name, ends in intervals.items() if ends is not None and not _is_beyond_reach(name)}
    for name, own in known.items():
        others = [ends for other, ends in known.items() if other != name]
        if not is_reference(name) and others and all(is_ahead(own, other) for other in others):
            return name
    return None


def _is_beyond_reach(name: str) -> bool:
    """Return whether a row has seen the labels, or has data and a budget of its own."""
    return name == SUPERVISED or name.startswith(EXTERNAL_PREFIX)


def column_intervals(table: Table, domain: str | None = None, task: str | None = None) -> dict[str, Ends | None]:
    """Return each row's interval of one column of a table.

    Args:
        table: the table of one protocol.
        domain: the mean of this domain; by default of all domains.
        task: a task of this domain, in place of its mean.
    """
    if domain is None:
        return {name: table.overall_interval(name) for name in table.algorithms}
    if task is None:
        return {name: table.domain_interval(name, domain) for name in table.algorithms}
    cells = {name: table.cell(name, domain, task) for name in table.algorithms}
    return {name: cell.interval if cell else None for name, cell in cells.items()}


def column_ranks(table: Table, domain: str | None = None, task: str | None = None) -> dict[str, SharedRank]:
    """Return the ranks of the algorithms in one column of a table, as `column_intervals`; reference rows have none."""
    found = column_intervals(table, domain, task)
    return rank_intervals({name: ends for name, ends in found.items() if not is_reference(name)})


def column_leader(table: Table, domain: str | None = None, task: str | None = None) -> str | None:
    """Return the row of one column that is bold, as `find_leader` finds it."""
    return find_leader(column_intervals(table, domain, task))


def describe_bold(algorithms: Iterable[str]) -> str:
    """Return in words which cells are bold in a table with these rows."""
    but = f" but {SUPERVISED}, which has seen the labels" if SUPERVISED in set(algorithms) else ""
    return f"Bold marks an algorithm whose interval lies above those of all other rows{but}"
