"""Ctrl-C and SIGTERM: a run saves its state, other commands clean up, and the exit codes."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest

from dabs import cli
from dabs.cli import pretrain as pretraining
from dabs.config import PretrainConfig
from dabs.training.checkpoint import latest_checkpoint
from dabs.training.log import read_metrics
from dabs.training.pretrain import pretrain
from dabs.utils.files import replacing
from dabs.utils.signals import Interrupted, stop_flag
from tests.dabs.training.test_pretrain import assert_same, losses

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=24)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(list(words))
    return int(stop.value.code or 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_saves_on_a_signal_and_resumes(toy, tmp_path, number, code):
    def watch(step: int, *rest: float) -> None:
        if step == 10:
            send(number)

    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    parts = tmp_path / "parts"
    with pytest.raises(Interrupted, match="stopped at step 11 of 24") as stopped:
        pretrain(CONFIG, parts, logger="none", watch=watch)
    assert stopped.value.code == code
    assert latest_checkpoint(parts).name == "step-00000011"
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    pretrain(CONFIG, parts, logger="none")
    whole = pretrain(CONFIG, tmp_path / "whole", logger="none")
    assert losses(parts) == losses(whole)
    assert_same(whole, parts)


def test_a_second_ctrl_c_interrupts_and_a_second_sigterm_does_not():
    with stop_flag() as flag:
        assert flag.number == 0
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert flag.number == signal.SIGTERM
    with stop_flag() as flag:
        send(signal.SIGINT)
        assert flag.number == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_the_command_line_says_where_it_stopped_and_exits_with_143(toy, tmp_path, monkeypatch, capsys):
    @contextmanager
    def watch(title):
        yield lambda step, *rest: step == 10 and send(signal.SIGTERM)

    monkeypatch.setattr(pretraining, "progress_watch", watch)
    run = ("pretrain", "shed", "toy", "--steps", "24", "--logger", "none", "--out", str(tmp_path / "run"))
    assert call(*run) == 143
    assert "stopped at step 11 of 24; the same command resumes there" in capsys.readouterr().err
    assert len(read_metrics(tmp_path / "run")) == 11


def test_another_command_cleans_up(tmp_path, monkeypatch, capsys):
    def work(arguments: list[str]) -> int:
        with replacing(tmp_path / "file") as temporary:
            temporary.write_text("half")
            send(signal.SIGTERM)
        return 0

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(cli, "dispatch", work)
    assert call("data") == 143
    assert "stopped by SIGTERM" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before
