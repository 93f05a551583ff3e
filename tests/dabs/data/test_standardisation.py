"""The constants of inputs: those of whole arrays, however they are cut into blocks, and damage is refused."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dabs.data.prepared import open_prepared
from dabs.data.standardisation import ChannelMoments, standardisation_from_json, standardisation_to_json
from dabs.encoder import PRESETS, Encoder
from dabs.errors import DabsError, RequestError
from dabs.specs import Channels, Image, Series, Tokens
from dabs.training.checkpoint import load_encoder, save_encoder

SPECS = (
    Image(height=4, width=4, channels=3, patch=2),
    Tokens(length=5, vocabulary=9),
    Series(steps=6, channels=2, segment=3),
)
KINDS = {"pixels": np.uint8, "integers": np.int16, "floats": np.float32}


def drawn(seed: int, n: int, kind: str) -> tuple[np.ndarray, ...]:
    """Return inputs of each spec; floats are on a grid whose sums are exact in any order."""
    generator = np.random.default_rng(seed)
    image, series = generator.integers(0, 256, (n, 3, 4, 4)), generator.integers(0, 256, (n, 6, 2))
    scale = 1 / 64 if kind == "floats" else 1
    values = [(x * scale).astype(KINDS[kind]) for x in (image, series)]
    return values[0], generator.integers(0, 9, (n, 5)), values[1]


def constants(blocks, kinds):
    moments = ChannelMoments(SPECS)
    for block in blocks:
        moments.update(block)
    return moments.constants(kinds)


@given(st.integers(0, 1000), st.integers(2, 40), st.sampled_from(list(KINDS)), st.lists(st.integers(1, 39), max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_constants_are_those_of_whole_arrays_for_any_blocks(seed, n, kind, cuts):
    inputs = drawn(seed, n, kind)
    kinds = tuple(x.dtype for x in inputs)
    edges = sorted({0, n, *(cut for cut in cuts if cut < n)})
    blocks = [tuple(x[a:b] for x in inputs) for a, b in pairwise(edges)]
    found = constants(blocks, kinds)
    assert found == constants([inputs], kinds)
    assert found[1] is None
    scale = 255 if kind == "pixels" else 1
    for one, x, axes in ((found[0], inputs[0], (0, 2, 3)), (found[2], inputs[2], (0, 1))):
        wide = x.astype(np.float64) / scale
        assert one is not None
        np.testing.assert_allclose(one.mean, wide.mean(axis=axes), rtol=6e-6)
        np.testing.assert_allclose(one.deviation, wide.std(axis=axes), rtol=6e-6)
        assert all(float(f"{value:.6g}") == value for value in (*one.mean, *one.deviation))


def test_a_constant_channel_is_only_centred():
    inputs = (np.full((4, 3, 4, 4), 51, np.uint8), np.zeros((4, 5), np.int32), np.full((4, 6, 2), 7.0, np.float32))
    found = constants([inputs], tuple(x.dtype for x in inputs))
    assert found[0] == Channels(mean=(0.2,) * 3, deviation=(1.0,) * 3)
    assert found[2] == Channels(mean=(7.0,) * 2, deviation=(1.0,) * 2)


def test_constants_survive_json():
    found = constants([drawn(0, 9, "floats")], (np.dtype("f4"), np.dtype("i8"), np.dtype("f4")))
    values = json.loads(json.dumps(standardisation_to_json(found)))
    assert standardisation_from_json(values, SPECS) == found


GOOD = [{"mean": [0, 0.5, 1], "deviation": [1, 1, 2]}, {}, {"mean": [0, 0], "deviation": [1, 1]}]
DAMAGES = [
    {},
    GOOD[:2],
    [*GOOD[:2], {"mean": [0, 0], "deviation": [1, 0]}],
    [*GOOD[:2], {"mean": [0, 0], "deviation": [1, -1]}],
    [*GOOD[:2], {"mean": [0], "deviation": [1, 1]}],
    [*GOOD[:2], {"mean": [0, float("nan")], "deviation": [1, 1]}],
    [*GOOD[:2], {"mean": [0, "1"], "deviation": [1, 1]}],
    [*GOOD[:2], {"mean": [0, True], "deviation": [1, 1]}],
    [*GOOD[:2], {"mean": [0, 0]}],
    [*GOOD[:2], None],
    [GOOD[0], GOOD[2], GOOD[2]],
]


@pytest.mark.parametrize("values", DAMAGES)
def test_damaged_constants_are_refused(values):
    assert standardisation_from_json(GOOD, SPECS)[0] == Channels(mean=(0.0, 0.5, 1.0), deviation=(1.0, 1.0, 2.0))
    with pytest.raises(RequestError, match=r"constants|deviation"):
        standardisation_from_json(values, SPECS)


@pytest.mark.parametrize("inputs", [None, "none", [], [{}, {}], [{"mean": [0.5], "deviation": [0.0]}, {}]])
def test_a_damaged_manifest_is_refused_by_name(toy, inputs):
    prepared = open_prepared(toy, "shade")
    path = prepared.unit.folder / "manifest.json"
    manifest = json.loads(path.read_text())
    assert standardisation_to_json(prepared.standardisation()) == manifest["inputs"]
    path.write_text(json.dumps({**manifest, "inputs": inputs}))
    with pytest.raises(DabsError, match=r"manifest\.json is damaged: .*dabs data prepare toy --suite lite --force"):
        open_prepared(toy, "shade").standardisation()


def test_the_manifest_has_the_constants_of_the_pretraining_split_alone(toy):
    pixels = open_prepared(toy).columns("train")["input_0"].astype(np.float64) / 255
    (image, text) = open_prepared(toy, "length").standardisation()
    assert text is None
    assert image is not None
    assert image.mean == (float(f"{pixels.mean():.6g}"),)
    assert image.deviation == (float(f"{pixels.std():.6g}"),)


def test_embeddings_of_standardised_inputs_also_after_saving(tmp_path):
    """An encoder with constants treats an input as one without treats the standardised input."""
    known = (
        Channels(mean=(0.1, 0.2, 0.3), deviation=(0.5, 2.0, 3.0)),
        None,
        Channels(mean=(-1.0, 4.0), deviation=(0.1, 9.0)),
    )
    torch.manual_seed(0)
    encoder = Encoder(PRESETS["small"], SPECS, known)
    torch.manual_seed(0)
    plain = Encoder(PRESETS["small"], SPECS)
    image, ids, series = torch.randn(2, 3, 4, 4), torch.randint(1, 9, (2, 5)), torch.randn(2, 6, 2)
    scaled = (
        (image - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.5, 2.0, 3.0])[:, None, None],
        ids,
        (series - torch.tensor([-1.0, 4.0])) / torch.tensor([0.1, 9.0]),
    )
    expected = plain.embed(scaled)
    torch.testing.assert_close(encoder.embed((image, ids, series)), expected)
    save_encoder(encoder, tmp_path)
    torch.testing.assert_close(load_encoder(tmp_path).embed((image, ids, series)), expected)
    assert not torch.allclose(plain.embed((image, ids, series)), expected)
