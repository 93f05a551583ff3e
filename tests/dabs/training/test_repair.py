"""Lost encoders are trained again; a run that makes room for another is kept."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dabs.config import PretrainConfig
from dabs.errors import DabsError, DabsWarning
from dabs.evaluation.evaluate import evaluate
from dabs.training.checkpoint import load_encoder
from dabs.training.pretrain import pretrain
from dabs.training.repair import find_lost_encoder, put_aside
from dabs.training.run_folder import read_provenance
from dabs.utils.files import write_json
from dabs.utils.strict_json import read_json

CONFIG = PretrainConfig(algorithm="none", domain="toy", seed=0)
WEIGHTS, SIZES = Path("encoder", "encoder.safetensors"), Path("encoder", "config.json")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


LOSSES: dict[str, Callable[[Path], None]] = {
    "the folder is gone": lambda run: shutil.rmtree(run / "encoder"),
    "the weights are gone": lambda run: (run / WEIGHTS).unlink(),
    "the sizes are gone": lambda run: (run / SIZES).unlink(),
    "the weights are changed": lambda run: flip(run / WEIGHTS),
    "the sizes are cut": lambda run: (run / SIZES).write_text((run / SIZES).read_text()[:100]),
    "the sizes are changed": lambda run: (run / SIZES).write_text((run / SIZES).read_text().replace("0.5", "0.6")),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_lost_encoder_is_trained_again_as_eval_says(toy, tmp_path, lose):
    run = pretrain(CONFIG, tmp_path / "run", logger="none", label="mine")
    before = read_json(run / "run.json")
    lose(run)
    with pytest.raises(DabsError, match=f"dabs pretrain --config {run}"):
        list(evaluate(run))
    with pytest.warns(DabsWarning, match="so this run is trained again"):
        pretrain(CONFIG, run, logger="none")
    after = read_json(run / "run.json")
    assert (after["weights_sha256"], after["label"]) == (before["weights_sha256"], "mine")
    load_encoder(run / "encoder")
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "encoder", "run.json"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pretrain(CONFIG, run, logger="none")


def test_cut_sizes_of_a_run_without_their_hash_are_found_too(toy, tmp_path):
    run = pretrain(CONFIG, tmp_path / "run", logger="none")
    stated = read_json(run / "run.json")
    del stated["sizes_sha256"]  # as an earlier version wrote it
    write_json(run / "run.json", stated)
    assert find_lost_encoder(run) == ""
    LOSSES["the sizes are cut"](run)
    assert "config.json is damaged" in find_lost_encoder(run)


def test_the_log_of_a_run_that_is_trained_again_holds_each_step_once(toy, tmp_path):
    config = replace(CONFIG, algorithm="shed", steps=3)
    run = pretrain(config, tmp_path / "run", logger="none")
    (run / WEIGHTS).unlink()
    with pytest.warns(DabsWarning, match="is missing"):
        pretrain(config, run, logger="none")
    assert (run / "metrics.csv").read_text().count("\n") == 1 + 3


def test_other_weights_than_before_are_reported(toy, tmp_path):
    run = pretrain(CONFIG, tmp_path / "run", logger="none")
    write_json(run / "run.json", {**read_json(run / "run.json"), "weights_sha256": "0" * 64})  # as of another machine
    (run / "results").mkdir()
    (run / "results" / "shade.knn.result.json").write_text("{}")
    with pytest.warns(DabsWarning) as caught:
        pretrain(CONFIG, run, logger="none")
    said = " ".join(str(one.message) for one in caught)
    assert "are not those that were lost" in said
    assert f"`dabs eval {run}` replaces them" in said
    assert read_json(run / "run.before.json")["weights_sha256"] == "0" * 64
    assert read_provenance(run) is not None


def test_force_keeps_the_old_run_and_trains_anew(toy, tmp_path):
    run = pretrain(CONFIG, tmp_path / "run", logger="none")
    pretrain(CONFIG, run, logger="none", force=True)
    assert [path.name for path in tmp_path.glob(".run.replaced*")] == [], "it is this very run"
    for number in (1, 2):
        with pytest.raises(DabsError, match=f"seed is {number - 1} there and {number} here.*--out.*--force"):
            pretrain(replace(CONFIG, seed=number), run, logger="none")
        with pytest.warns(DabsWarning, match=rf"is kept in .*\.run\.replaced-{number}"):
            pretrain(replace(CONFIG, seed=number), run, logger="none", force=True)
        assert read_json(run / "config.json")["pretrain"]["seed"] == number
        kept = read_json(tmp_path / f".run.replaced-{number}" / "config.json")
        assert kept["pretrain"]["seed"] == number - 1


def test_a_run_in_use_is_not_put_aside(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()

    def refuse(path: Path) -> None:
        raise DabsError("another process is working on it")

    monkeypatch.setattr("dabs.training.repair.sole_use", refuse)
    with pytest.raises(DabsError, match="another process"):
        put_aside(tmp_path / "run")
    assert (tmp_path / "run").exists()
