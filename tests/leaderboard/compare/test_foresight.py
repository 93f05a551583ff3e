"""Whether one budget's order tells another's: which pairs count, and tau with its interval."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from dabs.leaderboard.compare.foresight import PairOrder, foresight_of, pair_orders
from dabs.leaderboard.compare.model import Aggregate, Comparison, ContestantRecord, Estimate, Pair

FLAT = ("none", "raw")
VERDICTS = st.sampled_from(["win", "tie", "loss"])


def order(domain: str, small: str, large: str, a: str = "emix", b: str = "shed") -> PairOrder:
    return PairOrder(domain=domain, a=a, b=b, small=small, large=large)  # type: ignore[arg-type]


def comparison(scores: dict[str, dict[str, float]], p: float = 0.001, **p_of: float) -> Comparison:
    """A comparison whose domain means are `scores[row][domain]`; `p_of` is keyed by "a|b|domain"."""
    pairs = []
    for a, b in itertools.combinations(scores, 2):
        domains = [
            Aggregate(
                scope=domain,
                tasks=1,
                complete=True,
                wins=0,
                ties=1,
                losses=0,
                difference=Estimate(value=scores[a][domain] - scores[b][domain], p=p_of.get(f"{a}|{b}|{domain}", p)),
            )
            for domain in scores[a]
        ]
        pairs.append(Pair(a=a, b=b, tasks=(), domains=tuple(domains), overall=domains[0]))
    rows = [
        ContestantRecord(name=n, algorithm=n, algorithm_sha256="", source="", seeds=(7,), results=1) for n in scores
    ]
    return Comparison(
        suite="lite",
        protocol="linear",
        alpha=0.05,
        level=0.95,
        resamples=1000,
        contestants=tuple(rows),
        tasks={domain: ("task",) for found in scores.values() for domain in found},
        left_out={},
        pairs=tuple(pairs),
        ranks={},
        notes=(),
    )


def test_pairs_are_matched_without_their_budgets_and_rows_that_stay_equal_are_left_out():
    small = comparison({"shed": {"x": 3.0}, "none": {"x": 1.0}, "raw": {"x": 2.0}, "emix": {"x": 4.0}})
    large = comparison(
        {"raw": {"x": 2.0}, "emix+budget=10": {"x": 4.0}, "shed+budget=10": {"x": 5.0}, "none": {"x": 1.0}}
    )
    found = {(one.a, one.b): one for one in pair_orders(small, large, flat=FLAT)}
    assert set(found) == {("emix", "none"), ("emix", "raw"), ("emix", "shed"), ("none", "shed"), ("raw", "shed")}
    assert (found["emix", "shed"].small, found["emix", "shed"].large) == ("win", "loss")
    assert [names for names, one in found.items() if one.changed] == [("emix", "shed")]


def test_the_supervised_row_has_no_place_in_the_order():
    scores = {"shed": {"x": 3.0}, "supervised": {"x": 9.0}, "none": {"x": 1.0}}
    assert [(one.a, one.b) for one in pair_orders(comparison(scores), comparison(scores), flat=FLAT)] == [
        ("none", "shed")
    ]


def test_verdicts_are_corrected_over_the_pairs_of_a_domain():
    scores = {"a": {"x": 3.0}, "b": {"x": 2.0}, "c": {"x": 1.0}}
    small = comparison(scores, p=0.02)  # three pairs: 0.06 after Holm's correction
    large = comparison(scores, p=0.001)
    assert {one.small for one in pair_orders(small, large, flat=())} == {"tie"}
    assert {one.large for one in pair_orders(small, large, flat=())} == {"win"}


def test_a_domain_that_one_budget_lacks_is_left_out():
    small = comparison({"a": {"x": 1.0, "y": 1.0}, "b": {"x": 2.0, "y": 2.0}})
    large = comparison({"a": {"x": 1.0}, "b": {"x": 2.0}})
    assert [one.domain for one in pair_orders(small, large, flat=())] == ["x"]


def test_tau_of_one_domain_has_the_exact_interval_of_a_share():
    found = foresight_of([order("x", "win", "win", b=str(i)) for i in range(9)] + [order("x", "win", "loss")])
    assert (found.pairs, found.told_apart, found.changed) == (10, 10, 1)
    assert found.tau == pytest.approx(0.8)
    assert (found.low, found.high) == pytest.approx((2 * 0.55498 - 1, 2 * 0.99747 - 1), abs=1e-4)  # of 9 in 10


def test_the_interval_over_domains_draws_domains():
    steady = [order(f"d{i}", "win", "win", b=str(j)) for i in range(6) for j in range(5)]
    assert foresight_of(steady).low == foresight_of(steady).high == 1.0
    mixed = foresight_of(steady + [order("d6", "win", "loss", b=str(j)) for j in range(5)])
    assert mixed.tau == pytest.approx(1 - 2 * 5 / 35)
    assert mixed.low == pytest.approx(1 - 2 * 3 / 7)  # three of seven draws are d6 in 2.5 % of the resamples
    assert mixed.high == 1.0


def test_without_a_pair_that_is_told_apart_there_is_no_tau():
    found = foresight_of([order("x", "tie", "win"), order("y", "loss", "tie")])
    assert (found.pairs, found.told_apart, found.tau, found.low, found.high) == (2, 0, None, None, None)


@given(st.lists(st.tuples(st.sampled_from("xyz"), VERDICTS, VERDICTS), max_size=30))
def test_invariants(cells):
    pairs = [order(*cell, b=str(i)) for i, cell in enumerate(cells)]
    found = foresight_of(pairs)
    turned = foresight_of(order(p.domain, p.large, p.small, b=p.b) for p in pairs)
    assert found == turned, "the same in both directions"
    assert found.changed <= found.told_apart <= found.pairs == len(pairs)
    if found.tau is not None:
        assert -1 <= found.low <= found.tau <= found.high <= 1


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_where_all_pairs_are_told_apart_it_is_kendalls_tau(first, second):
    rows = "abcdef"
    small, large = (
        comparison({row: {"x": float(score)} for row, score in zip(rows, scores, strict=True)}, p=1e-6)
        for scores in (first, second)
    )
    found = foresight_of(pair_orders(small, large, flat=()))
    assert found.tau == pytest.approx(kendalltau(first, second).statistic)
