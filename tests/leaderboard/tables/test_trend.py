"""The paper's trend: signs are compared domain by domain, and published numbers enter no mean of ours."""

from __future__ import annotations

import pytest

from dabs.leaderboard.tables.budgets import BudgetTables, build_budget_tables
from dabs.leaderboard.tables.published import Published
from dabs.leaderboard.tables.trend import found_side, markdown_trend, published_mean, published_side
from dabs.results.schema import Result
from tests.helpers.made_results import make

SOURCE = {"key": "x", "title": "X", "url": "https://example.org/x", "seeds": 1, "protocol": "linear"}


def published(**percent: tuple[float, float]) -> Published:
    """Published scores of none and shed by domain, on one task each."""
    rows = [
        {
            "domain": domain, "task": "*", "label": domain, "pretrained_on": "y", "source": "x",
            "percent": {"none": none, "shed": shed},
        }
        for domain, (none, shed) in percent.items()
    ]  # fmt: skip
    return Published.model_validate({"format": 1, "suite": "paper", "sources": [SOURCE], "rows": rows})


def tables(**scores: tuple[tuple[float, float], tuple[float, float]]) -> BudgetTables:
    """Our scores of none and shed by domain, two seeds each."""
    found: list[Result] = []
    for domain, (none, shed) in scores.items():
        for seed in (0, 1):
            found.append(make(algorithm="none", domain=domain, task="subject", score=none[seed], seed=seed))
            found.append(make(algorithm="shed", domain=domain, task="subject", score=shed[seed], seed=seed))
    return build_budget_tables(found, "linear")


def test_published_means_are_of_a_domains_own_numbers():
    paper = published(sensor=(40.0, 50.0), speech=(30.0, 20.0))
    assert published_mean(paper, "shed", "sensor") == pytest.approx(0.5)
    assert published_mean(paper, "shed", "chest_xray") is None
    assert [published_side(paper, "shed", one) for one in ("sensor", "speech", "chest_xray")] == [
        "above", "below", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("none", "shed", "side"),
    [
        ((0.4, 0.42), (0.5, 0.52), "above"),
        ((0.5, 0.52), (0.4, 0.42), "below"),
        ((0.4, 0.48), (0.42, 0.5), "level"),  # by less than the seeds' spread
    ],
)
def test_ours_are_told_apart_by_more_than_the_spread(none, shed, side):
    table = tables(sensor=(none, shed)).first
    assert found_side(table, "shed", "sensor") == side
    assert found_side(table, "emix", "sensor") is None


def test_the_table_counts_agreement_and_contradiction():
    paper = published(sensor=(40.0, 50.0), speech=(30.0, 20.0))
    ours = tables(sensor=((0.5, 0.52), (0.4, 0.42)), speech=((0.5, 0.52), (0.4, 0.42)))
    text = markdown_trend(paper, ours)
    assert "| sensor | published | 40.0 | 50.0 | above |" in text
    assert "| sensor | budget 1 | 51.0 | 41.0 | below |" in text
    assert "At budget 1: shed agrees with the paper in 1 of 2 domains and contradicts it in 1." in text
