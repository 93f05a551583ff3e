"""What a grid is expected to cost, the order of its cells, and the time left."""

from __future__ import annotations

from pathlib import Path

import pytest

from dabs.config import PretrainConfig
from dabs.grid import costs
from dabs.grid.cells import Cell
from dabs.grid.costs import CellCost, TimeLeft, estimate, longest_first, text_of
from dabs.registry import find_domain


def cell(algorithm: str, domain: str = "sensor", seed: int = 4, steps: int = 0, **changes) -> Cell:
    tasks = tuple(task.name for task in find_domain(domain).tasks)
    config = PretrainConfig(algorithm=algorithm, domain=domain, seed=seed, steps=steps)
    return Cell(config=config, label=algorithm, protocols=("linear",), tasks=tasks, out=Path("runs"), **changes)


@pytest.fixture
def pace(monkeypatch):
    """A machine of 10 GFLOP/s."""
    monkeypatch.setattr(costs, "_seconds_per_operation", lambda: 1e-10)


def test_more_work_costs_more(pace):
    cells = [cell(name, steps=400) for name in ("none", "shed", "emix", "supervised", "raw")]
    cells += [cell("shed", "natural_images", steps=400), cell("shed", "speech", steps=800)]
    found = estimate(cells, threads=1)
    names = ("none", "shed", "emix", "supervised", "raw")
    none, shed, emix, supervised, raw = (found[f"{name} sensor seed 4"] for name in names)
    assert none.pretraining == costs.START_SECONDS
    assert shed.pretraining > 100 * none.pretraining / costs.START_SECONDS
    assert 1.5 < (emix.pretraining - none.pretraining) / (shed.pretraining - none.pretraining) < 2.5
    assert supervised.pretraining == 0
    assert supervised.evaluation > shed.pretraining  # it trains once per task
    assert raw.seconds < none.seconds
    assert found["shed natural_images seed 4"].pretraining > shed.pretraining
    assert found["shed speech seed 4"].pretraining > 1.5 * found["shed natural_images seed 4"].pretraining


def test_an_algorithm_that_does_not_load_costs_as_much_as_another(pace):
    found = estimate([cell("shed", steps=800), cell("missing.py:Missing", steps=800)], threads=1)
    assert found["missing.py:Missing sensor seed 4"] == found["shed sensor seed 4"]


def test_a_few_steps_are_not_estimated():
    assert estimate([cell("shed", steps=3)], threads=1) == {}
    cells = [cell("none"), cell("shed")]
    assert longest_first(cells, {}) == cells


def test_a_step_is_measured():
    costs._seconds_per_operation.cache_clear()
    assert 1e-13 < costs._seconds_per_operation() < 1e-8


def test_within_a_seed_the_longest_comes_first():
    cells = [cell(name, seed=seed) for seed in (4, 5) for name in ("none", "shed", "emix")]
    seconds = {"none": 1.0, "shed": 5.0, "emix": 9.0}
    known = {one.name: CellCost(pretraining=seconds[one.label], evaluation=0) for one in cells}
    order = [one.name for one in longest_first(cells, known)]
    assert order == [f"{name} sensor seed {seed}" for seed in (4, 5) for name in ("emix", "shed", "none")]


def test_the_time_left_follows_what_was_seen():
    left = TimeLeft({name: CellCost(pretraining=80, evaluation=20) for name in "abcd"}, parallel=2, begun=0.0)
    assert left.seconds(0.0) == pytest.approx(200)
    left.update("a", 50, 100)
    assert left.seconds(20.0) == pytest.approx(180)  # two processes for 20 seconds were to do what is done
    left.end("a")
    left.end("b")
    slow, fast = left.seconds(400.0), left.seconds(20.0)
    assert slow > 200 > fast > 0
    left.update("unknown", 1, 2)
    for name in ("c", "d", "data of sensor"):
        left.end(name)
    assert left.seconds(500.0) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "about 10 seconds"), (71, "about 70 seconds"), (600, "about 10 minutes"), (9000, "about 2.5 hours")],
)
def test_times_are_rounded(seconds, text):
    assert text_of(seconds) == text
