"""The statistics of a comparison, against scipy and their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dabs.leaderboard.compare.model import Estimate
from dabs.leaderboard.compare.statistics import (
    add_variance,
    draw_units,
    estimate_over_units,
    estimate_with,
    holm_correction,
    interquartile_mean,
    mcnemar_p,
    paired_proportions_error,
    probability_of_improvement,
    rank_algorithms,
    resampled_interquartile_means,
    student_estimate,
    variance_of_difference,
)
from dabs.leaderboard.tables.variance import ScoreVariance, shrink_variances, variance_of_mean

COUNTS = st.integers(0, 300)
SCORES = st.lists(st.floats(-1, 1, allow_nan=False), min_size=2, max_size=6)


@settings(deadline=None, max_examples=40)
@given(COUNTS, COUNTS)
def test_mcnemar_is_the_exact_binomial_test(only_a: int, only_b: int) -> None:
    expected = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert mcnemar_p(only_a, only_b) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_rejects_as_the_step_down_procedure_does(p_values: list[float]) -> None:
    corrected = holm_correction(p_values)
    for alpha in (0.01, 0.05, 0.2):
        rejected = set()
        for step, index in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[index] * (len(p_values) - step) >= alpha:
                break
            rejected.add(index)
        assert {i for i, p in enumerate(corrected) if p < alpha} == rejected


def test_holm_by_hand() -> None:
    assert holm_correction([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_orders_a_missing_p_last_and_leaves_it_missing() -> None:
    expected = [pytest.approx(0.03), None, pytest.approx(0.06)]
    assert holm_correction([0.01, None, 0.03]) == expected
    assert holm_correction([0.01, float("nan"), 0.03]) == expected
    assert holm_correction([None]) == [None]


def test_an_unknown_error_gives_neither_interval_nor_p() -> None:
    assert student_estimate(0.3, float("nan"), 10, 0.95) == Estimate(value=0.3)
    assert student_estimate(0.3, 0.1, 0, 0.95) == Estimate(value=0.3)


@settings(deadline=None, max_examples=40)
@given(SCORES, SCORES)
def test_with_seeds_alone_the_test_is_welchs(a: list[float], b: list[float]) -> None:
    """There is no noise from test examples, and nothing is shrunk."""
    x, y = np.round(a, 3), np.round(b, 3)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    seeds = tuple((float(np.var(side, ddof=1)), len(side) - 1.0) for side in (x, y))
    count = len(x) + len(y)
    variance = variance_of_difference(
        np.zeros((count, count)), (len(x), len(y)), (seeds[0], seeds[1]), (False, False), 1000
    )
    found, expected = estimate_with(x.mean() - y.mean(), variance, 0.95), stats.ttest_ind(x, y, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_with_one_seed_the_variance_is_that_of_the_examples() -> None:
    cov = np.array([[4.0, 1.0], [1.0, 9.0]])
    variance = variance_of_difference(cov, (1, 1), (None, None), (False, False), 99)
    assert (variance.total, variance.total_df, variance.seeds) == (4 + 9 - 2, 99, ())


def test_the_total_is_never_less_than_the_examples_part() -> None:
    """Seeds that agree by luck do not make the difference more certain than the examples allow."""
    cov = 0.01 * np.eye(4)
    variance = variance_of_difference(cov, (2, 2), ((0.0, 1.0), (0.0, 1.0)), (False, False), 99)
    assert variance.examples == pytest.approx(0.01)
    assert variance.total == pytest.approx(0.01)


def test_the_raw_input_has_no_seed_to_vary() -> None:
    variance = variance_of_difference(np.zeros((3, 3)), (1, 2), (None, (0.02, 1.0)), (True, False), 99)
    assert variance.seeds == ((0.01, 1.0),)


def test_shrinking_keeps_the_sum_and_adds_two_degrees() -> None:
    rows = shrink_variances([0.0, 1.0, 2.0], [1.0, 1.0, 1.0])
    assert [df for _, df in rows] == [3.0, 3.0, 3.0]
    assert [variance for variance, _ in rows] == pytest.approx([2 / 3, 1.0, 4 / 3])
    assert shrink_variances([0.5], [1.0]) == [(0.5, 1.0)]  # a single task has no other to borrow from


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=3, max_size=9))
def test_the_estimate_over_units_is_close_to_the_t_test(values: list[float]) -> None:
    gaps = np.round(values, 2)
    if np.ptp(gaps) == 0:
        return
    drawn = gaps[draw_units(len(gaps), 20_000)].mean(axis=1)
    found, expected = (
        estimate_over_units(gaps.mean(), drawn, len(gaps), 0.95),
        stats.ttest_1samp(gaps, 0).confidence_interval(),
    )
    assert found.low is not None
    assert found.low == pytest.approx(expected.low, abs=0.05 * np.ptp(gaps))
    assert found.df == len(gaps) - 1


def test_a_shared_variance_adds_to_that_between_units() -> None:
    """Two tasks have one degree of freedom, but a certain part makes the sum more certain than that (Satterthwaite)."""
    over_units = student_estimate(0.1, 0.02, 1, 0.95)
    shared = ScoreVariance(examples=0.0009, shared=0.0009, df=500)
    found = add_variance(over_units, shared, 0.95)
    assert found.error == pytest.approx(np.hypot(0.02, 0.03))
    assert found.df == pytest.approx((0.0004 + 0.0009) ** 2 / (0.0004**2 / 1 + 0.0009**2 / 500))
    none = add_variance(over_units, ScoreVariance(examples=0.0, shared=0.0, df=500), 0.95)
    assert (none.low, none.high) == pytest.approx((over_units.low, over_units.high))


def test_one_unit_gives_no_interval() -> None:
    assert estimate_over_units(0.3, np.full(100, 0.3), 1, 0.95).low is None


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1, 1, allow_nan=False), min_size=2, max_size=40))
def test_interquartile_mean_is_the_trimmed_mean(values: list[float]) -> None:
    assert interquartile_mean(np.array(values)) == pytest.approx(stats.trim_mean(values, 0.25))


def test_trimmed_means_of_resamples() -> None:
    rng = np.random.default_rng(0)
    unit = np.repeat([0, 1, 2], [4, 2, 7])
    scores, drawn = rng.normal(size=13), draw_units(3, 50)
    found = resampled_interquartile_means(scores, unit, drawn)
    for row, value in zip(drawn, found, strict=True):
        assert value == pytest.approx(stats.trim_mean(np.concatenate([scores[unit == u] for u in row]), 0.25))


@settings(deadline=None, max_examples=40)
@given(SCORES, SCORES)
def test_the_probability_of_improvement_is_mann_and_whitneys(a: list[float], b: list[float]) -> None:
    x, y = np.round(a, 1), np.round(b, 1)
    u = stats.mannwhitneyu(x, y, method="asymptotic").statistic
    assert probability_of_improvement(x, y) == pytest.approx(u / (len(x) * len(y)))


def test_the_mean_of_independent_differences() -> None:
    part = ScoreVariance(examples=0.04, shared=0.02, df=100, seeds=((0.02, 1.0), (0.01, 2.0)))
    mean = variance_of_mean([part, part])
    assert mean.total == pytest.approx(part.total / 2)
    assert mean.total_df == pytest.approx(2 * part.total_df)


def test_agreement_everywhere_is_not_certainty() -> None:
    assert 0 < paired_proportions_error(0, 0, 1000) < paired_proportions_error(5, 5, 1000)
    assert paired_proportions_error(300, 250, 1000) == pytest.approx(np.sqrt((0.55 - 0.05**2) / 1000), rel=0.01)


def test_ranks_share_ties() -> None:
    assert rank_algorithms(np.array([[0.5, 0.9, 0.5]])).tolist() == [[2.5, 1.0, 2.5]]
