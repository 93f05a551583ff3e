"""The first sentences follow from the results: who is ahead, where, and what is not known."""

from __future__ import annotations

from dabs.leaderboard.compare.contestants import make_contestant
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.site.verdict import verdict
from dabs.leaderboard.tables.aggregate import build_table
from dabs.results.entries import entries_of
from dabs.results.schema import Result
from tests.helpers.made_results import EVERY_ROW, make, make_suite


def say(results: list[Result]) -> list[str]:
    return verdict(build_table(results, "linear"))


def rows(**scores: float) -> list[Result]:
    return [make(algorithm=name, score=score) for name, score in scores.items()]


def test_a_clear_leader_is_named_and_a_tie_is_not_broken() -> None:
    ahead, *_ = say(rows(shed=0.8, emix=0.5))
    assert ahead.startswith(
        "shed is ahead with the one pretraining seed that it has: its mean over all domains is 80.0 ("
    )
    tied, *_, unknown = say(rows(shed=0.51, emix=0.5))
    assert "shed has the highest mean" in tied
    assert "overlaps with emix, so which of them is first cannot be told" in tied
    assert "which algorithm is first in sensor, where intervals overlap" in unknown


def test_the_sentences_do_not_depend_on_the_order_of_results() -> None:
    results = make_suite(("linear",), gains=EVERY_ROW)
    assert say(results) == say(results[::-1])
    assert len(say(results)) == 3


def test_a_row_that_learned_nothing_is_named_where_it_is_ahead() -> None:
    _, where, _ = say(rows(shed=0.5, raw=0.8, none=0.2, supervised=0.9))
    assert where == (
        "In 0 of 1 domain an algorithm stands clear of every other row but supervised. A row that has learned nothing "
        "scores higher than every algorithm in sensor (raw)."
    )
    _, where, _ = say(rows(shed=0.8, none=0.2))
    assert where == "In 1 of 1 domain an algorithm stands clear of every other row (sensor)."


def test_one_seed_says_nothing_about_others() -> None:
    words = "other pretraining seeds"
    assert words in say(rows(shed=0.8, emix=0.5))[-1]
    several = say(make_suite(("linear",), seeds=3))
    assert words not in several[-1]
    assert several[0].startswith("shed is ahead: its mean")


def test_a_run_that_did_not_learn_is_mentioned() -> None:
    results = [make(score=0.8, reason="it collapsed"), make(algorithm="emix", score=0.5)]
    assert "although that includes a run that did not learn" in say(results)[0]


def test_the_paired_tests_are_those_of_compare() -> None:
    results = make_suite(("linear",), gains=EVERY_ROW)
    contestants = [make_contestant(row.name, "", row.placed) for row in entries_of(results)]
    comparison = compare_contestants(contestants, resamples=100)
    table = build_table(results, "linear")
    overall = comparison.pair("shed", "emix").overall
    words = f"it wins {overall.wins} of 10 tasks, loses {overall.losses} and ties {overall.ties}"
    assert words in verdict(table, comparison)[1]
    assert not any("it wins" in sentence for sentence in verdict(table))


def test_without_a_complete_algorithm_there_is_nothing_to_say() -> None:
    assert say([make(algorithm="none")]) == []
    assert say([make(), make(algorithm="none", task="side")]) == []
    assert say([make()])[0].startswith("shed is the only algorithm")
