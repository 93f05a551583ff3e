"""The statistics of a comparison against scipy, and against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dabs.leaderboard.compare.statistics import (
    Spread,
    holm,
    improvement,
    interquartile_mean,
    mcnemar,
    mean_spread,
    over_units,
    paired_proportions,
    ranks,
    spread_of,
    steadied,
    trimmed_means,
    unit_draws,
)

COUNTS = st.integers(0, 300)
SCORES = st.lists(st.floats(-1, 1, allow_nan=False), min_size=2, max_size=6)


@settings(deadline=None, max_examples=40)
@given(COUNTS, COUNTS)
def test_mcnemar_is_the_exact_binomial_test(only_a: int, only_b: int) -> None:
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_rejects_as_the_step_down_procedure_does(p_values: list[float]) -> None:
    corrected = holm(p_values)
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for step, index in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[index] * (len(p_values) - step) >= alpha:
                break
            rejected.add(index)
        assert {i for i, p in enumerate(corrected) if p < alpha} == rejected


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@settings(deadline=None, max_examples=40)
@given(SCORES, SCORES)
def test_with_seeds_alone_the_test_is_welchs(a: list[float], b: list[float]) -> None:
    """No test examples' noise, and nothing borrowed from other tasks."""
    x, y = np.round(a, 3), np.round(b, 3)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    seeds = tuple((float(np.var(side, ddof=1)), len(side) - 1.0) for side in (x, y))
    count = len(x) + len(y)
    spread = spread_of(np.zeros((count, count)), (len(x), len(y)), (seeds[0], seeds[1]), (False, False), 1000)
    found, expected = spread.estimate(x.mean() - y.mean(), 0.95), stats.ttest_ind(x, y, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_with_one_seed_the_spread_is_that_of_the_examples() -> None:
    cov = np.array([[4.0, 1.0], [1.0, 9.0]])
    spread = spread_of(cov, (1, 1), (None, None), (False, False), 99)
    assert (spread.variance, spread.freedom, spread.seeds) == (4 + 9 - 2, 99, ())


def test_the_total_is_never_less_than_the_examples_part() -> None:
    """Seeds that lie close by luck do not make two models agree better than their examples allow."""
    cov = 0.01 * np.eye(4)
    spread = spread_of(cov, (2, 2), ((0.0, 1.0), (0.0, 1.0)), (False, False), 99)
    assert spread.examples == pytest.approx(0.01)
    assert spread.variance == pytest.approx(0.01)


def test_few_groups_keep_their_degrees_of_freedom() -> None:
    spread = Spread(examples=1e-6, shared=1e-6, df=1, seeds=((0.01, 3.0), (0.01, 3.0)))
    assert spread.freedom == 1
    assert Spread(examples=1e-6, shared=1e-6, df=30, seeds=((0.01, 3.0), (0.01, 3.0))).freedom > 5


def test_the_raw_input_has_no_seed_to_vary() -> None:
    spread = spread_of(np.zeros((3, 3)), (1, 2), (None, (0.02, 1.0)), (True, False), 99)
    assert spread.seeds == ((0.01, 1.0),)


def test_steadied_keeps_the_sum_and_adds_two_degrees() -> None:
    rows = steadied([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])
    assert [df for _, df in rows] == [3.0, 3.0, 3.0]
    assert [variance for variance, _ in rows] == pytest.approx([2 / 3, 1.0, 4 / 3])
    assert steadied([0.5], [1.0]) == [(0.5, 1.0)]  # a single task has none to borrow from


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=3, max_size=9))
def test_over_units_is_close_to_the_t_test(values: list[float]) -> None:
    gaps = np.round(values, 2)
    if np.ptp(gaps) == 0:
        return
    drawn = gaps[unit_draws(len(gaps), 20_000)].mean(axis=1)
    found, expected = over_units(gaps.mean(), drawn, len(gaps), 0.95), stats.ttest_1samp(gaps, 0).confidence_interval()
    assert found.low is not None
    assert found.low == pytest.approx(expected.low, abs=0.05 * np.ptp(gaps))
    assert found.df == len(gaps) - 1


def test_one_unit_gives_no_interval() -> None:
    assert over_units(0.3, np.full(100, 0.3), 1, 0.95).low is None


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=2, max_size=40))
def test_interquartile_mean_is_the_trimmed_mean(values: list[float]) -> None:
    assert interquartile_mean(np.array(values)) == pytest.approx(stats.trim_mean(values, 0.25))


def test_trimmed_means_of_resamples() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat([0, 1, 2], [4, 2, 7])
    scores, drawn = rng.normal(size=13), unit_draws(3, 50)
    found = trimmed_means(scores, unit, drawn)
    for row, value in zip(drawn, found, strict=True):
        assert value == pytest.approx(stats.trim_mean(np.concatenate([scores[unit == u] for u in row]), 0.25))


@settings(deadline=None, max_examples=40)
@given(SCORES, SCORES)
def test_improvement_is_mann_and_whitneys(a: list[float], b: list[float]) -> None:
    x, y = np.round(a, 1), np.round(b, 1)
    u = stats.mannwhitneyu(x, y, method="asymptotic").statistic
    assert improvement(x, y) == pytest.approx(u / (len(x) * len(y)))


def test_the_mean_of_independent_differences() -> None:
    part = Spread(examples=0.04, shared=0.02, df=100, seeds=((0.02, 1.0), (0.01, 2.0)))
    mean = mean_spread([part, part])
    assert mean.variance == pytest.approx(part.variance / 2)
    assert mean.freedom == pytest.approx(2 * part.freedom)


def test_agreement_everywhere_is_not_certainty() -> None:
    assert 0 < paired_proportions(0, 0, 1000) < paired_proportions(5, 5, 1000)
    assert paired_proportions(300, 250, 1000) == pytest.approx(np.sqrt((0.55 - 0.05**2) / 1000), rel=0.01)


def test_ranks_share_ties() -> None:
    assert ranks(np.array([[0.5, 0.9, 0.5]])).tolist() == [[2.5, 1.0, 2.5]]
