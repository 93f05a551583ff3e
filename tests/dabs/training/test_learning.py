"""Did a run learn? Each reason that says no, and real runs of objectives that do and do not learn."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dabs.cli import main
from dabs.config import PretrainConfig
from dabs.data.prepared import open_prepared
from dabs.data.split import Split
from dabs.encoder import PRESETS, Encoder
from dabs.results.schema import Learning
from dabs.training.learning import (
    LOSS_MARGIN,
    MIN_EFFECTIVE_RANK,
    SCORE_MARGIN,
    effective_rank,
    ending_of,
    nothing_to_learn,
    rank_of_features,
    verdict,
)
from dabs.training.pretrain import pretrain
from dabs.utils.strict_json import read_json

ENDING, CONSTANT = {"loss": 0.2, "accuracy": 0.9, "other": 3.0}, {"loss": 0.4, "accuracy": 0.5}


def test_a_run_that_learned_has_no_reason():
    found = verdict(ENDING, CONSTANT, 12.3456)
    assert found == {
        "learned": True,
        "reason": "",
        "ending": ENDING,
        "constant": CONSTANT,
        "effective_rank": 12.346,
    }
    assert verdict(ENDING, {}, 3.0)["learned"], "an algorithm that states no constant answer is judged by rank alone"


@pytest.mark.parametrize(
    ("ending", "rank", "reason"),
    [
        ({"loss": 0.3999}, 9.0, "the loss ended at 0.3999, where a constant answer scores 0.4"),
        ({"accuracy": 0.51}, 9.0, "the accuracy ended at 0.51, a constant answer's is 0.5"),
        ({}, 1.25, "the features collapsed: their effective rank is 1.25, below 2"),
    ],
)
def test_each_reason(ending, rank, reason):
    found = verdict(ENDING | ending, CONSTANT, rank)
    assert not found["learned"]
    assert found["reason"] == reason


def test_reasons_are_listed_together_and_fit_into_a_result():
    found = verdict({"loss": 0.4, "accuracy": 0.1}, CONSTANT, 0.0)
    assert found["reason"].count("; ") == 2
    names = [f"a_very_long_name_of_a_score_{i}" for i in range(40)]
    found = verdict(dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.5), 0.0)
    assert not Learning(**found).learned


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(0, 50))
@settings(max_examples=200, deadline=None)
def test_the_bounds(loss, guess, rank):
    found = verdict({"loss": loss}, {"loss": guess}, rank)
    assert found["learned"] == (loss <= guess - LOSS_MARGIN * abs(guess) and rank >= MIN_EFFECTIVE_RANK)
    assert Learning(**found).learned == found["learned"]
    score = verdict({"accuracy": loss}, {"accuracy": guess}, 9.0)
    assert score["learned"] == (loss >= guess + SCORE_MARGIN)


@given(st.integers(1, 8), st.integers(0, 500), st.floats(1e-2, 1e3))
@settings(max_examples=40, deadline=None)
def test_the_effective_rank_is_the_number_of_equal_directions(rank, seed, scale):
    generator = np.random.default_rng(seed)
    directions = np.linalg.qr(generator.normal(size=(10, 10)))[0][:rank]
    x = np.linalg.qr(generator.normal(size=(400, rank)) - 0)[0]
    x = np.linalg.qr(x - x.mean(axis=0))[0] * np.sqrt(400) * scale
    assert effective_rank(x @ directions + 7) == pytest.approx(rank, rel=1e-3)


def test_the_effective_rank_of_equal_and_of_uneven_features():
    assert effective_rank(np.ones((5, 3))) == 0.0
    generator = np.random.default_rng(0)
    uneven = generator.normal(size=(2000, 2)) * [10, 0.01]
    assert 1 <= effective_rank(uneven) < 1.01


def test_features_of_a_collapsed_encoder_have_rank_zero_and_its_mode_is_kept(toy):
    torch.manual_seed(0)
    encoder = Encoder(PRESETS["small"], toy.specs).train()
    split = Split(open_prepared(toy), "validation", labels=False)
    assert rank_of_features(encoder, split) > MIN_EFFECTIVE_RANK
    assert encoder.training
    encoder.encode = lambda x, mask=None, index=None: torch.ones(len(x), 1 + x.shape[1], 128)  # type: ignore[method-assign]
    assert rank_of_features(encoder, split) == 0.0


def test_the_ending_is_the_mean_of_the_last_steps(tmp_path):
    rows = "\n".join(f"{step},0.1,{step},{step / 2},9" for step in range(1000))
    (tmp_path / "metrics.csv").write_text("step,lr,loss,accuracy,examples_per_second\n" + rows + "\n")
    assert ending_of(tmp_path) == {"loss": 974.5, "accuracy": 487.25}  # 50 steps
    rows = "\n".join(f"{step},0.1,{step},9" for step in range(30))
    (tmp_path / "metrics.csv").write_text("step,lr,loss,examples_per_second\n" + rows + "\n")
    assert ending_of(tmp_path) == {"loss": 19.5}  # 20 steps


SOURCE = """
import torch
from dabs.algorithm import Algorithm


class Constant(Algorithm):
    \"\"\"Guesses a random bit, which nothing in the input says.\"\"\"

    def __init__(self, encoder):
        super().__init__(encoder)
        self.head = torch.nn.Linear(encoder.width, 1)

    def loss(self, encoder, batch):
        bit = (torch.rand(len(batch)) < 0.5).float()
        out = 0.1 * self.head(encoder(batch))[:, 0]
        return {"loss": torch.nn.functional.binary_cross_entropy_with_logits(out, bit)}

    def constant_answer(self, batch):
        return {"loss": 0.6931}
"""


def test_a_run_of_an_objective_that_cannot_be_learned_is_marked(toy, tmp_path, capsys, monkeypatch):
    path = tmp_path / "constant.py"
    path.write_text(textwrap.dedent(SOURCE))
    with pytest.raises(SystemExit) as stop:
        main(
            ["pretrain", f"{path}:Constant", "toy", "--steps", "30", "--logger", "none", "--out", str(tmp_path / "run")]
        )
    assert stop.value.code in (0, None)
    learning = read_json(tmp_path / "run" / "run.json")["learning"]
    assert not learning["learned"]
    assert learning["constant"] == {"loss": 0.6931}
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last == f"did not learn: {learning['reason']}"
    assert "where a constant answer scores 0.6931" in last


def test_a_run_that_learns_is_not_marked(toy, tmp_path):
    config = PretrainConfig(algorithm="contrastive", domain="toy", steps=200, precision="fp32")
    learning = read_json(pretrain(config, tmp_path / "run", logger="none") / "run.json")["learning"]
    assert learning["learned"], learning
    assert learning["constant"] == {"loss": round(math.log(31), 6), "accuracy": round(1 / 31, 6)}
    assert set(learning["ending"]) == {"loss", "accuracy"}


def test_the_constant_answer_is_that_of_the_part_that_an_algorithm_sees(toy, tmp_path):
    config = PretrainConfig(algorithm="emix", domain="toy", steps=4, batch_size=16, accumulate=4)
    learning = read_json(pretrain(config, tmp_path / "run", logger="none") / "run.json")["learning"]
    assert learning["constant"]["loss"] == pytest.approx(math.log(4), abs=1e-6)


def test_an_encoder_without_training_is_never_marked(toy, tmp_path: Path):
    run = pretrain(PretrainConfig(algorithm="none", domain="toy"), tmp_path / "run", logger="none")
    learning = read_json(run / "run.json")["learning"]
    assert learning == nothing_to_learn(learning["effective_rank"])
    assert learning["effective_rank"] > 0
    assert nothing_to_learn(0.0)["learned"]
