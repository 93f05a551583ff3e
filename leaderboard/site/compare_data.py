"""What the compare page loads: what holds for all pairs, each row's scores, and the tested pairs of each row.

A page opened from disk may not fetch JSON but may load scripts, so these are scripts that hand one value over. A row's
files are loaded when the row is chosen, and only pairs of tested rows are written: the folder grows with the rows, not
with their pairs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from dabs.leaderboard.compare.contestants import Contestant, make_contestant
from dabs.leaderboard.compare.model import Comparison
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.site.boards import Board
from dabs.leaderboard.site.views import headline
from dabs.leaderboard.tables.aggregate import FLOORS, Table, ordered
from dabs.results.entries import Entry

TESTED = 20  # rows that are tested against each other unless told otherwise
Comparisons = Mapping[str, Comparison]  # protocol -> the tested rows against each other


def comparisons_of(rows: Sequence[Entry], boards: Sequence[Board], *, most: int = TESTED) -> dict[str, Comparison]:
    """Test rows against each other, by protocol: random encoder, raw input, and the best others of each ruleset.

    Args:
        most: rows that are tested; a pair costs about a fifth of a second.
    """
    placed = {row.name: row for row in rows}
    found = {}
    for protocol in dict.fromkeys(table.protocol for board in boards for table in board.tables):
        contestants: list[Contestant] = []
        for name in _ranked(boards, protocol):
            mine = [one for one in placed[name].placed if one.result.protocol == protocol]
            one = make_contestant(name, str(placed[name].folder or name), mine)
            if len(contestants) < most and one.cells and all(one.cells.keys() & c.cells.keys() for c in contestants):
                contestants.append(one)
        if len(contestants) > 1:
            order = ordered(one.name for one in contestants)
            found[protocol] = compare_contestants(sorted(contestants, key=lambda c: order.index(c.name)))
    return found


def _ranked(boards: Sequence[Board], protocol: str) -> list[str]:
    """Every row once: the floors, then the best of each ruleset in turn."""
    columns = []
    for board in boards:
        tables = [table for table in board.tables if table.protocol == protocol]
        columns += [[row["algorithm"] for row in headline(table)] for table in tables]
    turns = [name for turn in zip_longest(*columns) for name in turn if name is not None]
    return list(dict.fromkeys([*(name for name in FLOORS if name in turns), *turns]))


def compare_scripts(
    boards: Sequence[Board], comparisons: Comparisons, slugs: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Path and text of every script of the compare page's data.

    Args:
        boards: every row stands in one of them at least.
        comparisons: contestants carry the rows' names; rows that are no contestants are shown without a test.
        slugs: file name of each row.
    """
    protocols = {table.protocol for board in boards for table in board.tables}
    level = boards[0].results[0].interval.level
    facts = {p: _facts(comparisons.get(p), level, slugs) for p in sorted(protocols)}
    yield "data/compare-facts.js", f"dabs.facts = {_text(facts)};\n"
    for name, slug in slugs.items():
        tables = {t.protocol: t for board in reversed(boards) for t in board.tables if name in t.algorithms}
        scores = {protocol: _scores(name, table) for protocol, table in tables.items()}
        yield f"data/{slug}/row.js", _handing("row", slug, scores)
    for name, pairs in _pairs(comparisons, slugs).items():
        yield f"data/{slugs[name]}/pairs.js", _handing("pairs", slugs[name], pairs)


def _facts(comparison: Comparison | None, level: float, slugs: Mapping[str, str]) -> dict[str, Any]:
    if comparison is None:
        return {"level": level, "notes": [], "contestants": []}
    names = ("alpha", "level", "resamples", "resampled", "notes")
    return {
        **{name: getattr(comparison, name) for name in names},
        "contestants": [slugs[contestant.name] for contestant in comparison.contestants],
    }


def _scores(name: str, table: Table) -> dict[str, Any]:
    """A row's scores under one protocol, without uncertainty."""
    return {
        "name": name,
        "overall": table.overall(name),
        "domains": {domain: table.domain_mean(name, domain) for domain in table.tasks},
        "tasks": [
            {
                "domain": domain,
                "task": task,
                "metric": info.metric.name if (info := table.info.get((domain, task))) else "",
                "score": table.score(name, domain, task),
            }
            for domain, tasks in table.tasks.items()
            for task in tasks
        ],
    }


def _pairs(comparisons: Comparisons, slugs: Mapping[str, str]) -> dict[str, dict[str, dict[str, Any]]]:
    """First row's name -> protocol -> second row's file name -> the pair, as in the comparison's JSON."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for protocol, comparison in comparisons.items():
        for pair in comparison.pairs:
            found[pair.a][protocol][slugs[pair.b]] = asdict(pair)
    return found


def _handing(kind: str, slug: str, value: Any) -> str:
    return f"dabs.take({_text(kind)}, {_text(slug)}, {_text(value)});\n"


def _text(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
