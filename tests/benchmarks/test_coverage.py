"""A short `benchmarks/coverage.py`: our intervals cover, simpler ones do not."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from tests.helpers.benchmarks import load_benchmark


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    return load_benchmark("coverage")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_intervals_of_tasks_cover_and_simpler_methods_do_not(coverage: ModuleType) -> None:
    world = coverage.World(seeds=(2, 2), sigma=0.025)
    interval, examples, hierarchical, alarm = coverage.tasks_row(world, 150, 200, np.random.default_rng(11))
    assert 93 <= interval <= 97.5
    assert alarm <= 9  # 5 % expected, in 150 experiments
    assert examples < 85
    assert hierarchical < 93


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_intervals_over_tasks_cover_and_percentiles_do_not(coverage: ModuleType) -> None:
    mean, iqm, _, percentile = coverage.over_tasks_row((2, 2, 5, 8, 2, 2, 3), 400, 400, np.random.default_rng(12))
    assert 92 <= mean <= 97.5
    assert 92 <= iqm <= 97.5
    assert percentile < 91


def test_mcnemar_keeps_its_level(coverage: ModuleType) -> None:
    interval, alarm = coverage.mcnemar_row(1000, 0.1, 1000, np.random.default_rng(13))
    assert 93 <= interval <= 97
    assert alarm <= 6
