"""Features of one's own arrays: what does not fit is refused with the expected shape."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dabs.config import PretrainConfig
from dabs.encoder import PRESETS, Encoder
from dabs.errors import RequestError
from dabs.evaluation.frozen import FrozenEncoder
from dabs.specs import Channels, Image, Series, Tokens

TOKENS = Tokens(length=5, vocabulary=9)
SERIES = Series(steps=6, channels=2, segment=3)
IMAGE = Image(height=4, width=6, channels=3, patch=2)


def frozen(*specs, standardisation=None):
    torch.manual_seed(0)
    encoder = Encoder(PRESETS["small"], specs, standardisation)
    return FrozenEncoder(encoder, PretrainConfig(algorithm="none", domain="toy", precision="fp32"))


@pytest.mark.parametrize(
    ("specs", "inputs", "said"),
    [
        ((SERIES,), (np.zeros((3, 2, 6)),), r"\(n, 6, 2\): steps, channels, not \(3, 2, 6\); swap the last two axes"),
        (
            (SERIES,),
            (np.zeros((3, 7, 2)),),
            r"expected an array of the shape \(n, 6, 2\): steps, channels, not \(3, 7, 2\)",
        ),
        ((SERIES,), (np.zeros((6, 2)),), "put a single example into a list"),
        ((SERIES,), (np.full((1, 6, 2), np.nan),), "not finite"),
        ((SERIES,), (np.full((1, 6, 2), "a"),), "must hold numbers"),
        ((SERIES,), (np.zeros((0, 6, 2)),), "there are no examples"),
        ((IMAGE,), (np.zeros((3, 4, 6, 3)),), "move the last axis to the second place, the channels come first"),
        (
            (IMAGE,),
            (np.full((1, 3, 4, 6), 255.0),),
            "uint8 from 0 to 255, or floats from 0 to 1; these lie from 255 to 255",
        ),
        ((TOKENS,), (np.zeros((1, 5)),), "token ids must be integers, not float64"),
        ((TOKENS,), (np.full((1, 5), 9),), "must lie from 0 to 8, but these lie from 9 to 9"),
        ((TOKENS,), (np.zeros((1, 4), int),), r"\(n, 5\): tokens, filled up with 0, not \(1, 4\)"),
        ((IMAGE, TOKENS), (np.zeros((1, 3, 4, 6)),), "takes 2 inputs"),
        ((IMAGE, TOKENS), (np.zeros((1, 3, 4, 6)), np.zeros((2, 5), int)), "different numbers of examples: 1, 2"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(specs, inputs, said):
    with pytest.raises(RequestError, match=said):
        frozen(*specs).features(*inputs)


def test_lists_tensors_and_arrays_have_equal_features():
    encoder, x = frozen(SERIES), np.random.default_rng(0).normal(size=(3, 6, 2))
    found = [encoder.features(kind) for kind in (x, x.tolist(), torch.from_numpy(x))]
    assert found[0].shape == (3, 128)
    assert found[0].dtype == np.float32
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_pixels_may_be_bytes_or_shares():
    encoder, x = frozen(IMAGE), np.random.default_rng(0).integers(0, 256, (300, 3, 4, 6), dtype=np.uint8)
    np.testing.assert_allclose(encoder.features(x), encoder.features(x / 255), atol=1e-5)


def test_inputs_are_taken_in_their_own_units():
    mean, deviation = np.array([5.0, -1.0]), np.array([2.0, 100.0])
    constants = (Channels(mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist())),)
    x = np.random.default_rng(0).normal(size=(3, 6, 2))
    plain, scaled = frozen(SERIES), frozen(SERIES, standardisation=constants)
    np.testing.assert_allclose(scaled.features(x * deviation + mean), plain.features(x), atol=1e-5)


def test_padding_changes_no_feature():
    encoder = frozen(TOKENS)
    ids = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 6, 7]])
    np.testing.assert_allclose(encoder.features(ids)[0], encoder.features(ids[:1])[0], atol=1e-5)
