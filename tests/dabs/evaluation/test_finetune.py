"""Fine-tuning starts from the linear probe and cannot fall below it on validation; supervised training learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dabs.config import FIRST_SEED, PretrainConfig
from dabs.data.prepared import open_prepared
from dabs.data.split import Split
from dabs.encoder import PRESETS, Encoder
from dabs.errors import RequestError
from dabs.evaluation import finetune as module
from dabs.evaluation.evaluate import EncoderViews, TaskReader, finetune_from_probe
from dabs.evaluation.features import pooled_features
from dabs.evaluation.finetune import WHOLE_EPOCHS, FineTuneModel, Recipe, finetune, predict, recipe_of, train_on_labels
from dabs.evaluation.metrics import metric_of
from dabs.evaluation.probes import Features, linear_probe, probe_head
from dabs.evaluation.supervised import own_predictions, train_supervised
from dabs.registry import find_domain
from dabs.training.pretrain import with_budget

TASKS = ["shade", "findings", "length"]
SPLITS = ("train", "validation", "test")
SHORT = Recipe(learning_rates=(1e-3,), max_steps=8)


def encoder_of(toy, depth: int = 1) -> Encoder:
    torch.manual_seed(0)
    return Encoder(replace(PRESETS["small"], depth=depth), toy.specs, open_prepared(toy).standardisation()).eval()


def features_of(encoder, data) -> Features:
    found = {name: pooled_features(encoder, Split(data, name, labels=False)) for name in SPLITS}
    return Features(features=found, labels={name: data.labels(name) for name in SPLITS})


@pytest.mark.parametrize("name", TASKS)
def test_fine_tuning_is_never_below_the_probe_on_validation(toy, name):
    encoder, data, task = encoder_of(toy), open_prepared(toy, name), toy.task(name)
    features = features_of(encoder, data)
    probe = linear_probe(features, task)
    head = probe_head(features, task, probe.selected["C"])
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    found = finetune(encoder, data, task, 0, SHORT, head)
    assert found.validation_score >= probe.validation_score - 1e-6
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())


@pytest.mark.parametrize("name", TASKS)
def test_without_training_it_predicts_what_the_probe_predicts(toy, name):
    encoder, data, task = encoder_of(toy), open_prepared(toy, name), toy.task(name)
    features = features_of(encoder, data)
    weight, bias = probe_head(features, task, 1.0)
    found = finetune(encoder, data, task, 0, replace(SHORT, learning_rates=()), (weight, bias))
    out = features.features["test"] @ weight.T + bias
    expected = {"shade": lambda: out.argmax(axis=1), "findings": lambda: out, "length": lambda: out[:, 0]}[name]()
    np.testing.assert_allclose(found.prediction, expected, atol=2e-3)
    assert found.selected == {"lr": 0.0}


def test_a_rate_that_ruins_the_model_is_not_chosen(toy):
    encoder, data, task = encoder_of(toy), open_prepared(toy, "shade"), toy.task("shade")
    features = features_of(encoder, data)
    head = probe_head(features, task, linear_probe(features, task).selected["C"])
    start = finetune(encoder, data, task, 0, replace(SHORT, learning_rates=()), head)
    found = finetune(encoder, data, task, 0, replace(SHORT, learning_rates=(100.0,)), head)
    assert found.validation_score >= start.validation_score
    if found.selected == {"lr": 0.0}:
        assert (found.prediction == start.prediction).all()


def test_each_model_is_scored_at_every_quarter_of_its_steps(toy, monkeypatch):
    encoder, data, task = encoder_of(toy), open_prepared(toy, "shade"), toy.task("shade")
    offered = []
    offer = module._Search.offer
    monkeypatch.setattr(module._Search, "offer", lambda s, model, rate: offered.append(rate) or offer(s, model, rate))
    head = probe_head(features_of(encoder, data), task, 1.0)
    for steps, expected in ((8, 4), (7, 4), (3, 3), (1, 1)):
        offered.clear()
        finetune(encoder, data, task, 0, replace(SHORT, max_steps=steps, learning_rates=(1e-3, 1e-2)), head)
        assert offered == [0.0] + [1e-3] * expected + [1e-2] * expected


def test_the_grid_fine_tunes_from_the_strength_that_the_probe_chose(toy, monkeypatch):
    encoder, data, task = encoder_of(toy), open_prepared(toy, "length"), toy.task("length")
    seen = []
    monkeypatch.setattr("dabs.evaluation.evaluate.finetune", lambda *a: seen.append(a) or "result")
    views = EncoderViews(encoder, "fp32", ("finetune",))
    reader = TaskReader(data, task, views, None)
    config = PretrainConfig(algorithm="none", domain="toy", precision="fp32")
    assert finetune_from_probe(reader, views, config) == "result"
    (_, _, _, seed, recipe, (weight, bias), precision) = seen[0]
    expected = probe_head(reader.features("pooled"), task, linear_probe(reader.features("pooled"), task).selected["C"])
    np.testing.assert_array_equal(weight, expected[0])
    np.testing.assert_array_equal(bias, expected[1])
    assert (seed, recipe, precision) == (FIRST_SEED, recipe_of("lite"), "fp32")


def test_the_paper_suites_train_for_whole_epochs(toy, monkeypatch):
    assert recipe_of("open") == recipe_of("paper") == recipe_of("paper32") == WHOLE_EPOCHS
    assert recipe_of("lite").max_steps == 100
    encoder, data, task = encoder_of(toy), open_prepared(toy, "shade"), toy.task("shade")
    taken = []
    monkeypatch.setattr(module, "train_on_labels", lambda *a, steps, **more: taken.append((steps, more["batch_size"])))
    head = probe_head(features_of(encoder, data), task, 1.0)
    finetune(encoder, data, task, 0, replace(WHOLE_EPOCHS, batch_size=16), head)
    assert taken == [(10 * (90 // 16), 16)] * 3
    assert WHOLE_EPOCHS.epochs * (1_000_000 // WHOLE_EPOCHS.batch_size) < WHOLE_EPOCHS.max_steps


def test_training_on_labels_learns_and_follows_the_seed(toy):
    data, task = open_prepared(toy, "shade"), toy.task("shade")
    train = Split(data, "train", labels=True)
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        model = FineTuneModel(encoder_of(toy), 3)
        settings = {"batch_size": 16, "rate": 3e-3, "weight_decay": 0.0, "clip_norm": 1.0}
        train_on_labels(model, train, task.target, seed=seed, steps=40, **settings)
        found.append(predict(model, Split(data, "test", labels=False), task.target))
        weight = model.head.weight.detach().clone()
        found[-1] = (found[-1], weight)
    assert (found[0][0] == data.labels("test")).mean() > 0.9
    assert torch.equal(found[0][1], found[1][1])
    assert not torch.equal(found[0][1], found[2][1])


@pytest.fixture
def config(toy):
    asked = PretrainConfig(algorithm="supervised", domain="toy", steps=60, precision="fp32")
    return with_budget(asked, find_domain("toy"))


def test_supervised_gets_the_standard_budget_of_the_domain(toy):
    found = with_budget(PretrainConfig(algorithm="supervised", domain="toy"), toy)
    assert (found.encoder, found.steps, found.batch_size, found.lr, found.beta2) == ("small", 30, 16, 3e-3, 0.95)
    assert found.precision in ("fp32", "bf16")
    with pytest.raises(RequestError, match="beta2"):
        PretrainConfig(algorithm="supervised", domain="toy", beta2=1.0)


def test_supervised_learns_a_task_and_repeats(toy, config):
    data, task = open_prepared(toy, "shade"), toy.task("shade")
    first, second = (train_supervised(data, task, config) for _ in range(2))
    other = train_supervised(data, task, replace(config, seed=1))
    assert first.weights_sha256 == second.weights_sha256 != other.weights_sha256
    assert first.effective_rank == second.effective_rank > 0
    own = own_predictions(first, data, task)
    assert (own.prediction == data.labels("test")).mean() > 0.9
    expected = predict(first.model, Split(data, "validation", labels=False), task.target)
    assert own.validation_score == metric_of("accuracy").score(expected, data.labels("validation"))
    assert linear_probe(features_of(first.encoder, data), task).validation_score > 0.9


def test_supervised_starts_from_the_weights_of_every_algorithm(toy, config, tmp_path):
    """With one seed, the untrained supervised encoder is that of the row none."""
    from dabs.training.checkpoint import load_encoder
    from dabs.training.pretrain import pretrain

    run = pretrain(PretrainConfig(algorithm="none", domain="toy"), tmp_path / "run", logger="none")
    expected = load_encoder(run / "encoder").state_dict()
    trained = train_supervised(open_prepared(toy, "shade"), toy.task("shade"), replace(config, lr=1e-12, steps=1))
    found = trained.encoder.state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name].cpu(), value, atol=1e-6, rtol=0)
