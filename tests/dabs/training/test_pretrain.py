"""The training loop: resuming, determinism, errors."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from dabs.config import PretrainConfig, config_from_json
from dabs.data.prepared import open_prepared
from dabs.errors import DabsError, RequestError
from dabs.training import pretrain as module
from dabs.training.checkpoint import latest_checkpoint, load_encoder
from dabs.training.log import loss_curve, read_metrics
from dabs.training.pretrain import Interrupted, pretrain, resolve
from dabs.training.run_folder import load_config
from dabs.training.step import learning_rate
from dabs.utils.strict_json import read_json

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=24)

BAD = '''
from dabs.algorithm import Algorithm

class Bad(Algorithm):
    """Fails at one step."""
    def __init__(self, encoder, *, at: int = 12, how: str = "nan"):
        super().__init__(encoder)
        self.at, self.how, self.done = at, how, 0

    def loss(self, encoder, batch):
        if self.done >= self.at and self.how == "raise":
            raise ValueError("my own mistake")
        factor = float("nan") if self.done >= self.at else 1.0
        return {"loss": encoder(batch).square().mean() * factor}

    def after_step(self, encoder, step):
        self.done = step + 1
'''


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_encoder(folder / "encoder").state_dict()


def assert_same(a: Path, b: Path) -> None:
    for name, value in weights(a).items():
        assert torch.equal(value, weights(b)[name]), name


def losses(folder: Path) -> list[str]:
    return [row["loss"] for row in read_metrics(folder)]


def test_a_run_leaves_a_complete_folder(toy, tmp_path):
    seen = []
    folder = pretrain(CONFIG, tmp_path / "run", watch=lambda *numbers: seen.append(numbers))
    assert sorted(p.name for p in folder.iterdir()) == [
        "config.json",
        "encoder",
        "metrics.csv",
        "run.json",
        "tensorboard",
    ]
    provenance = read_json(folder / "run.json")
    assert provenance["steps"] == 24
    assert provenance["examples_seen"] == 24 * 16
    assert len(losses(folder)) == 24
    assert seen[-1][:2] == (24, 24)
    assert [step for step, _ in loss_curve(folder, points=5)] == [5, 10, 15, 20, 24]


def test_a_complete_run_is_not_repeated(toy, tmp_path):
    folder = pretrain(CONFIG, tmp_path / "run", logger="none")
    stamp = (folder / "run.json").stat().st_mtime_ns
    pretrain(CONFIG, folder, logger="none")
    assert (folder / "run.json").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("algorithm", ["shed", "emix", "contrastive"])
def test_a_stopped_run_resumes_to_the_same_numbers(toy, tmp_path, monkeypatch, algorithm):
    config = replace(CONFIG, algorithm=algorithm)
    whole = pretrain(config, tmp_path / "whole", logger="none")

    def stop(step: int, *rest: float) -> None:
        if step == 10:  # while the log is written, between two checkpoints
            os.kill(os.getpid(), signal.SIGINT)

    parts = tmp_path / "parts"
    with pytest.raises(Interrupted, match="resumes there"):
        pretrain(config, parts, logger="none", watch=stop)
    assert latest_checkpoint(parts) is not None
    assert not (parts / "run.json").exists()
    pretrain(config, parts, logger="none")
    assert losses(parts) == losses(whole)
    assert_same(whole, parts)
    assert not (parts / "checkpoints").exists()


@pytest.mark.slow
def test_a_killed_process_resumes_to_the_same_numbers(toy, tmp_path):
    config = replace(CONFIG, steps=400)
    whole = pretrain(config, tmp_path / "whole", logger="none", checkpoint_every=20)
    script = (
        "import sys; from pathlib import Path; from dabs import domains; domains.__path__.append(sys.argv[1])\n"
        "from dabs.training.pretrain import pretrain; from dabs.training.run_folder import PretrainConfig\n"
        "config = PretrainConfig(algorithm='shed', domain='toy', steps=400)\n"
        "pretrain(config, Path(sys.argv[2]), logger='none', checkpoint_every=20)\n"
    )
    parts = tmp_path / "parts"
    command = [sys.executable, "-c", script, str(tmp_path / "more_domains"), str(parts)]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 120
    while latest_checkpoint(parts) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not (parts / "run.json").exists(), "the run ended before it could be killed"
    subprocess.run(command, check=True)
    assert losses(parts) == losses(whole)
    assert_same(whole, parts)


def test_seeds_differ_and_repeat(toy, tmp_path):
    first = pretrain(CONFIG, tmp_path / "a", logger="none")
    again = pretrain(CONFIG, tmp_path / "b", logger="none")
    other = pretrain(replace(CONFIG, seed=1), tmp_path / "c", logger="none")
    assert losses(first) == losses(again)
    assert losses(first) != losses(other)


def test_all_algorithms_start_from_the_same_encoder(toy, tmp_path):
    none = pretrain(replace(CONFIG, algorithm="none"), tmp_path / "none", logger="none")
    start, kind, domain = resolve(replace(CONFIG, algorithm="contrastive"))
    encoder = module.build(start, kind, domain, open_prepared(domain).standardisation()).encoder
    for name, value in weights(none).items():
        assert torch.equal(value, encoder.state_dict()[name])


def test_another_configuration_in_the_same_folder_is_refused(toy, tmp_path):
    folder = pretrain(CONFIG, tmp_path / "run", logger="none")
    with pytest.raises(DabsError, match=r"lr is 0\.003 there and 0\.01 here"):
        pretrain(replace(CONFIG, lr=0.01), folder, logger="none")


def test_a_saved_configuration_replays_exactly(toy, tmp_path):
    folder = pretrain(replace(CONFIG, options={"corruption_rate": 0.4}), tmp_path / "run", logger="none")
    config = load_config(folder)
    assert config.options == {"corruption_rate": 0.4}
    assert_same(folder, pretrain(config, tmp_path / "again", logger="none"))


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"algorithm": "shed", "domain": "toy", "learning": 1}, "unknown key 'learning'"),
        ({"algorithm": "shed", "domain": "toy", "steps": "9"}, "steps must be int"),
        ({"algorithm": "shed", "domain": "toy", "compile": 1}, "compile must be bool"),
        ({"algorithm": "shed", "domain": "toy", "precision": "fp8"}, "one of auto, fp32, bf16"),
        ({"algorithm": "shed", "domain": "toy", "lr": -1.0}, "lr must be at least"),
        ({"algorithm": "shed"}, "domain missing"),
    ],
)
def test_a_wrong_configuration_is_refused(values, wanted, tmp_path):
    with pytest.raises(RequestError, match=wanted):
        config_from_json(values, tmp_path / "config.json")


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(toy, tmp_path):
    (tmp_path / "bad.py").write_text(BAD)
    config = replace(CONFIG, algorithm=f"{tmp_path / 'bad.py'}:Bad")
    with pytest.raises(DabsError, match="became nan at step 12") as caught:
        pretrain(config, tmp_path / "run", logger="none", checkpoint_every=5)
    assert str(tmp_path / "run" / "checkpoints" / "step-00000010") in str(caught.value)
    assert latest_checkpoint(tmp_path / "run").name == "step-00000010"
    assert len(losses(tmp_path / "run")) == 12


def test_a_run_that_fails_before_its_first_checkpoint_promises_none(toy, tmp_path):
    (tmp_path / "bad.py").write_text(BAD)
    config = replace(CONFIG, algorithm=f"{tmp_path / 'bad.py'}:Bad", options={"at": 0})
    with pytest.raises(DabsError, match="became nan at step 0") as caught:
        pretrain(config, tmp_path / "run", logger="none")
    assert "no checkpoint yet" in str(caught.value)
    assert "kept" not in str(caught.value)
    assert latest_checkpoint(tmp_path / "run") is None


def test_a_damaged_checkpoint_without_hashes_is_named(toy, tmp_path):
    (tmp_path / "bad.py").write_text(BAD)
    config = replace(CONFIG, algorithm=f"{tmp_path / 'bad.py'}:Bad")
    with pytest.raises(DabsError):
        pretrain(config, tmp_path / "run", logger="none", checkpoint_every=5)
    path = latest_checkpoint(tmp_path / "run") / "training.pt"
    path.write_bytes(path.read_bytes()[:200])
    path.with_name("sha256.json").unlink()  # as in checkpoints of older versions
    with pytest.raises(DabsError, match="step-00000010 is damaged"):
        pretrain(config, tmp_path / "run", logger="none")


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"algorithm": "shad"}, "Did you mean 'shed'"),
        ({"domain": "toi"}, "Did you mean 'toy'"),
        ({"options": {"corruption": 1}}, "Did you mean 'corruption_rate'"),
        ({"algorithm": "nowhere.py:X"}, "no algorithm file"),
        ({"batch_size": 500}, "above the 90 examples"),
        ({"options": {"corruption_rate": 2.0}}, "corruption_rate must be"),
    ],
)
def test_errors_for_wrong_requests_name_what_is_right(toy, tmp_path, change, wanted):
    with pytest.raises(RequestError, match=wanted):
        pretrain(replace(CONFIG, **change), tmp_path / "run", logger="none")


def test_learning_rate_warms_up_and_ends_near_zero():
    rates = [learning_rate(step, 100, 1.0) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[-1] < 0.001
    assert all(a >= b for a, b in pairwise(rates[10:]))


def test_a_refused_request_leaves_no_folder_behind(toy, tmp_path):
    for change in ({"options": {"corruption_rate": 2.0}}, {"batch_size": 500}):
        with pytest.raises(RequestError):
            pretrain(replace(CONFIG, **change), tmp_path / "run", logger="none")
        assert not (tmp_path / "run").exists()


def test_a_run_of_an_edited_algorithm_is_refused(toy, tmp_path):
    path = tmp_path / "bad.py"
    path.write_text(BAD)
    config = replace(CONFIG, algorithm=f"{path}:Bad", options={"at": 1000})
    pretrain(config, tmp_path / "run", logger="none")
    path.write_text(BAD + "# edited\n")
    with pytest.raises(DabsError, match="algorithm_sha256 is"):
        pretrain(config, tmp_path / "run", logger="none")


def test_a_run_with_a_tuple_among_its_options_resumes(toy, tmp_path):
    path = tmp_path / "pair.py"
    path.write_text(BAD.replace("at: int = 12", "at: int = 1000, pair: tuple[int, int] = (1, 2)"))
    config = replace(CONFIG, algorithm=f"{path}:Bad")
    folder = pretrain(config, tmp_path / "run", logger="none")
    assert pretrain(config, folder, logger="none") == folder


def test_a_default_of_none_is_refused_before_training(toy, tmp_path):
    path = tmp_path / "nothing.py"
    path.write_text(BAD.replace("at: int = 12", "at: int | None = None"))
    with pytest.raises(RequestError, match="must not default to None"):
        pretrain(replace(CONFIG, algorithm=f"{path}:Bad"), tmp_path / "run", logger="none")


def test_checkpoint_every_must_be_at_least_one(toy, tmp_path):
    with pytest.raises(RequestError, match="checkpoint_every"):
        pretrain(CONFIG, tmp_path / "run", logger="none", checkpoint_every=0)


def test_training_restores_the_arithmetic_of_the_processor(toy, tmp_path):
    pretrain(CONFIG, tmp_path / "run", logger="none")
    assert (torch.tensor([1e-39]) * 0.5).item() > 0, "denormal numbers are still flushed to zero"


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler")
@pytest.mark.parametrize("algorithm", ["emix", "contrastive"])  # PyTorch 2.11 fails to compile these two as a whole
def test_a_compiled_run_has_the_same_losses(toy, tmp_path, algorithm):
    found = []
    for compiled in (False, True):
        config = PretrainConfig(
            algorithm=algorithm, domain="toy", steps=3, precision="fp32", batch_size=4, compile=compiled
        )
        run = pretrain(config, tmp_path / str(compiled), logger="none")
        found.append([float(row["loss"]) for row in read_metrics(run)])
    assert found[1] == pytest.approx(found[0], rel=1e-4)
