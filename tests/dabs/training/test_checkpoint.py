"""Checkpoints: how many are kept, which one a run resumes from, and what happens on a full disk."""

from __future__ import annotations

import errno
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dabs.config import PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.training import checkpoint as module
from dabs.training.checkpoint import HASHES_FILE, latest_checkpoint, latest_intact_checkpoint
from dabs.training.pretrain import pretrain
from dabs.utils.files import discard, replacing
from tests.dabs.training.test_pretrain import assert_same, losses

CONFIG = PretrainConfig(algorithm="shed", domain="toy", steps=24)
OVERFLOWS = '''
import torch
from dabs.algorithm import Algorithm

class Overflows(Algorithm):
    """Its loss stays finite; from one step on its gradient does not."""
    def __init__(self, encoder, *, at: int = 12):
        super().__init__(encoder)
        self.at, self.calls = at, 0

    def loss(self, encoder, batch):
        self.calls += 1
        x = encoder(batch).square().mean()
        return {"loss": x + (torch.sqrt(x * 0) if self.calls > self.at else 0)}
'''


def stopped(folder: Path, **options: int) -> Path:
    """A run that was stopped at step 20, with a checkpoint every 5 steps."""

    def watch(step: int, *rest: float) -> None:
        if step == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain(CONFIG, folder, logger="none", checkpoint_every=5, watch=watch, **options)
    return folder


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


@pytest.mark.parametrize(("keep", "kept"), [(1, [15]), (2, [10, 15]), (9, [5, 10, 15])])
def test_the_newest_checkpoints_are_kept(toy, tmp_path, keep, kept):
    run = stopped(tmp_path / "run", keep_checkpoints=keep)
    assert names(run) == [f"step-{step:08d}" for step in kept]
    with pytest.raises(RequestError, match="keep_checkpoints must be at least 1"):
        pretrain(CONFIG, run, logger="none", keep_checkpoints=0)


@pytest.mark.parametrize("file", ["training.pt", "encoder.safetensors", "config.json", HASHES_FILE])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_checkpoint_is_skipped(toy, tmp_path, made_once, file, damage):
    run = made_once("stopped at 20", stopped, tmp_path / "run")
    path = latest_checkpoint(run) / file
    content = path.read_bytes()
    if damage == "gone" and file == HASHES_FILE:
        pytest.skip("a checkpoint without hashes counts as one of an older version")
    path.unlink()
    if damage != "gone":
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes(content[:middle] if damage == "cut" else flipped)
    with pytest.warns(UserWarning, match="step-00000015 is damaged .* resumes from the one before it"):
        assert latest_intact_checkpoint(run).name == "step-00000010"
    with pytest.warns(UserWarning, match="is damaged"):
        pretrain(CONFIG, run, logger="none")
    whole = made_once("whole run", lambda folder: pretrain(CONFIG, folder, logger="none"), tmp_path / "whole")
    assert losses(run) == losses(whole)
    assert_same(whole, run)


def test_a_run_whose_checkpoints_are_all_damaged_does_not_start_again_unasked(toy, tmp_path, made_once):
    run = made_once("stopped at 20", stopped, tmp_path / "run")
    for folder in (run / "checkpoints").iterdir():
        (folder / "training.pt").write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(DabsError, match=r"every checkpoint in .* is damaged"),
    ):
        pretrain(CONFIG, run, logger="none")
    shutil.rmtree(run / "checkpoints")
    assert len(losses(pretrain(CONFIG, run, logger="none"))) == 24


def test_a_checkpoint_of_an_older_version_has_no_hashes(toy, tmp_path, made_once):
    run = made_once("stopped at 20", stopped, tmp_path / "run")
    (latest_checkpoint(run) / HASHES_FILE).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert latest_intact_checkpoint(run).name == "step-00000015"
        pretrain(CONFIG, run, logger="none")


def test_leftovers_of_killed_processes_are_removed(toy, tmp_path, made_once):
    run = made_once("stopped at 20", stopped, tmp_path / "run")
    (run / ".encoder.0123abcd.tmp").mkdir()
    (run / "checkpoints" / ".step-00000020.0123abcd.tmp").mkdir()
    pretrain(CONFIG, run, logger="none")
    (run / "checkpoints" / "step-00000020").mkdir(parents=True)
    pretrain(CONFIG, run, logger="none")
    assert sorted(path.name for path in run.iterdir()) == ["config.json", "encoder", "metrics.csv", "run.json"]


def test_a_full_disk_is_reported_and_leaves_the_earlier_checkpoints(toy, tmp_path, made_once, monkeypatch):
    run = made_once("stopped at 20", stopped, tmp_path / "run")

    def full(*arguments: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed\nmore")

    monkeypatch.setattr(module.torch, "save", full)
    with pytest.raises(DabsError, match=r"cannot write .*step-00000020.*file write failed.*Free the space"):
        pretrain(CONFIG, run, logger="none", checkpoint_every=5)
    assert names(run) == ["step-00000010", "step-00000015"]
    monkeypatch.undo()


def test_what_pytorch_says_on_a_full_disk_is_put_into_words(toy, tmp_path, made_once, monkeypatch):
    def no_space(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(*arguments: object) -> None:
        monkeypatch.setattr(os, "fsync", no_space)
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 272256 vs 272150")

    monkeypatch.setattr(module.torch, "save", full)
    with pytest.raises(DabsError) as caught:
        pretrain(CONFIG, tmp_path / "run", logger="none", checkpoint_every=5)
    assert f"the disk of {tmp_path / 'run' / 'checkpoints'} is full" in str(caught.value)
    assert "unexpected pos" not in str(caught.value)
    assert list((tmp_path / "run" / "checkpoints").iterdir()) == []


def test_a_full_disk_is_reported_while_the_log_is_written(toy, tmp_path, made_once, monkeypatch):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    run = made_once("stopped at 20", stopped, tmp_path / "run")
    monkeypatch.setattr("dabs.training.log._rewrite", lambda path, rows: (path.unlink(), path.symlink_to("/dev/full")))
    with pytest.raises(DabsError, match=r"cannot write the log in .*No space left"):
        pretrain(CONFIG, run, logger="none")


@pytest.mark.parametrize("every", [5, 13, 24])
def test_weights_that_are_not_finite_are_never_saved(toy, tmp_path, every):
    (tmp_path / "own.py").write_text(OVERFLOWS)
    config = replace(CONFIG, algorithm=f"{tmp_path / 'own.py'}:Overflows", options={"at": 23 if every == 24 else 12})
    for _ in range(2):  # run again, the command reaches the same step from the last good checkpoint
        with pytest.raises(DabsError, match=r"not finite after step (12|14|23|\d+)|became nan at step \d+"):
            pretrain(config, tmp_path / "run", logger="none", checkpoint_every=every)
        assert not (tmp_path / "run" / "run.json").exists()
        newest = latest_checkpoint(tmp_path / "run")
        if newest is not None:
            saved = torch.load(newest / "training.pt", weights_only=True)
            states = saved["optimizer"]["state"].values()
            assert all(torch.isfinite(value).all() for state in states for value in state.values())


def test_a_folder_is_renamed_before_it_is_removed(tmp_path, monkeypatch):
    target = tmp_path / "data"
    for content in ("old", "new"):
        with replacing(target) as folder:
            folder.mkdir()
            (folder / "file").write_text(content)
    assert (target / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    seen = []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **rest: seen.append((path.name, target.exists())))
    discard(target)
    assert seen[0][0].startswith(".data.")
    assert not seen[0][1]
    assert [path.name for path in tmp_path.iterdir()] == [seen[0][0]]


def test_of_two_processes_that_make_the_same_folder_the_second_fails(tmp_path):
    def make(meanwhile: Callable[[], None]) -> None:
        with replacing(tmp_path / "x", over=False) as folder:
            folder.mkdir()
            meanwhile()
            (folder / ("second" if (tmp_path / "x").exists() else "first")).write_text("")

    with pytest.raises(DabsError, match="there already: another process"):
        make(lambda: make(lambda: None))
    assert (tmp_path / "x" / "first").exists()
