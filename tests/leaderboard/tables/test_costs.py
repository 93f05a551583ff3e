"""Costs: means over seeds, sums over tasks and domains, one machine's seconds, and what is unknown."""

from __future__ import annotations

import pytest

from dabs.evaluation.reference_rows import SUPERVISED
from dabs.leaderboard.tables.costs import (
    RunCost,
    costs_of,
    machine_of,
    most_used_machine,
    one_per_run,
    spread_of_seconds,
    total_cost,
)
from dabs.results.schema import Result
from tests.helpers.made_results import make

HERE = machine_of(make())


def run(seconds: float, flops: int = 100, *, processor: str = "", **changes: object) -> Result:
    """Return a result of a run with this cost."""
    one = make(**changes)
    pretraining = one.pretraining.model_copy(update={"wall_seconds": seconds, "flops": flops})
    environment = one.environment.model_copy(update={"processor": processor or one.environment.processor})
    return one.model_copy(update={"pretraining": pretraining, "environment": environment})


def test_a_cost_is_a_mean_over_seeds_and_counts_each_run_once() -> None:
    both_tasks = [run(10.0 * (seed + 1), seed=seed, task=task) for seed in range(3) for task in ("exercise", "side")]
    assert len(one_per_run(both_tasks)) == 3
    assert costs_of(both_tasks, HERE) == {("shed", "sensor"): RunCost(seconds=20.0, flops=100.0)}


def test_the_supervised_encoder_costs_the_sum_over_its_tasks() -> None:
    results = [
        run(seconds, flops, algorithm=SUPERVISED, task=task, seed=seed)
        for task, seconds, flops in (("exercise", 10.0, 3), ("side", 20.0, 4))
        for seed in range(2)
    ]
    assert costs_of(results, HERE) == {(SUPERVISED, "sensor"): RunCost(seconds=30.0, flops=7.0)}


def test_rows_without_pretraining_cost_nothing_that_could_be_shown() -> None:
    assert costs_of([make(algorithm="none"), make(algorithm="raw")], HERE) == {}


def test_zero_stands_for_unknown() -> None:
    assert costs_of([run(10.0, 0)], HERE)["shed", "sensor"] == RunCost(seconds=10.0)
    assert costs_of([run(0.0, 5)], HERE)["shed", "sensor"] == RunCost(flops=5.0)
    one_unknown = [run(10.0, 0, seed=0), run(10.0, 8, seed=1)]
    assert costs_of(one_unknown, HERE)["shed", "sensor"].flops is None


def test_seconds_are_of_the_machine_with_the_most_runs() -> None:
    results = [run(10.0, seed=0), run(30.0, seed=1), run(999.0, seed=2, processor="Other")]
    assert most_used_machine(results) == HERE
    assert costs_of(results, HERE)["shed", "sensor"] == RunCost(seconds=20.0, flops=100.0)
    elsewhere = machine_of(results[2])
    assert costs_of(results, elsewhere)["shed", "sensor"].seconds == 999.0
    assert costs_of(results, "a third")["shed", "sensor"].seconds is None
    assert most_used_machine([run(1.0, processor="b"), run(1.0, processor="a")]).startswith("a,")
    assert most_used_machine([]) == ""


def test_a_total_is_unknown_if_a_part_is() -> None:
    costs = {("shed", "a"): RunCost(seconds=1.0, flops=10.0), ("shed", "b"): RunCost(seconds=2.0)}
    assert total_cost(costs, "shed", ["a", "b"]) == RunCost(seconds=3.0)
    assert total_cost(costs, "shed", ["a"]) == RunCost(seconds=1.0, flops=10.0)
    assert total_cost(costs, "shed", ["a", "c"]) == RunCost()


def test_the_spread_is_that_of_the_seeds_of_one_cell_on_one_machine() -> None:
    results = [run(10.0, seed=0), run(25.0, seed=1), run(900.0, seed=2, processor="Other"), run(40.0, domain="speech")]
    assert spread_of_seconds(results, HERE) == pytest.approx(2.5)
    assert spread_of_seconds(results[:1], HERE) == 1.0
    assert spread_of_seconds([], HERE) == 1.0
