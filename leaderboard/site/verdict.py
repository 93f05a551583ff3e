"""The first sentences of the site: who is ahead, and what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence

from dabs.evaluation.reference_rows import RANDOM, RAW, SUMMARY, SUPERVISED, is_reference
from dabs.leaderboard.compare.model import Comparison
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.ranking import column_leader, column_ranks
from dabs.leaderboard.tables.render import points
from dabs.leaderboard.tables.standing import cut_name

MAX_NAMED = 2  # names in a sentence
UNLEARNED = (RANDOM, RAW, SUMMARY)  # the reference rows that learned nothing


def verdict(table: Table, comparison: Comparison | None = None) -> list[str]:
    """Return a few sentences about one table, computed from it: who is ahead, in which domains, and what is not known.

    Args:
        table: the table of one protocol.
        comparison: the paired tests of its best rows, where they were made; without them, intervals decide alone.

    Returns:
        Nothing if no algorithm has a mean over all domains.
    """
    means = {name: table.overall(name) for name in table.algorithms if not is_reference(name)}
    ranked = sorted((-mean, name) for name, mean in means.items() if mean is not None)
    if not ranked:
        return []
    names = [name for _, name in ranked]
    paired = _paired(names[0], names[1], comparison) if len(names) > 1 else ""
    return [*filter(None, (_who_is_ahead(table, names), paired)), _where(table, names), _what_is_unknown(table, names)]


def _who_is_ahead(table: Table, names: Sequence[str]) -> str:
    """Say which algorithm has the best mean over all domains, and whether it is separated from the next."""
    first, ranks = names[0], column_ranks(table)
    ends = table.overall_interval(first)
    mean = f"{points(table.overall(first))} ({points(ends[0])} to {points(ends[1])})" if ends else ""
    failed = ", although that includes a run that did not learn" if table.has_failed(first) else ""
    seed = " with the one pretraining seed that it has" if table.test_data_only(first) else ""
    tied = [name for name in names[1:] if ranks[name].best == 1]
    if len(names) == 1:
        return f"{cut_name(first)} is the only algorithm; its mean over all domains is {mean}{failed}."
    if tied:
        words = f"{cut_name(first)} has the highest mean over all domains, {mean}{failed}, but its interval overlaps "
        sentence = f"{words}with {_list(tied)}, so which of them is first cannot be told from intervals."
    else:
        sentence = (
            f"{cut_name(first)} is ahead{seed}: its mean over all domains is {mean}{failed}, and the interval lies "
            "above those of all other algorithms."
        )
    return sentence


def _paired(first: str, second: str, comparison: Comparison | None) -> str:
    """Say what the paired tests of the two best algorithms found; empty if they were not made."""
    tested = {one.name for one in comparison.contestants} if comparison else set()
    if comparison is None or not {first, second} <= tested:
        return ""
    overall = comparison.pair(first, second).overall
    tasks = overall.wins + overall.ties + overall.losses
    words = f"Tested on the same examples against the next, {cut_name(second)}, it wins {overall.wins} of {tasks} tasks"
    return f"{words}, loses {overall.losses} and ties {overall.ties} (paired tests, corrected for their number)."


def _where(table: Table, names: Sequence[str]) -> str:
    """Say in how many domains an algorithm stands out, and where a row that learned nothing scores higher."""
    led = [domain for domain in table.tasks if column_leader(table, domain)]
    beaten = []
    for domain in table.tasks:
        best = max((mean for name in names if (mean := table.domain_mean(name, domain)) is not None), default=None)
        floors = {
            name: mean
            for name in UNLEARNED
            if name in table.algorithms and (mean := table.domain_mean(name, domain)) is not None
        }
        if best is not None and floors and max(floors.values()) > best:
            beaten.append(f"{_plain(domain)} ({max(floors, key=lambda name: floors[name])})")
    count = len(table.tasks)
    words = f"In {len(led)} of {count} domain{'s' * (count > 1)} an algorithm stands clear of every other row"
    words += f" but {SUPERVISED}" * (SUPERVISED in table.algorithms)
    words += f" ({_list([_plain(domain) for domain in led])})" if led else ""
    if beaten:
        words += f". A row that has learned nothing scores higher than every algorithm in {_list(beaten, most=count)}"
    return f"{words}."


def _what_is_unknown(table: Table, names: Sequence[str]) -> str:
    """Say in which domains the first place is shared, and what the intervals do not cover."""
    open_domains = []
    for domain in table.tasks:
        ranks = column_ranks(table, domain)
        if sum(rank.best == 1 for rank in ranks.values()) > 1:
            open_domains.append(_plain(domain))
    words = []
    if open_domains:
        words.append(
            f"which algorithm is first in {_list(open_domains, most=len(table.tasks))}, where intervals overlap"
        )
    if any(table.test_data_only(name) for name in names):
        words.append("how the same algorithms would do with other pretraining seeds, as some have only one")
    return f"Not known: {'; and '.join(words)}." if words else "In every domain, the first place is settled."


def _plain(domain: str) -> str:
    return domain.replace("_", " ")


def _list(names: Sequence[str], most: int = MAX_NAMED) -> str:
    """Return names as `a, b and c`, or `a, b and 7 more`."""
    shown = [cut_name(name) for name in names[:most]]
    if len(names) > most:
        shown = [*shown[:-1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
