"""Evaluation: results repeat and say where they come from, and damaged runs are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dabs.config import PretrainConfig
from dabs.data.prepared import open_prepared
from dabs.errors import DabsError, RequestError
from dabs.evaluation.build_result import protocol_config
from dabs.evaluation.evaluate import evaluate, evaluate_input, evaluate_supervised, write_results
from dabs.evaluation.metrics import bootstrap_interval, metric_of
from dabs.results.predictions import find_mismatch, read_npz
from dabs.training.pretrain import pretrain
from dabs.utils.files import sha256_file, write_json
from dabs.utils.strict_json import read_json
from tests.helpers.places import ROOT

TASKS = ["shade", "findings", "length"]


@pytest.fixture
def run(toy, tmp_path: Path) -> Path:
    return pretrain(PretrainConfig(algorithm="emix", domain="toy", steps=20), tmp_path / "run", logger="none")


@pytest.mark.parametrize("protocol", ["linear", "knn", "linear_tokens", "finetune"])
def test_a_run_gives_the_same_result_twice_apart_from_timings(run, protocol):
    tasks = ("length",) if protocol == "finetune" else ()  # takes long
    first, second = (list(evaluate(run, tasks, (protocol,))) for _ in range(2))
    assert [c.result.task for c in first] == list(tasks or TASKS)
    for a, b in zip(first, second, strict=True):
        assert a.result.model_copy(update={"timings": b.result.timings}) == b.result
        assert (a.predictions["prediction"] == b.predictions["prediction"]).all()


def test_a_result_records_its_protocol_and_whether_the_run_learned(run):
    for item in evaluate(run, ("shade",), ("linear", "linear_tokens", "finetune")):
        result = item.result
        assert result.evaluation.config == protocol_config(result.protocol, "lite")
        assert result.pretraining.learning.model_dump() == read_json(run / "run.json")["learning"]
        assert result.encoder.config["standardise"] is True
    assert protocol_config("linear", "lite") != protocol_config("linear_tokens", "lite")
    assert protocol_config("finetune", "lite") != protocol_config("finetune", "paper")


def test_the_order_of_protocols_changes_nothing(run):
    protocols = ("linear", "knn", "linear_tokens", "finetune")
    scores = [
        {item.result.protocol: item.result.score for item in evaluate(run, ("length",), order)}
        for order in (protocols, protocols[::-1])
    ]
    assert scores[0] == scores[1]


def test_finetuning_beats_chance_on_an_easy_task(run):
    (cell,) = evaluate(run, ("shade",), ("finetune",))
    assert cell.result.score > cell.result.metric.chance + 0.2


@pytest.mark.parametrize("name", ["raw", "summary"])
def test_inputs_are_probed_but_not_finetuned(toy, name):
    cells = list(evaluate_input(name, toy, (), ("linear", "knn", "linear_tokens", "finetune")))
    assert [c.result.protocol for c in cells] == ["linear", "knn", "linear_tokens"] * 3
    for cell in cells:
        result = cell.result
        assert (result.algorithm, result.seed, result.pretraining.steps) == (name, 0, 0)
        assert result.algorithm_sha256 == sha256_file(ROOT / "dabs" / "evaluation" / "raw_input.py")
        assert result.pretraining.learning.learned
    (linear,) = (c.result for c in cells if (c.result.task, c.result.protocol) == ("length", "linear"))
    assert linear.score > 0.9  # the number of tokens gives the length away


def test_results_of_supervised_encoders_say_where_they_come_from(toy):
    config = PretrainConfig(algorithm="supervised", domain="toy", seed=3, steps=8, precision="fp32")
    cells = list(evaluate_supervised(config, (), ("linear", "finetune")))
    assert [(c.result.task, c.result.protocol) for c in cells] == [
        (t, p) for t in TASKS for p in ("linear", "finetune")
    ]
    for cell in cells:
        result = cell.result
        assert (result.algorithm, result.seed, result.pretraining.steps) == ("supervised", 3, 8)
        assert result.algorithm_sha256 == sha256_file(ROOT / "dabs" / "evaluation" / "supervised.py")
        assert result.pretraining.examples_seen == 8 * 16
        assert result.pretraining.data_sha256 == open_prepared(toy, result.task).entry("train").sha256
        assert result.pretraining.learning.effective_rank > 0
    assert len({c.result.pretraining.weights_sha256 for c in cells}) == len(TASKS)


def test_evaluation_does_not_need_the_algorithms_file(toy, tmp_path):
    source = ROOT / "algorithms" / "shed.py"
    mine = tmp_path / "mine.py"
    mine.write_text(source.read_text())
    folder = pretrain(PretrainConfig(algorithm=f"{mine}:ShED", domain="toy", steps=4), tmp_path / "r", logger="none")
    mine.unlink()
    (cell,) = evaluate(folder, ("shade",), ("knn",))
    assert cell.result.algorithm == "ShED"


def test_damage_is_refused(run, toy):
    provenance = read_json(run / "run.json")
    write_json(run / "run.json", {**provenance, "data_sha256": "0" * 64})
    with pytest.raises(DabsError, match=r"not what .* was pretrained on"):
        list(evaluate(run))
    for learning in ({}, {**provenance["learning"], "learned": True, "reason": "it did not"}, {"learned": True}):
        write_json(run / "run.json", {**provenance, "learning": learning})
        with pytest.raises(DabsError, match="pretrain again"):
            list(evaluate(run))
    write_json(run / "run.json", provenance)
    path = run / "encoder" / "encoder.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DabsError, match="is not what the run wrote"):
        list(evaluate(run))


def test_an_incomplete_run_says_how_to_finish_it(run):
    (run / "run.json").unlink()
    with pytest.raises(DabsError, match="dabs pretrain --config"):
        list(evaluate(run))


def test_unknown_tasks_and_protocols_suggest(run):
    with pytest.raises(RequestError, match="Did you mean 'shade'"):
        list(evaluate(run, ("shades",)))
    with pytest.raises(RequestError, match="linear"):
        list(evaluate(run, (), ("liner",)))


def test_features_are_computed_once_for_equal_inputs(run, toy, monkeypatch):
    import dabs.evaluation.features as module

    calls = []
    pooled, both = module.pooled_features, module.both_features
    monkeypatch.setattr(module, "pooled_features", lambda e, s, p: calls.append(len(s)) or pooled(e, s, p))
    monkeypatch.setattr(module, "both_features", lambda *a: calls.append("both") or both(*a))
    monkeypatch.setattr(module.Split, "digest", lambda split: str(len(split)))  # as if all tasks had the same images
    assert len(list(evaluate(run, (), ("linear", "knn")))) == 6
    assert sorted(calls) == [40, 60, 90]
    calls.clear()
    assert len(list(evaluate(run, (), ("linear", "knn", "linear_tokens")))) == 9
    assert calls == ["both"]


def test_predictions_carry_clusters_in_the_smallest_types_and_give_the_score_again(run, toy, tmp_path, monkeypatch):
    groups = np.arange(60) // 3
    monkeypatch.setattr("dabs.data.prepared.Prepared.clusters", lambda self, split: groups)
    for path, item in write_results(run, evaluate(run, (), ("linear",))):
        result, arrays = item.result, read_npz(path.parent / item.result.predictions.file, "")
        kinds = {name: x.dtype for name, x in arrays.items()}
        expected = {"shade": ("u1", "u1"), "findings": ("f4", "i1"), "length": ("f4", "f4")}[result.task]
        assert kinds == {"prediction": expected[0], "label": expected[1], "group": "u1"}
        assert find_mismatch(result, arrays) == ""
        assert (arrays["group"] == groups).all()
        assert metric_of(result.metric.name).score(arrays["prediction"], arrays["label"]) == result.score
        again = bootstrap_interval(result.metric.name, *(arrays[name] for name in ("prediction", "label", "group")))
        assert again == result.interval.model_dump()
        assert (result.interval.resampled, result.interval.units) == ("groups", 20)


def test_fine_tuning_uses_the_precision_that_its_results_state(toy, tmp_path, monkeypatch):
    from dabs.evaluation.finetune import finetune

    asked = []

    def noted(encoder, data, task, seed, recipe, head, precision):
        asked.append(precision)
        return finetune(encoder, data, task, seed, replace(recipe, max_steps=4), head, precision)

    monkeypatch.setattr("dabs.evaluation.evaluate.finetune", noted)
    monkeypatch.setattr("dabs.training.precision.has_bf16", lambda: True)
    for precision in ("fp32", "bf16"):
        config = PretrainConfig(algorithm="none", domain="toy", precision=precision)
        run = pretrain(config, tmp_path / precision, logger="none")
        (found, *_) = evaluate(run, tasks=("shade",), protocols=("finetune",))
        assert found.result.environment.precision == precision
    assert asked == ["fp32", "bf16"]


def test_standardised_inputs_are_those_of_the_pretraining_data(toy, tmp_path):
    """The saved encoder holds the constants, so that evaluation scales inputs as pretraining did."""
    from dabs.training.checkpoint import load_encoder

    config = PretrainConfig(algorithm="none", domain="toy")
    encoder = load_encoder(pretrain(config, tmp_path / "run", logger="none") / "encoder")
    pixels = open_prepared(toy).columns("train")["input_0"] / 255
    assert encoder.get_buffer("mean_0").item() == pytest.approx(pixels.mean(), rel=1e-5)
    assert encoder.get_buffer("deviation_0").item() == pytest.approx(pixels.std(), rel=1e-5)
    (found,) = open_prepared(toy).standardisation()[:1]
    torch.testing.assert_close(encoder.get_buffer("mean_0").flatten(), torch.tensor(found.mean))
