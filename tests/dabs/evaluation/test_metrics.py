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
        interval = bootstrap_interval("accuracy", right, np.ones(300, dtype=int))
        hits += interval["low"] <= 0.7 <= interval["high"]
    assert 180 <= hits <= 199


@pytest.mark.parametrize("name", ["accuracy", "auroc", "spearman", "matthews"])
def test_interval_holds_the_score_and_repeats(name):
    generator = np.random.default_rng(1)
    label = generator.integers(0, 2, 200)
    prediction = np.where(generator.random(200) < 0.8, label, 1 - label)
    if name == "auroc":
        label, prediction = label[:, None], prediction[:, None] + generator.random((200, 1))
    interval = bootstrap_interval(name, prediction, label)
    assert interval["low"] < metric_of(name).score(prediction, label) < interval["high"]
    assert interval == bootstrap_interval(name, prediction, label)


def test_unknown_metric_suggests():
    with pytest.raises(RequestError, match="accuracy"):
        metric_of("acuracy")
