"""Which curves a run draws besides metrics.csv, with and without the packages for them."""

from __future__ import annotations

import sys

import pytest

from dabs.cli.pretrain import parse
from dabs.config import PretrainConfig
from dabs.errors import RequestError
from dabs.training.log import choose_logger, read_metrics
from dabs.training.pretrain import pretrain

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=3)


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither tensorboard nor wandb can be found or imported."""
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        "dabs.training.log.find_spec", lambda name: None if name in ("tensorboard", "wandb") else found(name)
    )
    for name in ("tensorboard", "torch.utils.tensorboard", "wandb"):
        monkeypatch.setitem(sys.modules, name, None)


def test_by_default_tensorboard_draws_if_it_is_installed(toy, tmp_path):
    pytest.importorskip("tensorboard")
    assert choose_logger("auto") == "tensorboard"
    folder = pretrain(CONFIG, tmp_path / "run")
    assert list((folder / "tensorboard").iterdir())


def test_without_tensorboard_a_run_still_writes_its_metrics(toy, tmp_path, nothing_installed):
    assert choose_logger("auto") == "none"
    folder = pretrain(CONFIG, tmp_path / "run")
    assert len(read_metrics(folder)) == 3
    assert not (folder / "tensorboard").exists()
    assert (folder / "run.json").exists()


@pytest.mark.parametrize("logger", ["tensorboard", "wandb"])
def test_a_logger_that_is_asked_for_must_be_installed(toy, tmp_path, nothing_installed, logger):
    _, output, _ = parse(["shed", "toy", "--logger", logger])
    with pytest.raises(RequestError, match=rf"--logger {logger} .*pip install 'dabs\[{logger}\]'"):
        pretrain(CONFIG, tmp_path / "run", logger=output.logger)
    assert not (tmp_path / "run").exists(), "refused before anything is written"


def test_an_unknown_logger_is_refused(toy, tmp_path):
    with pytest.raises(RequestError, match="must be one of auto, tensorboard, wandb, none, not 'csv'"):
        pretrain(CONFIG, tmp_path / "run", logger="csv")
