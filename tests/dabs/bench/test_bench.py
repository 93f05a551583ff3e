"""What `dabs bench` measures, at sizes where the result is known."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from dabs.algorithms.shed import ShED
from dabs.bench.reading import feature_seconds, mapped_inputs, read_seconds, reading_rates
from dabs.bench.step import TrainingStep, limits_of
from dabs.bench.synthetic import synthetic_domain, synthetic_features
from dabs.bench.timing import Times, step_flops
from dabs.check.mock import KINDS, TINY
from dabs.data.prepare import verify
from dabs.evaluation.metrics import metric_of
from dabs.evaluation.probes import linear_probe


@pytest.mark.parametrize("name", KINDS)
def test_a_step_trains_and_its_flops_are_those_of_its_passes(name):
    step = TrainingStep(KINDS[name], ShED, TINY, 6)
    before = [p.detach().clone() for p in step.objective.parameters()]
    step()
    assert any(not torch.equal(a, b) for a, b in zip(before, step.objective.parameters(), strict=True))
    assert all(p.grad is None for p in step.objective.parameters())
    assert step.flops() == pytest.approx(step_flops(step.objective.encoder, 6), rel=0.1)
    assert step.memory() > 0


def test_a_compiled_step_equals_the_plain_one(monkeypatch):
    called = []
    compiled = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda self, mode, backend: called.append(mode) or compiled(self, backend="eager")
    )
    sides = [TrainingStep(KINDS["image"], ShED, replace(TINY, dropout=0.0), 4, mode=mode) for mode in (None, "default")]
    for side in sides:
        torch.manual_seed(0)
        side()
    for plain, other in zip(*(side.objective.parameters() for side in sides), strict=True):
        torch.testing.assert_close(plain, other)
    assert called == ["default"] * TINY.depth


def test_a_step_in_bf16_trains():
    step = TrainingStep(KINDS["image"], ShED, TINY, 4, precision="bf16")
    first = step.loss(step.batch).item()
    for _ in range(40):
        step()
    assert step.loss(step.batch).item() < first


def test_what_a_step_is_limited_by_follows_from_its_times():
    # 2 s and 0.5 s per example: of the 10 s for sixteen examples, a fifth is fixed
    whole, part = Times(seconds=(10.0,)), Times(seconds=(4.0,))
    found = limits_of(whole, part, (16, 4), flops=24, peak=8.0, reading=0.0)
    assert found.fixed == pytest.approx(0.2)
    assert found.share_of_peak == pytest.approx(0.3)
    assert "memory traffic" in found.limit
    assert limits_of(whole, part, (16, 4), 60, 8.0, 0.0).limit == "arithmetic"
    assert limits_of(whole, part, (16, 4), 60, 8.0, 5.0).limit == "reading data"
    assert "larger batch" in limits_of(whole, Times(seconds=(9.0,)), (16, 4), 60, 8.0, 0.0).limit


def test_a_synthetic_domain_is_complete_and_restores_the_data_home(monkeypatch):
    monkeypatch.setenv("DABS_HOME", "somewhere")
    with synthetic_domain(KINDS["image_tokens"], 20) as domain:
        assert verify(domain) == []
        (image, ids) = mapped_inputs(domain)
        assert image.rows(np.array([19])).dtype == torch.uint8
        assert ids.rows(np.array([0, 19])).shape == (2, 12)
        assert read_seconds(domain, 8, "cpu") > 0
        size, stored, floats = reading_rates(domain, 1, size=16)
    assert size == 16 * 16 * 3 + 12 * 4
    assert stored > floats / 2
    assert os.environ["DABS_HOME"] == "somewhere"


def test_synthetic_classes_can_be_told_apart_in_part():
    data, task = synthetic_features(600, 32, 4)
    score = metric_of("accuracy").score(linear_probe(data, task).prediction, data.labels["test"])
    assert 0.35 < score < 1.0


def test_features_are_timed_against_a_bare_pass():
    times = feature_seconds(KINDS["tokens"], TINY, 64, 2, sizes=(32, 64))
    assert set(times) == {"features", "bare"}
    assert all(side.median > 0 for side in times.values())
