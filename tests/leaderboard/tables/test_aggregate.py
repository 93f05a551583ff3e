"""Means over seeds, tasks and domains, and which results may not share a table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.errors import RequestError
from dabs.leaderboard.tables.aggregate import build_table, order_algorithms, protocols_of
from tests.helpers.made_results import EVERY_ROW, altered, make, make_suite


def test_a_cell_summarises_its_seeds() -> None:
    scores = (0.70, 0.72, 0.77)
    table = build_table([make(seed=seed, score=score) for seed, score in enumerate(scores)], "linear")
    cell = table.cell("shed", "sensor", "exercise")
    assert cell is not None
    assert cell.seeds == (0, 1, 2)
    assert cell.mean == pytest.approx(0.73)
    assert cell.deviation == pytest.approx(0.0360555)
    assert cell.spread == pytest.approx(0.07)
    assert cell.interval[0] < min(scores) < max(scores) < cell.interval[1]


def test_one_seed_has_no_deviation() -> None:
    cell = build_table([make()], "linear").cell("shed", "sensor", "exercise")
    assert cell is not None
    assert (cell.deviation, cell.spread) == (None, 0)


def test_every_domain_counts_the_same() -> None:
    results = [
        make(score=0.2),
        make(task="side", score=0.4),
        make(domain="chest_xray", task="findings", score=0.9),
    ]
    table = build_table(results, "linear")
    assert table.domain_mean("shed", "sensor") == pytest.approx(0.3)
    assert table.overall("shed") == pytest.approx(0.6)


def test_a_plug_in_domain_has_a_row_but_no_part_in_the_overall_mean() -> None:
    official = make_suite(("linear",))
    plugged = [make(algorithm=name, domain="plugged", task="own", seed=0, score=0.99) for name in ("shed", "none")]
    alone, both = build_table(official, "linear"), build_table(official + plugged, "linear")
    assert both.domain_mean("shed", "plugged") == pytest.approx(0.99)
    assert both.overall("shed") == alone.overall("shed")
    assert both.overall_interval("shed") == alone.overall_interval("shed")
    assert both.beats("shed") == alone.beats("shed")
    # and where it is missing, it empties nothing
    assert both.overall("emix") == alone.overall("emix") is not None
    only = build_table(plugged, "linear")
    assert only.overall("shed") == pytest.approx(0.99)


def test_a_missing_task_leaves_the_mean_empty() -> None:
    results = [make(), make(task="side"), make(algorithm="emix", task="side")]
    table = build_table(results, "linear")
    assert table.domain_mean("shed", "sensor") is not None
    assert table.domain_mean("emix", "sensor") is None
    assert table.overall("emix") is None


def test_tasks_of_another_protocol_count_as_missing() -> None:
    table = build_table([make(), make(task="side", protocol="knn")], "linear")
    assert table.tasks == {"sensor": ("exercise", "side")}
    assert table.domain_mean("shed", "sensor") is None


def test_the_list_of_tasks_can_be_given() -> None:
    table = build_table([make()], "linear", {"sensor": ["side", "exercise"], "speech": ["word"]})
    assert table.tasks == {"sensor": ("side", "exercise"), "speech": ("word",)}
    assert table.overall("shed") is None
    with pytest.raises(RequestError, match="sensor/exercise"):
        build_table([make()], "linear", {"sensor": ["side"]})


def test_no_results_of_a_protocol_is_an_error() -> None:
    with pytest.raises(RequestError, match="knn"):
        build_table([make()], "knn")
    assert protocols_of([make(protocol="knn"), make()]) == ("linear", "knn")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("suite", "paper"),
        ("data.sha256.test", "0" * 64),
        ("data.split_sha256.train", "0" * 64),
        ("data.origin", "generated"),
        ("counts.test", 7),
        ("metric.chance", 0.3),
        ("evaluation.config.features", "class token"),
    ],
)
def test_results_that_may_not_be_compared_are_refused(field: str, value: Any) -> None:
    other = altered(field, value, algorithm="emix")
    with pytest.raises(RequestError) as caught:
        build_table([make(), other], "linear")
    text = str(caught.value)
    assert "shed" in text
    assert "emix" in text
    assert field.split(".")[0] in text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("algorithm_sha256", "0" * 64),
        ("pretraining.steps", 700),
        ("pretraining.config.lr", 1.0),
        ("encoder.config.width", 8),
    ],
)
def test_seeds_of_one_cell_share_their_recipe(field: str, value: Any) -> None:
    with pytest.raises(RequestError, match="differs"):
        build_table([make(), altered(field, value, seed=1)], "linear")
    if field == "algorithm_sha256":  # one budget and encoder for all: see below
        build_table([make(), altered(field, value, algorithm="emix")], "linear")


def test_two_results_of_one_seed_are_refused() -> None:
    with pytest.raises(RequestError, match="two results with the same seed"):
        build_table([make(), make(score=0.5)], "linear")


def test_a_win_exceeds_the_spread_over_seeds() -> None:
    def both(task: str, none: list[float], shed: list[float]) -> list[Any]:
        return [
            make(algorithm=a, task=task, seed=i, score=s)
            for a, scores in (("none", none), ("shed", shed))
            for i, s in enumerate(scores)
        ]

    results = both("exercise", [0.50, 0.51], [0.60, 0.64]) + both("side", [0.50, 0.58], [0.60, 0.61])
    wins = build_table(results, "linear").beats("shed")
    assert (wins.won, wins.tasks, wins.share) == ((("sensor", "exercise"),), 2, 0.5)


def test_a_missing_task_is_not_won() -> None:
    results = [make(score=0.9), make(algorithm="none", score=0.5), make(algorithm="none", task="side")]
    assert build_table(results, "linear").beats("shed").share == 0.5
    with pytest.raises(RequestError, match="emix"):
        build_table(results, "linear").beats("emix")


def test_the_reference_rows_come_first() -> None:
    names = {"shed", "supervised", "raw", "emix", "summary", "none"}
    assert order_algorithms(names) == ("none", "raw", "summary", "supervised", "emix", "shed")


def test_a_row_that_a_protocol_cannot_be_applied_to_is_left_out() -> None:
    results = make_suite(("linear", "finetune"), seeds=1, gains=EVERY_ROW)
    results = [r for r in results if (r.algorithm, r.protocol) != ("emix", "finetune")]
    assert build_table(results, "linear").algorithms[:4] == ("none", "raw", "summary", "supervised")
    assert build_table(results, "finetune").algorithms == ("none", "supervised", "contrastive", "emix", "shed")


def test_a_cell_knows_the_runs_that_did_not_learn() -> None:
    results = [make(seed=seed, score=0.6 + seed / 10, reason="it collapsed" * (seed == 2)) for seed in range(3)]
    results += [make(seed=seed, task="side") for seed in range(3)] + [make(algorithm="emix")]
    table = build_table([*results, make(domain="speech", task="word")], "linear")
    cell = table.cell("shed", "sensor", "exercise")
    assert cell is not None
    assert (cell.failed, cell.reasons) == ((2,), ("it collapsed",))
    assert cell.mean == pytest.approx(0.7), "the run is part of the mean"
    assert table.has_failed("shed")
    assert table.has_failed("shed", "sensor")
    assert not table.has_failed("shed", "speech")
    assert not table.has_failed("emix")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_the_mean_lies_within_the_scores(scores: list[float]) -> None:
    table = build_table([make(seed=i, score=s) for i, s in enumerate(scores)], "linear")
    overall = table.overall("shed")
    assert overall is not None
    assert min(scores) - 1e-12 <= overall <= max(scores) + 1e-12


def test_the_order_of_the_results_changes_nothing() -> None:
    results = make_suite()
    assert build_table(results, "knn") == build_table(results[::-1], "knn")


def test_algorithms_with_other_encoders_do_not_share_a_table() -> None:
    wider = altered("encoder.config.width", 4096, algorithm="emix")
    with pytest.raises(RequestError, match=r"pretraining in .*encoder\.config differs"):
        build_table([make(algorithm="shed"), wider], "linear")


def test_algorithms_with_other_budgets_do_not_share_a_table() -> None:
    longer = altered("pretraining.steps", 5000, algorithm="emix")
    with pytest.raises(RequestError, match=r"pretraining in .*pretraining\.steps differs"):
        build_table([make(algorithm="shed"), longer], "linear")


def test_means_have_intervals_and_a_missing_task_none() -> None:
    results = [make(task=task, seed=seed) for task in ("exercise", "side") for seed in (0, 1)]
    table = build_table([*results, make(algorithm="emix", task="side")], "linear")
    low, high = table.domain_interval("shed", "sensor") or (0, 0)
    assert low < 0.71 < high
    assert table.overall_interval("shed") == pytest.approx((low, high))
    assert table.domain_interval("emix", "sensor") is None
    assert table.overall_interval("emix") is None
    assert (table.test_data_only("shed"), table.test_data_only("emix")) == (False, True)


def test_algorithms_with_other_learning_rates_do_not_share_a_table() -> None:
    results = [make(), altered("pretraining.config.lr", 0.5, algorithm="emix")]
    with pytest.raises(RequestError, match="lr differs"):
        build_table(results, "linear")
