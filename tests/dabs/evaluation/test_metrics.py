"""Metrics agree with scikit-learn and scipy; intervals cover the truth in simulations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from dabs.errors import DabsError, RequestError
from dabs.evaluation.metrics import bootstrap_interval, chance, macro_auroc, matthews, metric_of, spearman


@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(2, 8))
@settings(max_examples=60, deadline=None)
def test_auroc_equals_scikit_learn_also_with_ties(seed, n, levels):
    generator = np.random.default_rng(seed)
    prediction = generator.integers(0, levels, (n, 3)) / levels
    label = generator.integers(0, 2, (n, 3)).astype(np.int8)
    label[0], label[1] = 0, 1
    expected = np.mean([roc_auc_score(label[:, j], prediction[:, j]) for j in range(3)])
    assert macro_auroc(prediction, label) == pytest.approx(expected)


def test_auroc_of_a_constant_finding_is_refused():
    with pytest.raises(DabsError, match="constant"):
        macro_auroc(np.zeros((4, 1)), np.zeros((4, 1), dtype=np.int8))


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_spearman_and_matthews_equal_the_libraries(seed):
    generator = np.random.default_rng(seed)
    a, b = generator.integers(0, 9, 40), generator.integers(0, 9, 40)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert matthews(a > 4, b > 4) == pytest.approx(matthews_corrcoef(b > 4, a > 4))


def test_a_constant_prediction_scores_zero_correlation():
    assert spearman(np.ones(5), np.arange(5)) == 0.0
    assert matthews(np.ones(6, int), np.array([0, 1, 0, 1, 0, 1])) == 0.0


def test_chance_is_the_best_constant_answer():
    assert chance("accuracy", np.array([2, 2, 1]), np.array([2, 1, 2, 2])) == 0.75
    assert chance("auroc", np.zeros(1), np.zeros(1)) == 0.5


def test_accuracy_interval_covers_the_truth_about_95_times_in_100():
    generator, hits = np.random.default_rng(0), 0
    for _ in range(200):
        right = (generator.random(300) < 0.7).astype(int)
        interval = bootstrap_interval("accuracy", right, np.ones(300, dtype=int), np.arange(300))
        hits += interval["low"] <= 0.7 <= interval["high"]
    assert 180 <= hits <= 199


def test_an_interval_over_groups_covers_where_one_over_examples_does_not():
    """20 photographs: half of them are easy, so the examples of one are right or wrong together."""
    generator, label, group = np.random.default_rng(0), np.ones(400, dtype=int), np.repeat(np.arange(20), 20)
    hits = {"groups": 0, "examples": 0}
    for _ in range(200):
        share = np.where(generator.random(20) < 0.5, 0.9, 0.5)[group]
        right = (generator.random(400) < share).astype(int)
        for numbers in (group, np.arange(400)):
            interval = bootstrap_interval("accuracy", right, label, numbers)
            hits[interval["resampled"]] += interval["low"] <= 0.7 <= interval["high"]
    assert 183 <= hits["groups"] <= 199
    assert hits["examples"] < 170


def test_an_interval_says_what_was_drawn():
    prediction, label = np.tile([1, 0, 1, 1, 0, 1], 5), np.ones(30, dtype=int)
    cases = {
        ("examples", 30): np.arange(30),
        ("groups", 10): np.arange(30) // 3,
        ("examples", 30, "one group"): np.zeros(30, dtype=int),
    }
    for expected, group in cases.items():
        interval = bootstrap_interval("accuracy", prediction, label, group)
        assert (interval["resampled"], interval["units"]) == expected[:2]
        assert interval["method"].endswith(
            "groups of test examples" if expected[0] == "groups" else "over test examples"
        )


def test_the_interval_of_an_accuracy_is_wilsons_for_many_examples():
    """The bootstrap's standard error is that of a proportion; on log odds the interval is close to the score's."""
    right = np.repeat([1, 0], [1800, 200])
    interval = bootstrap_interval("accuracy", right, np.ones(2000, dtype=int), np.arange(2000))
    expected = stats.binomtest(1800, 2000).proportion_ci(0.95, "wilson")
    assert (interval["low"], interval["high"]) == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_a_perfect_score_is_not_certain():
    interval = bootstrap_interval("accuracy", np.ones(50, dtype=int), np.ones(50, dtype=int), np.arange(50))
    expected = stats.binomtest(50, 50).proportion_ci(0.95)
    assert (interval["low"], interval["high"]) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("name", ["accuracy", "auroc", "spearman", "matthews"])
def test_interval_holds_the_score_and_repeats(name):
    generator = np.random.default_rng(1)
    label = generator.integers(0, 2, 200)
    prediction = np.where(generator.random(200) < 0.8, label, 1 - label)
    if name == "auroc":
        label, prediction = label[:, None], prediction[:, None] + generator.random((200, 1))
    for group in (np.arange(200), np.arange(200) // 8):
        interval = bootstrap_interval(name, prediction, label, group)
        assert interval["low"] < metric_of(name).score(prediction, label) < interval["high"]
        assert interval == bootstrap_interval(name, prediction, label, group)


def test_unknown_metric_suggests():
    with pytest.raises(RequestError, match="accuracy"):
        metric_of("acuracy")
