"""What each budget adds to a row, whether it reaches the supervised one, and whether it learns by heart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dabs.config import label_at
from dabs.leaderboard.compare.contestants import load_contestants
from dabs.leaderboard.compare.saturation import Saturation, find_saturation
from dabs.leaderboard.compare.saturation_text import saturation_markdown, saturation_table
from tests.helpers.made_results import alter, make_payload, write_payload

CELL = ("sensor", "shed")


def put(folder: Path, row: str, budget: float, right: int, held_out: tuple[float, ...] = (0.9,)) -> None:
    """Write three seeds of a row at a budget that answer `right` of 100 examples, and their losses on unseen inputs."""
    label = label_at(row, budget)
    for seed in range(3):
        payload = make_payload(label, "sensor", "side", seed=seed, score=right / 100)
        changes = {
            "pretraining.config": {"budget": budget},
            "pretraining.held_out": [[10 * (i + 1), loss] for i, loss in enumerate(held_out)],
            "algorithm_sha256": make_payload(row)["algorithm_sha256"],
            "counts.test": 100,
            "interval.units": 100,
        }
        for path, value in changes.items():
            payload = alter(payload, path, value)
        place = folder / label / "sensor" / f"seed{seed}"
        write_payload(place, payload, {"label": np.ones(100, "u1"), "prediction": np.arange(100) < right})


def find(folder: Path) -> Saturation:
    return find_saturation(load_contestants([str(folder)], "linear"))


def test_a_budget_adds_what_the_row_has_more_than_at_the_one_below(tmp_path: Path) -> None:
    for budget, right in ((1.0, 50), (4.0, 80), (10.0, 81)):
        put(tmp_path, "shed", budget, right)
    found = find(tmp_path)
    assert found.budgets == (1.0, 4.0, 10.0)
    first, second = found.gains[1.0, 4.0][CELL], found.gains[4.0, 10.0][CELL]
    assert (first.difference.value, first.verdict) == (pytest.approx(0.30), "win")
    assert (second.difference.value, second.verdict) == (pytest.approx(0.01), "tie")
    assert list(found.gains) == [(1.0, 4.0), (4.0, 10.0), (1.0, 10.0)], "the standard budget against the largest"
    assert found.gains[1.0, 10.0][CELL].difference.value == pytest.approx(0.31)
    assert not found.reached, "there is no supervised row"


def test_a_row_is_compared_with_the_supervised_one_at_its_own_largest_budget(tmp_path: Path) -> None:
    for row, budget, right in (
        ("emix", 1.0, 50),
        ("shed", 1.0, 50),
        ("shed", 4.0, 55),
        ("supervised", 1.0, 10),
        ("supervised", 4.0, 90),
    ):
        put(tmp_path, row, budget, right)
    found = find(tmp_path)
    assert found.reached[CELL].difference.value == pytest.approx(-0.35)
    assert found.reached[CELL].verdict == "loss"
    assert set(found.reached) == {CELL}, "emix has one budget alone"
    assert found.gains[1.0, 4.0]["sensor", "supervised"].verdict == "win"


def test_the_tests_of_a_column_are_corrected_together(tmp_path: Path) -> None:
    put(tmp_path, "shed", 1.0, 50)
    put(tmp_path, "shed", 4.0, 55)  # p is 0.03 alone
    assert find(tmp_path).gains[1.0, 4.0][CELL].verdict == "win"
    for row in ("emix", "contrastive"):
        put(tmp_path, row, 1.0, 50)
        put(tmp_path, row, 4.0, 50)
    assert find(tmp_path).gains[1.0, 4.0][CELL].verdict == "tie"


def test_a_loss_that_rises_again_is_learning_by_heart(tmp_path: Path) -> None:
    put(tmp_path, "shed", 1.0, 50, (0.9, 0.5, 0.6))  # the training loss is 0.8
    put(tmp_path, "shed", 4.0, 50, (0.9, 0.5, 0.4))
    put(tmp_path, "emix", 1.0, 50, (0.9, 0.5, 0.6))
    put(tmp_path, "contrastive", 1.0, 50, (0.9, -0.5, -0.6))
    held_out = find(tmp_path).held_out
    assert held_out[CELL].rise == pytest.approx(1.0), "of the largest budget alone"
    assert held_out["sensor", "emix"].rise == pytest.approx(1.2)
    assert held_out["sensor", "emix"].gap == pytest.approx(0.75)
    assert (held_out[CELL].by_heart, held_out["sensor", "emix"].by_heart) == (False, True)
    assert ("sensor", "contrastive") not in held_out, "a ratio of negative losses says nothing"


def test_the_table_has_a_column_for_each_step_and_bold_differences(tmp_path: Path) -> None:
    put(tmp_path, "shed", 1.0, 50)
    assert "of one budget" in saturation_table(tmp_path)
    put(tmp_path, "shed", 4.0, 80, (0.9, 0.5, 0.6))
    put(tmp_path, "emix", 1.0, 50)
    lines = saturation_table(tmp_path).splitlines()
    assert lines[0] == "| domain | row | 1× → 4× | less supervised | rise | gap |"
    assert lines[2] == "| sensor | shed | **+30.0** | – | **1.20** | 0.75 |"
    assert len(lines) == 5, "a row of one budget has no difference to show"


def test_without_any_pair_there_is_only_the_head() -> None:
    nothing = Saturation(budgets=(), gains={}, reached={}, held_out={})
    assert len(saturation_markdown(nothing).splitlines()) == 4
