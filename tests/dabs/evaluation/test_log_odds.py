"""Intervals on the scale of log odds stay within bounds, and can be undone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dabs.evaluation.log_odds import error_of_interval, log_odds_interval, t_quantile

BOUNDS = st.sampled_from([(0.0, 1.0), (-1.0, 1.0)])


@given(st.floats(0.02, 0.98), st.floats(0.001, 0.2), st.floats(1.5, 5000), BOUNDS)
def test_the_error_of_an_interval_is_the_one_that_it_was_made_from(share, error, df, bounds):
    score = bounds[0] + share * (bounds[1] - bounds[0])
    low, high = log_odds_interval(score, error, df, 0.95, bounds)
    assert bounds[0] <= low <= score <= high <= bounds[1]
    if bounds[0] < low and high < bounds[1] - 1e-9:
        assert error_of_interval(score, (low, high), df, 0.95, bounds) == pytest.approx(error, rel=1e-3)


def test_a_small_error_gives_students_interval():
    low, high = log_odds_interval(0.6, 0.001, 19, 0.95, (0.0, 1.0))
    half = stats.t.ppf(0.975, 19) * 0.001
    assert (low, high) == pytest.approx((0.6 - half, 0.6 + half), abs=1e-5)


def test_an_interval_of_another_method_has_roughly_its_error():
    half = stats.norm.ppf(0.975) * 0.02
    assert error_of_interval(0.7, (0.7 - half, 0.7 + half), 1e9, 0.95, (0.0, 1.0)) == pytest.approx(0.02, rel=0.02)
    assert error_of_interval(0.99, (0.97, 1.0), 1e9, 0.95, (0.0, 1.0)) == pytest.approx(0.02 / 1.96, rel=0.01)


def test_infinite_degrees_of_freedom_are_the_normal_distribution():
    assert t_quantile(float("inf"), 0.95) == pytest.approx(stats.norm.ppf(0.975))
