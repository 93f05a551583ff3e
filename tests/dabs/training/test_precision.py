"""Which precision "auto" stands for."""

from __future__ import annotations

import pytest
import torch

from dabs.training.precision import (
    autocast,
    feature_precision,
    finetune_precision,
    resolve_precision,
)


@pytest.mark.parametrize(
    ("processor", "avx512", "amx", "expected"),
    [
        ("AMD EPYC", True, False, "bf16"),
        ("Intel(R) Xeon(R) Processor", True, True, "bf16"),
        ("Intel(R) Xeon(R) Processor", True, False, "fp32"),  # Sapphire Rapids without AMX is slower in bf16
        ("AMD EPYC", False, False, "fp32"),
    ],
)
def test_auto_is_bf16_where_the_processor_multiplies_it_faster(monkeypatch, processor, avx512, amx, expected):
    monkeypatch.setattr("dabs.training.precision.processor_name", lambda: processor)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert resolve_precision("auto") == expected
    assert (resolve_precision("fp32"), resolve_precision("bf16")) == ("fp32", "bf16")


@pytest.mark.parametrize(("has", "expected"), [(True, "bf16"), (False, "fp32")])
def test_a_run_is_fine_tuned_in_its_own_precision_where_the_machine_has_it(monkeypatch, has, expected):
    monkeypatch.setattr("dabs.training.precision.has_bf16", lambda: has)
    assert finetune_precision("bf16") == expected
    assert finetune_precision("fp32") == "fp32"
    with autocast(torch.device("cpu"), expected):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if expected == "bf16" else torch.float32)


def test_features_of_a_small_encoder_are_in_fp32(monkeypatch):
    monkeypatch.setattr("dabs.training.precision.has_bf16", lambda: True)
    assert [feature_precision("bf16", width) for width in (128, 256)] == ["fp32", "bf16"]
    assert feature_precision("fp32", 256) == "fp32"
    monkeypatch.setattr("dabs.training.precision.has_bf16", lambda: False)
    assert feature_precision("bf16", 256) == "fp32"
