"""The encoder: the numbers of the reference implementation, and invariants."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dabs.check.mock import KINDS as SPECS
from dabs.encoder import PRESETS, Encoder, EncoderConfig
from dabs.errors import DabsError, RequestError
from dabs.specs import Batch, Image, Series, Tokens, specs_from_json, specs_to_json
from dabs.training.checkpoint import encoder_config_from_json, load_encoder, save_encoder
from tests.helpers.golden_files import read_golden
from tests.helpers.golden_weights import golden_encoder, golden_inputs

TINY = EncoderConfig(width=16, depth=2, heads=2, head_width=8, mlp=32, projection=8)


@pytest.mark.parametrize("kind", SPECS)
def test_equals_the_reference(kind):
    arrays = read_golden(f"encoder_{kind}")
    encoder, _ = golden_encoder(arrays, SPECS[kind])
    embedded = encoder.embed(golden_inputs(arrays, SPECS[kind]))
    tokens = encoder.encode(embedded)
    pooled = encoder.pool(tokens)
    found = {"embedded": embedded, "tokens": tokens, "pooled": pooled, "projected": encoder.project(pooled)}
    for name, value in found.items():
        expected = torch.from_numpy(arrays[name])
        torch.testing.assert_close(
            value[: len(expected)], expected, atol=1e-5, rtol=1e-5, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_the_paper_preset_has_the_sizes_of_the_paper():
    config = PRESETS["paper"]
    assert (config.width, config.depth, config.heads, config.head_width, config.mlp) == (256, 12, 8, 64, 512)


@given(length=st.integers(1, 12), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_the_content_of_padding_changes_nothing(length, seed):
    torch.manual_seed(seed)
    encoder = Encoder(TINY, SPECS["tokens"]).eval()
    ids = torch.randint(1, 50, (3, 12))
    mask = torch.arange(12).expand(3, 12) < length
    first = encoder(Batch(inputs=(ids.where(mask, 0),), mask=mask))
    second = encoder(Batch(inputs=(ids,), mask=mask))
    torch.testing.assert_close(first, second)


def test_a_full_mask_equals_no_mask():
    encoder = Encoder(TINY, SPECS["image_tokens"]).eval()
    inputs = (torch.rand(3, 3, 16, 16), torch.randint(1, 50, (3, 12)))
    mask = torch.ones(3, 28, dtype=torch.bool)
    torch.testing.assert_close(encoder(Batch(inputs=inputs)), encoder(Batch(inputs=inputs, mask=mask)))


def test_a_subset_of_all_positions_in_order_equals_no_subset():
    encoder = Encoder(TINY, SPECS["series"]).eval()
    x = encoder.embed((torch.randn(2, 20, 6),))
    torch.testing.assert_close(encoder.encode(x, None, torch.arange(4).expand(2, 4)), encoder.encode(x))


def test_the_order_of_a_subset_does_not_change_its_features():
    encoder = Encoder(TINY, SPECS["series"]).eval()
    x, index = encoder.embed((torch.randn(1, 20, 6),)), torch.tensor([[3, 0, 2]])
    first = encoder.pool(encoder.encode(x[:, [3, 0, 2]], None, index))
    second = encoder.pool(encoder.encode(x[:, [0, 2, 3]], None, index.sort().values))
    torch.testing.assert_close(first, second)


def test_a_saved_encoder_is_loaded_unchanged(tmp_path: Path):
    encoder = Encoder(TINY, SPECS["image_tokens"])
    save_encoder(encoder, tmp_path)
    loaded = load_encoder(tmp_path)
    assert loaded.config == encoder.config
    assert loaded.specs == encoder.specs
    for name, value in encoder.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)


@pytest.mark.parametrize("damage", ["truncated", "missing", "other sizes"])
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path, damage):
    save_encoder(Encoder(TINY, SPECS["series"]), tmp_path)
    weights = tmp_path / "encoder.safetensors"
    if damage == "truncated":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "missing":
        weights.unlink()
    else:
        config = tmp_path / "config.json"
        config.write_text(config.read_text().replace('"width": 16', '"width": 24'))
    with pytest.raises(DabsError, match=r"encoder\.safetensors"):
        load_encoder(tmp_path)


@pytest.mark.parametrize("values", [{"width": "128"}, {"widht": 128}, {"depth": True}, {"heads": 2.5}])
def test_wrong_sizes_are_refused(values):
    with pytest.raises(RequestError, match=next(iter(values))):
        encoder_config_from_json(values)


def test_specs_survive_a_round_trip_and_unknown_ones_are_refused():
    specs = (
        Tokens(length=3, vocabulary=9),
        Series(steps=4, channels=2, segment=2),
        Image(height=4, width=4, channels=1, patch=2),
    )
    assert specs_from_json(specs_to_json(specs)) == specs
    with pytest.raises(RequestError, match="volume"):
        specs_from_json([{"kind": "volume"}])
    with pytest.raises(RequestError, match="patch"):
        Image(height=10, width=10, channels=1, patch=4)
