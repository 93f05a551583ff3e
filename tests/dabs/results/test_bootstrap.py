"""Scores under resamples, against the metrics themselves and scipy's bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dabs.errors import DabsError
from dabs.evaluation.metrics import METRICS
from dabs.results.bootstrap import (
    SCORERS,
    covariance,
    draw_weights,
    effective_units,
    groups_to_draw,
    resample_scores,
    spread_correction,
)


def data(metric: str, n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions with ties, and labels."""
    rng = np.random.default_rng(seed)
    if metric == "auroc":
        label = (rng.random((n, 3)) < 0.3).astype(np.int8)
        return np.round(label + rng.normal(size=(n, 3)), 1), label
    if metric == "spearman":
        label = np.round(rng.normal(size=n)).astype(np.float32)
        return np.round(label + rng.normal(size=n), 1), label
    label = rng.integers(0, 2 if metric == "matthews" else 5, n)
    return np.where(rng.random(n) < 0.6, label, rng.integers(0, label.max() + 1, n)), label


@pytest.mark.parametrize("metric", sorted(SCORERS))
def test_a_weight_repeats_an_example(metric: str) -> None:
    prediction, label = data(metric)
    block = next(draw_weights(len(label), 20, seed=3))
    for r, score in enumerate(SCORERS[metric](prediction, label)(block)):
        index = np.repeat(np.arange(len(label)), block[:, r].astype(int))
        assert score == pytest.approx(METRICS[metric].score(prediction[index], label[index]), abs=2e-6)


@pytest.mark.parametrize("metric", ["matthews", "spearman"])
def test_a_constant_prediction_scores_zero(metric: str) -> None:
    _, label = data(metric)
    ones = np.ones((len(label), 1), dtype=np.float32)
    assert SCORERS[metric](np.zeros(len(label), dtype=label.dtype), label)(ones)[0] == 0


def test_the_paired_standard_error_is_scipys() -> None:
    label = data("accuracy", 400)[1]
    both = [data("accuracy", 400, seed)[0] for seed in (0, 0)]
    both[1] = np.where(np.random.default_rng(5).random(400) < 0.3, label, both[0])
    draws = resample_scores("accuracy", both, label, resamples=4000, seed=1)
    cov = covariance(draws)
    gap = (both[0] == label).astype(float) - (both[1] == label)
    expected = stats.bootstrap((gap,), np.mean, n_resamples=4000, rng=np.random.default_rng(0)).standard_error
    assert np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]) == pytest.approx(expected, rel=0.06)


def test_a_model_differs_in_no_resample_from_itself() -> None:
    prediction, label = data("spearman")
    draws = resample_scores("spearman", [prediction, prediction], label, resamples=200, seed=1)
    assert np.array_equal(draws[:, 0], draws[:, 1])


def test_resamples_do_not_depend_on_the_other_models() -> None:
    (first, label), (second, _) = data("matthews"), data("matthews", seed=4)
    alone = resample_scores("matthews", [first], label, resamples=150, seed=9)
    together = resample_scores("matthews", [second, first], label, resamples=150, seed=9)
    assert np.array_equal(alone[:, 0], together[:, 1])


def test_groups_are_drawn_whole_and_give_the_variance_of_group_means() -> None:
    group = np.repeat(np.arange(40), 25)
    label = np.ones(1000, dtype=np.int64)
    prediction = (np.random.default_rng(2).random(40) < 0.5).astype(np.int64)[group]
    block = next(draw_weights(1000, 10, 0, group))
    assert all(len(np.unique(block[group == g, r])) == 1 for g in range(40) for r in range(10))
    variances = [
        covariance(resample_scores("accuracy", [prediction], label, resamples=4000, seed=0, group_n=g))[0, 0]
        for g in (None, group)
    ]
    assert variances[1] == pytest.approx(np.var(prediction[::25], ddof=1) / 40, rel=0.1)
    assert variances[1] / variances[0] == pytest.approx(25, rel=0.15)


def test_single_examples_are_drawn_where_groups_say_nothing() -> None:
    assert groups_to_draw(np.arange(5)) is None
    assert groups_to_draw(np.zeros(5, dtype=int)) is None
    group = np.array([0, 1, 1, 2])
    assert groups_to_draw(group) is group


def test_unequal_groups_say_less_than_equal_ones() -> None:
    assert effective_units(7, None) == 7
    assert effective_units(12, np.repeat(np.arange(4), 3)) == pytest.approx(4)
    assert effective_units(4, np.array([0, 0, 0, 1])) == pytest.approx(16 / 10)
    assert spread_correction(4) == pytest.approx(np.sqrt(4 / 3))


@pytest.mark.parametrize("metric", sorted(SCORERS))
def test_float64_and_float32_agree(metric: str) -> None:
    prediction, label = data(metric)
    group = np.arange(150) // 5
    both = [
        resample_scores(metric, [prediction], label, resamples=100, seed=1, group_n=group, kind=kind)
        for kind in (np.float32, np.float64)
    ]
    assert both[1].dtype == np.float64
    assert both[0] == pytest.approx(both[1], abs=1e-5)


def test_a_finding_that_no_resample_has_is_refused() -> None:
    label = np.zeros((3, 1), dtype=np.int8)
    draws = resample_scores("auroc", [np.zeros((3, 1))], label, resamples=100, seed=0)
    assert np.isnan(draws).all()
    with pytest.raises(DabsError, match="too small"):
        covariance(draws)
