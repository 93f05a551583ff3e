"""Malicious checkpoints: anything but tensors and plain values is refused."""

from __future__ import annotations

import os
import pickle
import time
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dabs.encoder import Encoder, EncoderConfig
from dabs.specs import Tokens, specs_to_json
from dabs.training.checkpoint import load_encoder, load_weights, save_encoder
from dabs.utils.files import write_json
from tests.helpers.refusing import refusal

SPECS = (Tokens(length=4, vocabulary=9),)
SMALL = EncoderConfig(width=8, depth=2, heads=2, head_width=4, mlp=8, projection=4)


class Touches:
    """An object whose unpickling makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A saved encoder."""
    save_encoder(Encoder(SMALL, SPECS), tmp_path)
    return tmp_path


def test_a_pickled_encoder_is_not_loaded(encoder: Path) -> None:
    torch.save({"cls": Touches(encoder / "ran")}, encoder / "encoder.safetensors")
    refusal(lambda: load_encoder(encoder), encoder / "encoder.safetensors")
    (encoder / "encoder.safetensors").write_bytes(pickle.dumps(Touches(encoder / "ran")))
    refusal(lambda: load_encoder(encoder), encoder / "encoder.safetensors")
    assert not (encoder / "ran").exists()


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff" * 8,  # a header of 2**64 bytes
        (10**9).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"{}",
        (63).to_bytes(8, "little") + b'{"cls":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,8]}}'[:63],
    ],
)
def test_damaged_safetensors_are_refused(encoder: Path, header: bytes) -> None:
    (encoder / "encoder.safetensors").write_bytes(header)
    refusal(lambda: load_encoder(encoder), encoder)


@pytest.mark.parametrize(
    "change",
    [
        {"encoder": None},
        {"encoder": []},
        {"encoder": {**asdict(SMALL), "width": 10**9}},  # would take a terabyte
        {"encoder": {**asdict(SMALL), "depth": 10**9}},
        {"encoder": {**asdict(SMALL), "heads": -2}},
        {"encoder": {**asdict(SMALL), "dropout": None}},
        {"specs": None},
        {"specs": [None]},
        {"specs": [[1, 2]]},
        {"specs": [{"kind": ["tokens"]}]},
        {"specs": [{"kind": "image", "height": 8, "width": 8, "channels": 1, "patch": 0}]},
        {"specs": [{"kind": "tokens", "length": 10**12, "vocabulary": 9}]},
        {"specs": [{"kind": "tokens", "length": True, "vocabulary": 9}]},
        {"specs": []},
    ],
)
def test_sizes_are_checked_against_the_weights_first(encoder: Path, change: dict[str, Any]) -> None:
    write_json(encoder / "config.json", {"encoder": asdict(SMALL), "specs": specs_to_json(SPECS)} | change)
    begun = time.perf_counter()
    refusal(lambda: load_encoder(encoder), encoder)
    assert time.perf_counter() - begun < 5


def test_the_saved_encoder_is_still_read(encoder: Path) -> None:
    assert load_encoder(encoder).config == SMALL


@pytest.mark.parametrize("content", ["call", [1], {"algorithm": 1}, {"algorithm": {}, "optimizer": {}}])
def test_a_training_state_is_only_tensors_and_plain_values(tmp_path: Path, content: Any) -> None:
    encoder = Encoder(SMALL, SPECS)
    save_encoder(encoder, tmp_path)
    torch.save(Touches(tmp_path / "ran") if content == "call" else content, tmp_path / "training.pt")
    objective: Any = SimpleNamespace(encoder=encoder, algorithm=torch.nn.Linear(2, 2))
    refusal(lambda: load_weights(tmp_path, objective), tmp_path)
    assert not (tmp_path / "ran").exists()
