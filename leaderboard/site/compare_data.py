"""The scripts that the compare page loads: facts, each row's scores, tested pairs.

A page opened from disk may load scripts but not fetch JSON, so each of these scripts hands over one value. A row's
scripts are loaded when the row is chosen. Only pairs of tested rows are written, so the folder grows with the number of
rows and not with the number of pairs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from dabs.evaluation.reference_rows import REFERENCES
from dabs.leaderboard.compare.contestants import Contestant, make_contestant
from dabs.leaderboard.compare.model import Comparison
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.site.boards import Board
from dabs.leaderboard.site.views import overall_rows
from dabs.leaderboard.tables.aggregate import Table, order_algorithms
from dabs.results.entries import Entry

MAX_TESTED = 20  # rows that are tested against each other by default
Comparisons = Mapping[str, Comparison]  # protocol -> the comparison of the tested rows


def compare_best_rows(
    rows: Sequence[Entry], boards: Sequence[Board], *, max_tested: int = MAX_TESTED
) -> dict[str, Comparison]:
    """Test rows against each other under each protocol: the reference rows, and the best of each ruleset.

    Args:
        rows: every row.
        boards: the boards of these rows, by which they are ranked.
        max_tested: the number of rows to test; a pair takes about a fifth of a second.

    Returns:
        protocol -> the comparison; protocols with fewer than two rows to test are left out.
    """
    by_name = {row.name: row for row in rows}
    comparisons = {}
    for protocol in dict.fromkeys(table.protocol for board in boards for table in board.tables):
        tested: list[Contestant] = []
        for name in _rank_rows(boards, protocol):
            placed = [one for one in by_name[name].placed if one.result.protocol == protocol]
            row = make_contestant(name, str(by_name[name].folder or name), placed)
            if (
                len(tested) < max_tested
                and row.cells
                and all(row.cells.keys() & other.cells.keys() for other in tested)
            ):
                tested.append(row)
        if len(tested) > 1:
            order = order_algorithms(row.name for row in tested)
            comparisons[protocol] = compare_contestants(sorted(tested, key=lambda row: order.index(row.name)))
    return comparisons


def _rank_rows(boards: Sequence[Board], protocol: str) -> list[str]:
    """Return each row's name once: the reference rows, then the best rows of the rulesets in turn."""
    rankings = []
    for board in boards:
        tables = [table for table in board.tables if table.protocol == protocol]
        rankings += [[row["algorithm"] for row in overall_rows(table)] for table in tables]
    names = [name for turn in zip_longest(*rankings) for name in turn if name is not None]
    return list(dict.fromkeys([*(name for name in REFERENCES if name in names), *names]))


def compare_scripts(
    boards: Sequence[Board], comparisons: Comparisons, slugs: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each script of the compare page.

    Args:
        boards: the boards, of which each row is in at least one.
        comparisons: the tested rows; the page shows other rows without tests.
        slugs: each row's file name.
    """
    protocols = {table.protocol for board in boards for table in board.tables}
    level = boards[0].results[0].interval.level
    facts = {protocol: _comparison_facts(comparisons.get(protocol), level, slugs) for protocol in sorted(protocols)}
    yield "data/compare-facts.js", f"dabs.facts = {_compact_json(facts)};\n"
    for name, slug in slugs.items():
        tables = {t.protocol: t for board in reversed(boards) for t in board.tables if name in t.algorithms}
        scores = {protocol: _row_scores(name, table) for protocol, table in tables.items()}
        yield f"data/{slug}/row.js", _take_call("row", slug, scores)
    for name, pairs in _pairs_by_row(comparisons, slugs).items():
        yield f"data/{slugs[name]}/pairs.js", _take_call("pairs", slugs[name], pairs)


def _comparison_facts(comparison: Comparison | None, level: float, slugs: Mapping[str, str]) -> dict[str, Any]:
    """Return what holds for all pairs of one protocol."""
    if comparison is None:
        return {"level": level, "notes": [], "contestants": []}
    names = ("alpha", "level", "resamples", "left_out", "notes")
    return {
        **{name: getattr(comparison, name) for name in names},
        "contestants": [slugs[contestant.name] for contestant in comparison.contestants],
    }


def _row_scores(name: str, table: Table) -> dict[str, Any]:
    """Return a row's scores under one protocol, without uncertainty."""
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


def _pairs_by_row(comparisons: Comparisons, slugs: Mapping[str, str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return first row's name -> protocol -> second row's file name -> the pair, as in the comparison's JSON."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for protocol, comparison in comparisons.items():
        for pair in comparison.pairs:
            found[pair.a][protocol][slugs[pair.b]] = asdict(pair)
    return found


def _take_call(kind: str, slug: str, value: Any) -> str:
    """Return the script that hands a value over to compare.js."""
    return f"dabs.take({_compact_json(kind)}, {_compact_json(slug)}, {_compact_json(value)});\n"


def _compact_json(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
