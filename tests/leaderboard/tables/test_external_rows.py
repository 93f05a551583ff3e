"""Rows of encoders from elsewhere are shown with the reference rows and never ranked."""

from __future__ import annotations

from dabs.evaluation.reference_rows import EXTERNAL_PREFIX, REFERENCES
from dabs.leaderboard.tables.aggregate import build_table, order_algorithms
from dabs.leaderboard.tables.ranking import column_ranks, find_leader
from dabs.leaderboard.tables.render import explain_references
from tests.helpers.made_results import make

VIT = f"{EXTERNAL_PREFIX}vit"


def test_it_stands_behind_the_other_reference_rows():
    names = ["shed", VIT, "emix", *REFERENCES]
    assert order_algorithms(names) == (*REFERENCES, VIT, "emix", "shed")
    assert explain_references(names)[-1] == (
        VIT,
        "an encoder that was not pretrained here, with data and a budget of its own",
    )


def test_it_has_no_rank_and_keeps_nobody_from_leading():
    table = build_table(
        [make(algorithm=name, seed=seed, score=0.5) for name in ("shed", "emix", VIT) for seed in (0, 1)], "linear"
    )
    assert set(column_ranks(table)) == {"shed", "emix"}
    intervals = {"shed": (0.5, 0.6), "emix": (0.1, 0.2), VIT: (0.9, 0.95)}
    assert find_leader(intervals) == "shed"
    assert find_leader({**intervals, "raw": (0.7, 0.8)}) is None
