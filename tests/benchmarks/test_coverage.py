"""A short `benchmarks/coverage.py`: our intervals cover, simpler ones do not."""

from __future__ import annotations

from dataclasses import replace
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
    row = coverage.tasks_row(world, 150, 200, np.random.default_rng(11))
    interval, by_example, no_seeds, hierarchical, alarm, wider = row
    assert 93 <= interval <= 97.5
    assert (by_example, wider) == (interval, 1)
    assert alarm <= 9  # 5 % expected, in 150 experiments
    assert no_seeds < 85
    assert hierarchical < 93


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_intervals_of_tasks_cover_where_examples_share_groups(coverage: ModuleType) -> None:
    for world in coverage.GROUPED:
        row = coverage.tasks_row(replace(world, seeds=(3, 3)), 100, 200, np.random.default_rng(11))
        interval, by_example, *_, alarm, wider = row
        assert 92.5 <= interval <= 98
        assert by_example < 93
        assert alarm <= 12  # 5 % expected, in 100 experiments
        assert wider > 1.6


def test_photographs_are_resampled_whole(coverage: ModuleType) -> None:
    """20 photographs: single examples would make a result look six times as certain as it is."""
    world = replace(coverage.GROUPED[-1], seeds=(2, 2), tasks=4, n=400)
    interval, by_example, *_ = coverage.tasks_row(world, 60, 100, np.random.default_rng(11))
    assert interval >= 91
    assert by_example < 88
    published, narrow, over_seeds, domain = coverage.scores_row(world, 60, 100, np.random.default_rng(12))
    assert published >= 88
    assert narrow < 50
    assert over_seeds >= 91
    assert domain >= 88


def test_means_of_tasks_cover(coverage: ModuleType) -> None:
    worlds = tuple(replace(world, seeds=(3, 3), tasks=2) for world in coverage.GROUPED)
    domain, overall = coverage.means_row(worlds, 60, 100, 3)
    assert domain >= 90
    assert overall >= 88


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
