"""The loss on inputs that are not trained on: when it is computed, of what, and that training does not notice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dabs.config import PretrainConfig
from dabs.data.domain import VALIDATION
from dabs.data.prepared import open_prepared
from dabs.data.split import Split
from dabs.evaluation.evaluate import evaluate
from dabs.registry import find_domain
from dabs.training import held_out
from dabs.training.checkpoint import load_encoder
from dabs.training.held_out import BATCHES, CHECKS, is_due
from dabs.training.log import HELD_OUT, held_out_curve, read_metrics
from dabs.training.pretrain import pretrain

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=20, precision="fp32")

QUEUE = '''
import torch
from dabs.algorithm import Algorithm

class Queue(Algorithm):
    """Keeps a moving mean of the features in a buffer, as a queue or a batch norm would, and counts its calls."""
    def __init__(self, encoder):
        super().__init__(encoder)
        self.register_buffer("mean", torch.zeros(encoder.width))

    def loss(self, encoder, batch):
        h = encoder(batch)
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * h.mean(dim=0))
        (slope,) = torch.autograd.grad(h.square().sum(), h, create_graph=True)  # as adversarial objectives do
        return {"loss": (h - self.mean - slope).square().mean()}
'''


def run(folder: Path, **changes: object) -> Path:
    return pretrain(PretrainConfig(**{**vars(CONFIG), **changes}), folder, logger="none")


@pytest.mark.parametrize("steps", [1, 3, 5, 20, 333])
def test_checks_are_evenly_spaced_and_the_last_one_comes_at_the_end(steps):
    due = [done for done in range(1, steps + 1) if is_due(done, steps)]
    assert len(due) == min(CHECKS, steps)
    assert due[-1] == steps
    assert np.ptp(np.diff([0, *due])) <= 1


def test_it_is_the_loss_of_the_last_weights_on_validation_inputs(toy, tmp_path):
    folder = run(tmp_path / "run", algorithm=f"{_mean_square(tmp_path)}:MeanSquare", batch_size=8)
    curve = held_out_curve(folder)
    assert [step for step, _ in curve] == [4, 8, 12, 16, 20]
    encoder = load_encoder(folder / "encoder")
    data = Split(open_prepared(find_domain("toy")), VALIDATION, labels=False)
    count = min(BATCHES, len(data) // 8)
    rows = np.linspace(0, len(data) - 1, count * 8).astype(np.int64)
    with torch.no_grad():
        expected = float(encoder(data.batch(np.sort(rows))).square().mean())
    assert curve[-1][1] == pytest.approx(expected, rel=1e-4)


def test_training_does_not_notice_the_checks(toy, tmp_path, monkeypatch):
    (tmp_path / "queue_.py").write_text(QUEUE)
    algorithms = ("shed", "contrastive", f"{tmp_path / 'queue_.py'}:Queue")
    with_checks = [run(tmp_path / f"with{i}", algorithm=a) for i, a in enumerate(algorithms)]
    monkeypatch.setattr("dabs.training.pretrain.is_due", lambda done, steps: False)
    without = [run(tmp_path / f"without{i}", algorithm=a) for i, a in enumerate(algorithms)]
    for a, b in zip(with_checks, without, strict=True):
        assert len(held_out_curve(a)) == CHECKS
        assert held_out_curve(b) == []
        assert [row["loss"] for row in read_metrics(a)] == [row["loss"] for row in read_metrics(b)]
        other = load_encoder(b / "encoder").state_dict()
        for name, value in load_encoder(a / "encoder").state_dict().items():
            assert torch.equal(value, other[name]), name


def test_checks_use_the_same_draws(toy, tmp_path, monkeypatch):
    seeds = []
    original = held_out.seed_all
    monkeypatch.setattr(held_out, "seed_all", lambda *args: (seeds.append(args), original(*args)))
    run(tmp_path / "run")
    assert seeds == [(CONFIG.seed, 20, 0)] * CHECKS


def test_a_result_states_them_and_a_few_examples_are_enough(toy, tmp_path):
    folder = run(tmp_path / "run", batch_size=2)
    assert len(held_out_curve(folder)) == CHECKS
    (result, *_) = [item.result for item in evaluate(folder, protocols=("knn",))]
    assert list(result.pretraining.held_out) == held_out_curve(folder)
    assert set(result.pretraining.learning.ending) == {"loss", "accuracy", "balanced_accuracy"}


def test_a_log_that_an_earlier_version_began_keeps_its_columns(toy, tmp_path, monkeypatch):
    def stop(step: int, *rest: float) -> None:
        if step == 10:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        pretrain(CONFIG, folder, logger="none", checkpoint_every=5, watch=stop)
    path = folder / "metrics.csv"
    lines = [line.split(",") for line in path.read_text().splitlines()]
    place = lines[0].index(HELD_OUT)
    path.write_text("".join(",".join(line[:place] + line[place + 1 :]) + "\n" for line in lines))
    pretrain(CONFIG, folder, logger="none")
    rows = read_metrics(folder)
    assert [int(row["step"]) for row in rows] == list(range(20))
    assert HELD_OUT not in rows[0]
    assert all(float(row["examples_per_second"]) > 0 for row in rows)
    assert held_out_curve(folder) == []


def _mean_square(folder: Path) -> Path:
    path = folder / "mean_square.py"
    path.write_text(
        "from dabs.algorithm import Algorithm\n\n\n"
        "class MeanSquare(Algorithm):\n"
        '    """The mean square of the features."""\n\n'
        "    def loss(self, encoder, batch):\n"
        '        return {"loss": encoder(batch).square().mean()}\n'
    )
    return path
