"""The table that says whether the standard budget tells what a long run finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from dabs.leaderboard.compare.foresight import PairOrder
from dabs.leaderboard.compare.foresight_text import foresight_markdown, foresight_table
from tests.helpers.made_results import make_budgets, make_suite, write


def results(folder: Path, budgets: tuple[float, ...]) -> Path:
    for result in make_budgets(budgets, seeds=2):
        write(folder / result.algorithm / result.domain / f"seed{result.seed}", [result])
    return folder


def test_without_a_long_run_nothing_is_known(tmp_path: Path) -> None:
    assert "not yet of budget 10" in foresight_table(tmp_path / "nothing")
    assert "not yet of budget 10" in foresight_table(results(tmp_path, (1.0, 4.0)))


def test_rows_that_gain_alike_keep_their_order(tmp_path: Path) -> None:
    lines = foresight_table(results(tmp_path, (1.0, 10.0))).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:7]] == [
        "chest_xray",
        "english_text",
        "sensor",
        "speech",
        "**all domains**",
    ]
    assert "1.00 (1.00 to 1.00)" in lines[6]


def test_a_row_of_one_budget_alone_changes_nothing(tmp_path: Path) -> None:
    before = foresight_table(results(tmp_path, (1.0, 10.0)))
    more = [result for result in make_suite(("linear",), seeds=2) if result.algorithm == "emix"]
    for result in more:
        renamed = result.model_copy(update={"algorithm": "mae"})
        write(tmp_path / "mae" / result.domain / f"seed{result.seed}", [renamed])
    assert foresight_table(tmp_path) == before


@pytest.mark.parametrize(("large", "wanted"), [("loss", "−1.00"), ("win", "1.00")])
def test_a_pair_that_changes_places_is_named(large: str, wanted: str) -> None:
    pair = PairOrder(domain="sensor", a="emix", b="shed", small="win", large=large)  # type: ignore[arg-type]
    row = foresight_markdown([pair]).splitlines()[2]
    assert row.startswith(f"| sensor | 1 | 1 | 0 | 0 | {wanted} (")
    assert ("emix, shed" in row) == (large == "loss")


def test_pairs_that_one_budget_alone_tells_apart_are_counted_and_algorithms_have_a_line_of_their_own() -> None:
    def pair(a: str, b: str, small: str, large: str) -> PairOrder:
        return PairOrder(domain="sensor", a=a, b=b, small=small, large=large)  # type: ignore[arg-type]

    pairs = [
        pair("emix", "shed", "win", "loss"),
        pair("none", "shed", "loss", "loss"),
        pair("emix", "none", "tie", "win"),
    ]
    pairs += [pair("contrastive", "shed", "loss", "tie"), pair("contrastive", "emix", "tie", "tie")]
    lines = foresight_markdown(pairs).splitlines()
    assert lines[2].startswith("| sensor | 5 | 2 | 1 | 1 | 0.00 (")
    assert lines[4].startswith("| all domains, algorithms alone | 3 | 1 | 1 | 0 | −1.00 (")
    assert "algorithms alone" not in "".join(foresight_markdown(pairs[:1]).splitlines()[:4]), "when there are no others"
