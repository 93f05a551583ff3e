"""Evaluation: the readers find what is there, results repeat, and damaged runs are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dabs.config import PretrainConfig
from dabs.data.domain import Classes, MultiLabel, Scalar, Task
from dabs.data.prepared import open_prepared
from dabs.data.split import Split
from dabs.encoder import PRESETS, Encoder
from dabs.errors import DabsError, RequestError
from dabs.evaluation.evaluate import evaluate, evaluate_raw
from dabs.evaluation.features import features_of
from dabs.evaluation.finetune import finetune
from dabs.evaluation.probes import Features, linear_probe, nearest_neighbours
from dabs.training.pretrain import pretrain
from dabs.utils.files import write_json
from dabs.utils.strict_json import read_json
from tests.helpers.places import ROOT

SIZES = {"train": 300, "validation": 100, "test": 200}


@pytest.fixture
def run(toy, tmp_path: Path) -> Path:
    return pretrain(PretrainConfig(algorithm="emix", domain="toy", steps=20), tmp_path / "run", logger="none")


def task(target, metric: str) -> Task:
    return Task(name="t", question="?", target=target, metric=metric, split_by="row")


def cached(label_of) -> Features:
    generator = np.random.default_rng(0)
    features = {k: generator.normal(size=(n, 8)).astype(np.float32) for k, n in SIZES.items()}
    return Features(features=features, labels={k: label_of(x) for k, x in features.items()})


CASES = [
    (Classes(names=("a", "b")), "accuracy", lambda x: (x[:, 0] > 0).astype(np.int64)),
    (MultiLabel(names=("a", "b")), "auroc", lambda x: (x[:, :2] > 0).astype(np.int8)),
    (Scalar(low=-4, high=4), "spearman", lambda x: x[:, 0] * 2),
    (Classes(names=("a", "b")), "matthews", lambda x: (x[:, 0] > 0).astype(np.int64)),
]


@pytest.mark.parametrize(("target", "metric", "label_of"), CASES)
@pytest.mark.parametrize("reader", [linear_probe, nearest_neighbours])
def test_readers_find_a_linear_rule_and_find_nothing_in_noise(target, metric, label_of, reader):
    data = cached(label_of)
    reading = reader(data, task(target, metric))
    assert reading.validation_score > (0.9 if reader is linear_probe else 0.5)
    generator = np.random.default_rng(1)
    noise = {k: x[generator.permutation(len(x))] for k, x in data.labels.items()}
    assert reader(Features(features=data.features, labels=noise), task(target, metric)).validation_score < 0.66


def test_the_probe_chooses_on_validation_and_never_looks_at_test_labels():
    data = cached(CASES[0][2])
    first = linear_probe(data, task(*CASES[0][:2]))
    changed = Features(features=data.features, labels={**data.labels, "test": 1 - data.labels["test"]})
    second = linear_probe(changed, task(*CASES[0][:2]))
    assert first.selected == second.selected
    assert (first.prediction == second.prediction).all()


def test_standardising_uses_the_training_split_alone():
    features = {k: np.full((4, 2), value, dtype=np.float32) for k, value in zip(SIZES, (1.0, 2.0, 3.0), strict=True)}
    features["train"][:2, 0] = -1
    out = Features(features=features, labels={}).standardised()
    assert out.features["train"].mean(axis=0).tolist() == [0, 0]
    assert out.features["test"][0].tolist() == [3, 0]


@pytest.mark.parametrize("protocol", ["linear", "knn", "finetune"])
def test_a_run_gives_the_same_result_twice_apart_from_timings(run, protocol):
    first, second = (list(evaluate(run, (), (protocol,))) for _ in range(2))
    assert [c.result.task for c in first] == ["shade", "findings", "length"]
    for a, b in zip(first, second, strict=True):
        assert a.result.model_copy(update={"timings": b.result.timings}) == b.result
        assert (a.predictions["prediction"] == b.predictions["prediction"]).all()


def test_finetuning_beats_chance_on_an_easy_task(run):
    (cell,) = evaluate(run, ("shade",), ("finetune",))
    assert cell.result.score > cell.result.metric.chance + 0.2


def test_raw_input_has_the_readers_but_no_finetuning(toy):
    cells = list(evaluate_raw(toy, (), ("linear", "knn", "finetune")))
    assert len(cells) == 6
    assert next(c for c in cells if c.result.task == "length").result.score > 0.9  # counts give the length away


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
    write_json(run / "run.json", provenance)
    path = run / "encoder" / "encoder.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DabsError, match="hash differs"):
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
    original = module.features_of
    monkeypatch.setattr(module, "features_of", lambda e, s, p: calls.append(len(s)) or original(e, s, p))
    monkeypatch.setattr(module.Split, "digest", lambda split: str(len(split)))  # as if all tasks shared their pictures
    assert len(list(evaluate(run, (), ("linear", "knn")))) == 6
    assert sorted(calls) == [40, 60, 90]


def test_features_in_bf16_agree_with_fp32_and_keep_their_order(toy):
    torch.manual_seed(0)
    encoder, split = Encoder(PRESETS["paper"], toy.specs), Split(open_prepared(toy, "length"), "train", labels=False)
    wide, fast = features_of(encoder, split), features_of(encoder, split, "bf16")
    apart = (wide - fast) / wide.std(axis=0)
    assert 0 < np.sqrt((apart**2).mean()) < 0.05
    shuffled = np.roll(fast, 1, axis=0)
    assert np.sqrt((((wide - shuffled) / wide.std(axis=0)) ** 2).mean()) > 0.5
    assert wide.dtype == fast.dtype == np.float32


def test_features_in_fp32_are_those_of_whole_batches_in_order(toy):
    encoder, split = Encoder(PRESETS["small"], toy.specs), Split(open_prepared(toy, "length"), "train", labels=False)
    with torch.inference_mode():
        plain = torch.cat([encoder.eval()(batch) for batch in split.batches(256)]).numpy()
    assert np.array_equal(features_of(encoder, split), plain)


def test_fine_tuning_is_in_the_precision_that_the_results_state(toy, tmp_path, monkeypatch):
    asked = []

    def noted(*arguments):
        asked.append(arguments[-1])
        return finetune(*arguments)

    monkeypatch.setattr("dabs.evaluation.evaluate.finetune", noted)
    monkeypatch.setattr("dabs.training.precision.has_bf16", lambda: True)
    for precision in ("fp32", "bf16"):
        config = PretrainConfig(algorithm="none", domain="toy", precision=precision)
        run = pretrain(config, tmp_path / precision, logger="none")
        (found, *_) = evaluate(run, tasks=("shade",), protocols=("finetune",))
        assert found.result.environment.precision == precision
    assert asked == ["fp32", "bf16"]
