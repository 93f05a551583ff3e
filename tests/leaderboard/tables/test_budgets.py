"""Tables of every budget: none mixes with another, missing cells stay empty, and the front is what no point beats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.config import without_budget
from dabs.errors import RequestError
from dabs.leaderboard.tables.aggregate import build_table
from dabs.leaderboard.tables.budgets import BudgetTables, build_budget_tables, non_dominated
from dabs.results.schema import Result
from tests.helpers.made_results import EVERY_ROW, SUITE, altered, make, make_budgets, make_suite

BUDGETS = (0.25, 1.0, 4.0, 10.0)
LOST = ("emix+budget=10", "speech")  # a row that lacks a domain at one budget


@pytest.fixture(scope="module")
def results() -> list[Result]:
    made = make_budgets(protocols=("linear",), gains=EVERY_ROW, failed={("shed", "sensor", 1): "it fell"})
    return [result for result in made if (result.algorithm, result.domain) != LOST]


@pytest.fixture(scope="module")
def budgets(results: list[Result]) -> BudgetTables:
    return build_budget_tables(results, "linear")


def test_each_point_is_the_mean_of_the_table_of_its_budget(results: list[Result], budgets: BudgetTables) -> None:
    assert tuple(budgets.tables) == BUDGETS
    for budget in BUDGETS:
        own = [r for r in results if r.budget in (None, budget)]
        alone = [r.model_copy(update={"algorithm": without_budget(r.algorithm)}) for r in own]
        table = build_table(alone, "linear", {domain: tuple(tasks) for domain, tasks in SUITE.items()})
        for name in ("shed", "contrastive", "supervised"):
            for domain in SUITE:
                (point,) = (p for p in budgets.points(name, domain) if p.budget == budget)
                assert point.score == table.domain_mean(name, domain)
                assert point.interval == table.domain_interval(name, domain)
            (point,) = (p for p in budgets.points(name) if p.budget == budget)
            assert (point.score, point.interval) == (table.overall(name), table.overall_interval(name))


def test_a_mean_is_of_one_budget(results: list[Result], budgets: BudgetTables) -> None:
    for point in budgets.points("shed", "chest_xray"):
        scores = [
            r.score
            for r in results
            if (without_budget(r.algorithm), r.domain, r.budget) == ("shed", "chest_xray", point.budget)
        ]
        assert len(scores) == 3
        assert point.score == pytest.approx(sum(scores) / 3)


def test_a_domain_that_is_missing_at_a_budget_empties_the_overall_mean_there(budgets: BudgetTables) -> None:
    assert [point.budget for point in budgets.points("emix", "speech")] == [0.25, 1.0, 4.0]
    assert [point.budget for point in budgets.points("emix", "sensor")] == list(BUDGETS)
    assert [point.budget for point in budgets.points("emix")] == [0.25, 1.0, 4.0]


def test_a_budget_that_lacks_a_whole_domain_has_no_overall_mean() -> None:
    made = [r for r in make_budgets(protocols=("linear",)) if not (r.budget == 4.0 and r.domain == "speech")]
    found = build_budget_tables(made, "linear")
    assert {p.budget for name in ("shed", "emix", "contrastive") for p in found.points(name)} == {0.25, 1.0, 10.0}
    assert [p.budget for p in found.points("shed", "sensor")] == list(BUDGETS)


def test_rows_without_pretraining_are_levels_and_the_others_are_not(budgets: BudgetTables) -> None:
    assert [level.algorithm for level in budgets.levels("sensor")] == ["none", "raw", "summary"]
    assert budgets.trained == ("supervised", "contrastive", "emix", "shed")
    assert budgets.points("none", "sensor") == []
    assert budgets.levels()[0].score == budgets.tables[4.0].overall("none")


def test_points_know_their_cost_and_what_did_not_learn(budgets: BudgetTables) -> None:
    shed, contrastive = budgets.points("shed", "sensor"), budgets.points("contrastive", "sensor")
    seconds = [point.cost.seconds for point in shed]
    assert seconds == pytest.approx([budget * (21.3 + 1) for budget in BUDGETS])
    assert [p.cost.flops for p in shed] == pytest.approx([b * 9e9 * 600 for b in BUDGETS])
    assert [p.cost.seconds for p in contrastive] == pytest.approx([2 * (s or 0) for s in seconds])
    assert budgets.points("shed")[0].cost.seconds == pytest.approx(len(SUITE) * (seconds[0] or 0))
    assert all(point.failed for point in (*shed, *budgets.points("shed")))
    assert not any(point.failed for point in budgets.points("shed", "speech"))
    assert (budgets.elsewhere, budgets.spread) == (0, pytest.approx(23.3 / 21.3))


def test_results_of_one_budget_and_reference_rows_alone_make_a_table_too() -> None:
    assert list(build_budget_tables(make_suite(), "linear").tables) == [1.0]
    alone = build_budget_tables([make(algorithm="none")], "linear")
    assert (list(alone.tables), alone.trained, alone.runs, alone.machine) == ([1.0], (), 0, "")
    assert list(build_budget_tables([make(), make(algorithm="emix", protocol="knn")], "linear").tables) == [1.0]


def test_budgets_of_different_data_may_not_share_a_figure() -> None:
    other = altered("counts.test", 999, algorithm="shed+budget=4")
    config = {**other.pretraining.config, "budget": 4.0}
    other = other.model_copy(update={"pretraining": other.pretraining.model_copy(update={"config": config})})
    with pytest.raises(RequestError, match="counts differs"):
        build_budget_tables([make(), other], "linear")


POINTS = st.lists(st.tuples(st.integers(1, 6).map(float), st.integers(-3, 6).map(float)), max_size=12)


@given(points=POINTS, floor=st.none() | st.integers(-3, 6).map(float))
def test_the_front_is_every_point_that_no_other_beats(points: list[tuple[float, float]], floor: float | None) -> None:
    def is_beaten(cost: float, score: float) -> bool:
        others = any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points)
        return others or (floor is not None and score <= floor)

    found = non_dominated(points, floor)
    assert sorted(found) == [i for i, point in enumerate(points) if not is_beaten(*point)]
    assert [points[i] for i in found] == sorted(points[i] for i in found)
