"""A run states the operations of its training."""

from __future__ import annotations

import pytest
import torch

from dabs.bench.timing import step_flops
from dabs.config import PretrainConfig
from dabs.data.domain import TRAIN
from dabs.data.prepared import open_prepared
from dabs.data.split import Split
from dabs.evaluation.evaluate import evaluate, evaluate_input, evaluate_supervised
from dabs.training.checkpoint import load_encoder
from dabs.training.operations import flops_of, flops_of_training
from dabs.training.pretrain import pretrain
from dabs.utils.strict_json import read_json


def flops_of_run(tmp_path, **changes):
    config = PretrainConfig(**{"domain": "toy", "algorithm": "shed", "seed": 0, "steps": 4, "batch_size": 16} | changes)
    folder = pretrain(config, tmp_path / str(len([*tmp_path.iterdir()])), logger="none")
    return folder, read_json(folder / "run.json")["flops"]


def test_products_are_counted():
    a, b = torch.randn(3, 4), torch.randn(4, 5)
    assert flops_of(lambda: a @ b) == 2 * 3 * 4 * 5


def test_they_grow_with_steps_and_batches_and_with_the_objective(toy, tmp_path):
    folder, shed = flops_of_run(tmp_path)
    assert flops_of_run(tmp_path, steps=8)[1] == 2 * shed
    assert flops_of_run(tmp_path, batch_size=32)[1] == pytest.approx(2 * shed, rel=0.01)
    assert 1.7 < flops_of_run(tmp_path, algorithm="emix")[1] / shed < 2.3
    assert flops_of_run(tmp_path, algorithm="none", steps=0)[1] == 0
    assert shed == pytest.approx(4 * step_flops(load_encoder(folder / "encoder"), 16), rel=0.25)
    (result, *_) = [item.result for item in evaluate(folder, protocols=("knn",))]
    assert result.pretraining.flops == shed


def test_an_objective_that_cannot_take_another_step_has_an_unknown_cost(toy, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("once only")

    monkeypatch.setattr("dabs.training.operations.flops_of_training", fail)
    assert flops_of_run(tmp_path)[1] == 0


def test_reference_rows_state_theirs(toy):
    config = PretrainConfig(algorithm="supervised", domain="toy", seed=0, steps=4, batch_size=16)
    (result, *_) = [item.result for item in evaluate_supervised(config, protocols=("knn",))]
    assert result.pretraining.flops > 0
    assert result.pretraining.flops % 4 == 0
    (raw, *_) = [item.result for item in evaluate_input("raw", toy, protocols=("knn",))]
    assert raw.pretraining.flops == 0


def test_a_few_examples_stand_for_the_batch(toy):
    split = Split(open_prepared(toy), TRAIN, labels=False)
    weight = torch.randn(3, 2, requires_grad=True)
    sizes = []

    def loss(batch):
        sizes.append(len(batch))
        return (torch.ones(len(batch), 3) @ weight).sum()

    each = 2 * 3 * 2 * 2  # forward, and the gradient of the weight
    assert flops_of_training(loss, split, 16, 5) == 5 * 16 * each
    assert flops_of_training(loss, split, 4, 5) == 5 * 4 * each
    assert sizes == [8, 4]
