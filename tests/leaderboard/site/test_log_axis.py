"""Logarithmic axes: places, round ticks, and labels that keep apart."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.leaderboard.site.log_axis import PAD, log_axis, plain_number, power_of_ten, spread_labels

COSTS = st.lists(st.floats(1e-3, 1e22), min_size=1, max_size=20)


def test_equal_factors_are_equally_far_apart() -> None:
    axis = log_axis([1.0, 100.0], 0.0, 100.0, 10.0)
    assert (axis.low, axis.high) == (1 / PAD, 100 * PAD)
    assert axis.place(10.0) == pytest.approx(50.0)
    assert axis.place(100.0) - axis.place(10.0) == pytest.approx(axis.place(10.0) - axis.place(1.0), abs=0.02)
    assert axis.place(3.0) == pytest.approx(100 * math.log10(3 * PAD) / math.log10(100 * PAD**2), abs=0.01)


def test_ticks_are_round_numbers_few_or_many_decades_apart() -> None:
    assert log_axis([20, 700], 0, 200, 30).ticks == (30.0, 100.0, 300.0)
    assert log_axis([1, 1e4], 0, 200, 30).ticks == (1.0, 10.0, 100.0, 1000.0, 10000.0)
    assert log_axis([50, 50], 0, 200, 30).ticks == (40.0, 50.0, 60.0)
    assert log_axis([0.25, 10], 0, 200, 30, (0.25, 1.0, 4.0, 10.0)).ticks == (0.25, 1.0, 4.0, 10.0)


@given(costs=COSTS, apart=st.floats(20, 60))
def test_an_axis_covers_its_values_and_its_labels_keep_apart(costs: list[float], apart: float) -> None:
    axis = log_axis(costs, 30, 230, apart)
    assert all(30 < axis.place(cost) < 230 for cost in costs)
    places = [axis.place(tick) for tick in axis.ticks]
    assert all(30 <= place <= 230 for place in places)
    assert all(b - a >= apart for a, b in itertools.pairwise(places))


def test_ticks_in_words() -> None:
    assert [power_of_ten(value) for value in (1e15, 3e14, 1.5e6, 1000.0)] == ["10¹⁵", "3×10¹⁴", "1.5×10⁶", "10³"]
    assert [plain_number(value) for value in (0.5, 30.0, 2000.0)] == ["0.5", "30", "2,000"]


@given(wanted=st.lists(st.floats(-50, 250), min_size=1, max_size=12))
def test_labels_keep_apart_within_their_range_and_in_order(wanted: list[float]) -> None:
    places = spread_labels(wanted, 15, 0, 200)
    ordered = sorted(places)
    assert all(b - a >= 15 - 0.02 for a, b in itertools.pairwise(ordered))
    assert ordered[0] >= -0.01
    assert ordered[-1] <= 200
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert [places[i] for i in order] == ordered


def test_labels_that_have_room_stay_where_they_are_wanted() -> None:
    assert spread_labels([100.0, 20.0, 60.0], 15, 0, 200) == [100.0, 20.0, 60.0]
