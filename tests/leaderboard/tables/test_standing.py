"""The share of the gap that an algorithm closes, the domains it wins, and the runs that did not learn."""

from __future__ import annotations

import pytest

from dabs.leaderboard.tables.aggregate import build_table
from dabs.leaderboard.tables.standing import domains_won, failed_runs, gap_closed, has_gap
from dabs.results.schema import Result
from tests.helpers.made_results import make


def rows(**scores: float) -> list[Result]:
    """Return a result of each algorithm on one task."""
    return [make(algorithm=name, score=score) for name, score in scores.items()]


def test_the_gap_is_measured_from_none_to_supervised() -> None:
    table = build_table(rows(none=0.2, supervised=0.6, shed=0.5, emix=0.1, best=0.7), "linear")
    assert has_gap(table)
    for name, share in (("shed", 0.75), ("emix", -0.25), ("best", 1.25)):
        assert gap_closed(table, name, "sensor") == pytest.approx(share)
        assert gap_closed(table, name) == pytest.approx(share)
    assert gap_closed(table, "none") is None
    assert gap_closed(table, "supervised") is None


@pytest.mark.parametrize(("supervised", "share"), [(0.209, None), (0.211, 9.09), (0.1, None)])
def test_a_gap_below_one_point_has_no_share(supervised: float, share: float | None) -> None:
    found = gap_closed(build_table(rows(none=0.2, supervised=supervised, shed=0.3), "linear"), "shed")
    assert found == (share if share is None else pytest.approx(share, abs=0.01))


def test_the_overall_share_is_that_of_the_overall_means() -> None:
    results = rows(none=0.2, supervised=0.6, shed=0.4)
    results += [
        make(algorithm=name, domain="speech", task="word", score=score)
        for name, score in (("none", 0.1), ("supervised", 0.9), ("shed", 0.9))
    ]
    table = build_table(results, "linear")
    assert gap_closed(table, "shed", "sensor") == pytest.approx(0.5)
    assert gap_closed(table, "shed", "speech") == pytest.approx(1.0)
    assert gap_closed(table, "shed") == pytest.approx((0.65 - 0.15) / (0.75 - 0.15))


def test_without_both_ends_or_with_a_missing_task_there_is_no_share() -> None:
    assert not has_gap(build_table(rows(none=0.2, shed=0.4), "linear"))
    assert gap_closed(build_table(rows(none=0.2, shed=0.4), "linear"), "shed") is None
    table = build_table([*rows(none=0.2, supervised=0.6, shed=0.4), make(algorithm="none", task="side")], "linear")
    assert gap_closed(table, "shed") is None


def test_a_domain_is_won_by_more_than_the_spread_of_its_means() -> None:
    """Each task has a spread of 0.2, but they cancel out: the domain's mean is the same for every seed."""
    results = [
        make(algorithm=name, task=task, seed=seed, score=base + sign * (0.1 if seed else -0.1))
        for name, base in (("none", 0.4), ("shed", 0.5))
        for task, sign in (("exercise", 1), ("side", -1))
        for seed in (0, 1)
    ]
    table = build_table(results, "linear")
    assert table.beats("shed").won == ()
    assert domains_won(table, "shed", "none") == ("sensor",)
    assert domains_won(table, "none", "shed") == ()


def test_a_domain_within_the_spread_is_not_won() -> None:
    results = [make(algorithm="none", seed=seed, score=score) for seed, score in enumerate((0.4, 0.6))]
    results += [make(seed=seed, score=score) for seed, score in enumerate((0.6, 0.7))]
    assert domains_won(build_table(results, "linear"), "shed", "none") == ()


def test_runs_that_did_not_learn_are_listed_by_domain_and_supervised_ones_by_task() -> None:
    results = [make(task=task, seed=s, reason="why" * s) for task in ("exercise", "side") for s in (0, 1)]
    results += [
        make(algorithm="supervised", task=task, reason="why" * (task == "side")) for task in ("exercise", "side")
    ]
    table = build_table(results, "linear")
    assert [str(run) for run in failed_runs(table)] == [
        "supervised on sensor/side (1 of 1 seed: why)",
        "shed on sensor (1 of 2 seeds: why)",
    ]
    assert [run.algorithm for run in failed_runs(table, "shed")] == ["shed"]
