"""Probes find what is in the features, whatever linear map it went through, and choose on validation alone."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dabs.data.domain import Classes, MultiLabel, Scalar, Task
from dabs.errors import DabsError
from dabs.evaluation import probes
from dabs.evaluation.metrics import metric_of
from dabs.evaluation.probes import (
    STRENGTHS,
    WHITENING_RIDGE,
    Features,
    Whitening,
    linear_probe,
    nearest_neighbours,
    probe_head,
)

SIZES = {"train": 300, "validation": 100, "test": 200}


def task(target, metric: str) -> Task:
    return Task(name="t", question="?", target=target, metric=metric, split_by="row")


def made_features(label_of, width: int = 8) -> Features:
    generator = np.random.default_rng(0)
    features = {k: generator.normal(size=(n, width)).astype(np.float32) for k, n in SIZES.items()}
    return Features(features=features, labels={k: label_of(x) for k, x in features.items()})


CASES = {
    "two classes": (Classes(names=("a", "b")), "accuracy", lambda x: (x[:, 0] > 0).astype(np.int64)),
    "three classes": (Classes(names=("a", "b", "c")), "accuracy", lambda x: x[:, :3].argmax(axis=1)),
    "findings": (MultiLabel(names=("a", "b")), "auroc", lambda x: (x[:, :2] > 0).astype(np.int8)),
    "scores": (Scalar(low=-4, high=4), "spearman", lambda x: x[:, 0] * 2),
    "matthews": (Classes(names=("a", "b")), "matthews", lambda x: (x[:, 0] > 0).astype(np.int64)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("probe", [linear_probe, nearest_neighbours])
def test_probes_find_a_linear_rule_and_find_nothing_in_noise(case, probe):
    target, metric, label_of = CASES[case]
    data = made_features(label_of)
    result = probe(data, task(target, metric))
    assert result.validation_score > (0.9 if probe is linear_probe else 0.5)
    generator = np.random.default_rng(1)
    noise = {k: x[generator.permutation(len(x))] for k, x in data.labels.items()}
    assert probe(Features(features=data.features, labels=noise), task(target, metric)).validation_score < 0.66


def test_the_probe_chooses_on_validation_and_never_uses_test_labels():
    target, metric, label_of = CASES["two classes"]
    data = made_features(label_of)
    first = linear_probe(data, task(target, metric))
    changed = Features(features=data.features, labels={**data.labels, "test": 1 - data.labels["test"]})
    second = linear_probe(changed, task(target, metric))
    assert first.selected == second.selected
    assert (first.prediction == second.prediction).all()


@given(st.integers(0, 1000), st.integers(2, 12), st.floats(-3, 3))
@settings(max_examples=40, deadline=None)
def test_whitened_features_have_mean_0_and_covariance_near_the_identity(seed, width, decades):
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(width, width)) * 10**decades
    x = generator.normal(size=(400, width)) @ mixing + 5
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))
    found = np.cov(Whitening.fit(x)(x).T, bias=True)
    np.testing.assert_allclose(Whitening.fit(x)(x).mean(axis=0), 0, atol=1e-6)
    # eigenvalues v become v / (v + ridge): those far above the ridge become 1
    expected = np.sort(values / (values + WHITENING_RIDGE * values.mean()))
    np.testing.assert_allclose(np.linalg.eigvalsh(found), expected, atol=1e-6)


def test_whitening_uses_the_training_split_alone_and_keeps_constants_at_zero():
    features = {k: np.full((4, 2), value, dtype=np.float32) for k, value in zip(SIZES, (1.0, 2.0, 3.0), strict=True)}
    features["train"][:2, 0] = -1
    out = Features(features=features, labels={}).whitened().features
    np.testing.assert_allclose(out["train"].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.abs(out["test"][0]).min(), 3 / np.sqrt(1 + WHITENING_RIDGE / 2), rtol=1e-6)
    constant = {k: np.ones((4, 2), np.float32) for k in SIZES}
    assert not Features(features=constant, labels={}).whitened().features["train"].any()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("probe", [linear_probe, nearest_neighbours])
def test_an_invertible_map_of_the_features_changes_nothing_but_the_ridges_part(case, probe):
    target, metric, label_of = CASES[case]
    data, one = made_features(label_of), task(target, metric)
    generator = np.random.default_rng(2)
    mixing = np.linalg.qr(generator.normal(size=(8, 8)))[0] * np.geomspace(0.5, 2, 8)
    offset = generator.normal(size=8)
    moved = {k: (x @ mixing + offset).astype(np.float32) for k, x in data.features.items()}
    first, second = probe(data, one), probe(Features(features=moved, labels=data.labels), one)
    score, label = metric_of(metric).score, data.labels["test"]
    assert score(second.prediction, label) == pytest.approx(score(first.prediction, label), abs=0.02)
    # a feature that is 30 times larger than the others does not drown them
    grown = {k: x * np.array([1] * 7 + [30], np.float32) for k, x in data.features.items()}
    third = probe(Features(features=grown, labels=data.labels), one)
    assert score(third.prediction, label) > score(first.prediction, label) - 0.05


def test_a_fit_that_does_not_converge_is_an_error(monkeypatch):
    monkeypatch.setattr(probes, "MAX_ITERATIONS", 1)
    target, metric, label_of = CASES["three classes"]
    with pytest.raises(DabsError, match="did not converge in 1 iterations at C = "):
        linear_probe(made_features(label_of), task(target, metric))


def test_every_fit_converges_without_warnings():
    for target, metric, label_of in CASES.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            linear_probe(made_features(label_of), task(target, metric))


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([0.5] * 15, 7),  # no strength is better: the middle of the grid
        ([0.1, 0.2, 0.9, 0.8995, 0.9, 0.3, 0.3], 3),  # three are equal within the tolerance: the middle one
        ([0.1, 0.2, 0.9, 0.897, 0.3, 0.3, 0.3], 2),
        ([0.1, 0.9, 0.9, 0.3, 0.3, 0.3, 0.3], 1),  # of two the stronger regularisation
        ([0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0], 0),  # the sweep gave up before the last
        ([0.9, 0.1, 0.1, 0.895, 0.1, 0.1, 1.0] + [0.2] * 8, 6),  # it did not give up
    ],
)
def test_equal_strengths_are_settled_by_the_middle_and_the_sweep_gives_up(monkeypatch, scores, chosen):
    monkeypatch.setattr(probes, "_fit_each_strength", lambda x, y, target: zip(STRENGTHS, scores, strict=False))
    monkeypatch.setattr(probes, "_predict", lambda model, x, target: model)
    monkeypatch.setattr(probes, "metric_of", lambda name: type("Metric", (), {"score": lambda a, b: a}))
    data = Features(features=dict.fromkeys(SIZES), labels=dict.fromkeys(SIZES))
    strength, value = probes._choose_strength(data, task(*CASES["two classes"][:2]))
    assert (strength, value) == (STRENGTHS[chosen], scores[chosen])


def test_the_strengths_are_half_decades():
    assert (STRENGTHS[0], STRENGTHS[-1], len(STRENGTHS)) == (1e-5, 100.0, 15)
    assert np.log10(STRENGTHS) == pytest.approx(np.arange(-10, 5) / 2, abs=1e-3)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_the_head_predicts_what_the_probe_predicts(case, strength):
    target, metric, label_of = CASES[case]
    data = made_features(label_of)
    data = Features(features={k: 3 * x + 1 for k, x in data.features.items()}, labels=data.labels)
    weight, bias = probe_head(data, task(target, metric), strength)
    assert weight.shape == (len(target), 8)
    white = data.whitened()
    model = probes._fit(white.features["train"], white.labels["train"], target, strength)
    expected, out = probes._predict(model, white.features["test"], target), data.features["test"] @ weight.T + bias
    if isinstance(target, Classes):
        assert (out.argmax(axis=1) == expected).all()
        probabilities = np.exp(out) / np.exp(out).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities, model[0].predict_proba(white.features["test"]), atol=1e-6)
    elif isinstance(target, Scalar):
        np.testing.assert_allclose(out[:, 0] * (target.high - target.low) + target.low, expected, atol=1e-6)
    else:
        np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("present", [(0, 2), (0, 2, 3)])
def test_a_class_without_examples_is_never_predicted_by_the_head(present):
    data = made_features(lambda x: np.array(present)[x[:, : len(present)].argmax(axis=1)])
    one = task(Classes(names=("a", "b", "c", "d")), "accuracy")
    weight, bias = probe_head(data, one, 1.0)
    out = (data.features["test"] @ weight.T + bias).argmax(axis=1)
    assert set(out.tolist()) == set(present)
    assert (out == data.labels["test"]).mean() > 0.9
