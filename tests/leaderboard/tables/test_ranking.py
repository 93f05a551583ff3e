"""Ranks with ties and bold cells follow from the intervals alone, whatever the order of the rows."""

from __future__ import annotations

import random
import re
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.evaluation.reference_rows import REFERENCES, SUPERVISED
from dabs.leaderboard.tables.aggregate import Table, build_table
from dabs.leaderboard.tables.ranking import (
    SharedRank,
    column_intervals,
    column_leader,
    column_ranks,
    find_leader,
    is_ahead,
    rank_intervals,
)
from dabs.leaderboard.tables.render import markdown_domains, markdown_tasks
from tests.helpers.made_results import EVERY_ROW, altered, make, make_suite

ENDS = st.tuples(st.floats(0, 1), st.floats(0, 0.3)).map(lambda pair: (pair[0], pair[0] + pair[1]))
NAMES = st.sampled_from(["a", "b", "c", "d", "e", *REFERENCES])


def columns(table: Table) -> list[tuple[str | None, str | None]]:
    """Every column of a table: all domains, each domain and each task."""
    return [(None, None)] + [(d, task) for d, tasks in table.tasks.items() for task in (None, *tasks)]


def test_rows_whose_intervals_overlap_share_ranks() -> None:
    ranks = rank_intervals({"a": (0.6, 0.7), "b": (0.5, 0.55), "c": (0.45, 0.52), "d": (0.2, 0.3), "e": None})
    assert {name: str(rank) for name, rank in ranks.items()} == {"a": "1", "b": "2–3", "c": "2–3", "d": "4"}
    chain = rank_intervals({"a": (0.5, 0.7), "b": (0.4, 0.6), "c": (0.3, 0.45)})
    assert {name: str(rank) for name, rank in chain.items()} == {"a": "1–2", "b": "1–3", "c": "2–3"}
    assert rank_intervals({}) == {}
    assert rank_intervals({"a": (0.1, 0.2)}) == {"a": SharedRank(best=1, worst=1)}


def test_intervals_that_touch_when_shown_are_not_separated() -> None:
    assert not is_ahead((0.58004, 0.6), (0.5, 0.58001)), "both ends are shown as 58.0"
    assert is_ahead((0.5811, 0.6), (0.5, 0.58))


@given(st.dictionaries(NAMES, st.one_of(st.none(), ENDS), max_size=8), st.randoms())
def test_ranks_and_leader_do_not_depend_on_the_order(found: dict, shuffler: random.Random) -> None:
    other = list(found.items())
    shuffler.shuffle(other)
    assert rank_intervals(dict(other)) == rank_intervals(found)
    assert find_leader(dict(other)) == find_leader(found)


@given(st.dictionaries(NAMES, ENDS, min_size=1, max_size=8))
def test_ranks_agree_with_every_pair(found: dict) -> None:
    ranks = rank_intervals(found)
    for a, b in combinations(found, 2):
        if is_ahead(found[a], found[b]):
            assert ranks[a].best <= ranks[b].best
            assert ranks[a].worst <= ranks[b].worst
            assert ranks[a] != ranks[b]
    assert all(1 <= rank.best <= rank.worst <= len(found) for rank in ranks.values())
    assert min(rank.best for rank in ranks.values()) == 1
    assert max(rank.worst for rank in ranks.values()) == len(found)


@given(st.dictionaries(NAMES, ENDS, max_size=8))
def test_no_leader_overlaps_with_another_row(found: dict) -> None:
    leader = find_leader(found)
    if leader is not None:
        assert leader not in REFERENCES
        others = [ends for name, ends in found.items() if name not in (leader, SUPERVISED)]
        assert others
        assert all(found[leader][0] > high for _, high in others)


def test_reference_rows_have_no_rank_but_keep_an_algorithm_from_bold() -> None:
    assert find_leader({"shed": (0.6, 0.7), "emix": (0.1, 0.2), "raw": (0.65, 0.8)}) is None
    assert find_leader({"shed": (0.6, 0.7), "emix": (0.1, 0.2), "supervised": (0.65, 0.8)}) == "shed"
    assert find_leader({"raw": (0.6, 0.7), "shed": (0.1, 0.2)}) is None
    assert find_leader({"shed": (0.6, 0.7)}) is None, "there is nothing to stand out from"
    table = build_table(make_suite(gains=EVERY_ROW), "linear")
    for place in columns(table):
        assert column_ranks(table, *place).keys() == {"contrastive", "emix", "shed"}


def test_an_incomplete_row_has_no_rank_by_a_mean() -> None:
    table = build_table([make(), make(algorithm="emix"), make(algorithm="emix", task="side")], "linear")
    assert column_ranks(table, "sensor").keys() == {"emix"}
    assert column_ranks(table, "sensor", "exercise").keys() == {"emix", "shed"}


@pytest.mark.parametrize("seeds", [1, 3])
def test_nothing_bold_in_markdown_overlaps(seeds: int) -> None:
    table = build_table(make_suite(seeds=seeds, gains=EVERY_ROW), "linear")
    places = columns(table)
    bold = {place: column_leader(table, *place) for place in places}
    assert {None} < set(bold.values()), "the suite has columns with and without a leader"
    for place, leader in bold.items():
        if leader:
            ends = column_intervals(table, *place)
            mine = ends[leader]
            assert mine is not None
            assert all(mine[0] > o[1] for n, o in ends.items() if o and n not in (leader, SUPERVISED)), place
    for text, count in ((markdown_domains(table), 1), (markdown_tasks(table), 3)):
        for line in (line for line in text.splitlines() if line.startswith("| ")):
            cells = line.strip("| ").split(" | ")
            marked = [
                table.algorithms[i - count] for i, cell in enumerate(cells) if cell.startswith("**") and i >= count
            ]
            if cells[0].strip("*") == "all domains":
                place = (None, None)
            elif cells[0].rstrip("†‡") in table.tasks:
                domain = cells[0].rstrip("†‡")
                place = (domain, cells[1].rstrip("†‡") if count == 3 else None)
            else:
                continue
            assert marked == [name for name in (bold[place],) if name], line


def test_equal_intervals_are_never_bold() -> None:
    rows = [altered("interval.units", 50, algorithm=name, score=0.5) for name in ("a", "b")]
    table = build_table(rows, "linear")
    assert {str(rank) for rank in column_ranks(table).values()} == {"1–2"}
    assert not re.search(r"\*\*\d", markdown_domains(table))
