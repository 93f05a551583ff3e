"""The table with a line for each row."""

from __future__ import annotations

from dabs.leaderboard.tables.budgets import build_budget_tables
from dabs.leaderboard.tables.overview_text import markdown_overview
from tests.helpers.made_results import EVERY_ROW, make_budgets

FAILED = {("shed", "sensor", 1): "the loss never fell"}


def lines_at(budget: float) -> list[str]:
    results = make_budgets(protocols=("linear",), gains=EVERY_ROW, failed=FAILED)
    return markdown_overview(build_budget_tables(results, "linear"), budget).splitlines()


def test_every_row_has_a_line_with_its_means_rank_and_flops_and_the_best_is_first() -> None:
    lines = lines_at(1.0)
    assert lines[0] == (
        "| row | chest_xray‡ | english_text | sensor | speech† | mean of 4 domains | interval | rank | FLOPs |"
    )
    assert len({line.count("|") for line in lines if line.startswith("|")}) == 1
    rows = {line.split(" | ")[0].strip("| *"): line for line in lines[2:] if line.startswith("| ")}
    means = [float(line.split(" | ")[5].strip("*").strip("✗")) for line in rows.values()]
    assert means == sorted(means, reverse=True)
    assert rows["none"].endswith("| – | – |"), "a reference row has no rank, and one without pretraining no cost"
    assert rows["shed"].count("✗") == 2, "sensor and the mean"
    assert "✗" not in rows["emix"]
    assert "shed on sensor (1 of 3 seeds: the loss never fell)" in lines[-1]


def test_each_budget_has_its_own_flops() -> None:
    flops = {
        budget: float(next(line for line in lines_at(budget) if line.startswith("| emix")).split(" | ")[-1].strip(" |"))
        for budget in (1.0, 10.0)
    }
    assert 9 < flops[10.0] / flops[1.0] < 11
