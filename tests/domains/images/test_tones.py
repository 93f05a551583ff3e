"""Redrawn tones are independent of the crop, and keep its pattern."""

from __future__ import annotations

import numpy as np
import pytest

from dabs.domains.images.tones import DEVIATION, MEAN, redraw_tones


def _generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _dark_and_light(count: int = 300) -> np.ndarray:
    """Return noise: the first half dark and flat with a few white pixels, the second half light and contrasted."""
    dark = _generator(1).normal(20, 4, (count, 3, 32, 32))
    dark[:, :, 3, :10] = 255
    light = _generator(2).normal(170, 40, (count, 3, 32, 32))
    both: np.ndarray = np.clip(np.rint(np.concatenate([dark, light])), 0, 255).astype(np.uint8)
    return both


def test_mean_and_deviation_do_not_depend_on_the_crop() -> None:
    toned = redraw_tones(_dark_and_light(), _generator()).astype(np.float64)
    assert toned.shape == (600, 3, 32, 32)
    for values, (low, high) in ((toned.mean(axis=(2, 3)), MEAN), (toned.std(axis=(2, 3)), DEVIATION)):
        assert low - 1 < values.min() < values.max() < high + 1
        for half in np.split(values, 2):
            assert half.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
            assert half.std() == pytest.approx((high - low) / 12**0.5, rel=0.05)


def test_the_same_pattern_in_other_tones_differs_only_in_the_draw() -> None:
    pattern = _generator(3).integers(0, 60, (1, 3, 32, 32), dtype=np.uint8)
    brighter = (2 * pattern + 70).astype(np.uint8)
    first, second = (redraw_tones(x, _generator()).astype(int) for x in (pattern, brighter))
    assert np.abs(first - second).max() <= 1  # limits of outliers are whole grey levels
    assert np.corrcoef(pattern[0, 0].ravel(), first[0, 0].ravel())[0, 1] > 0.99


def test_channels_are_drawn_independently() -> None:
    grey = np.repeat(_dark_and_light()[:, :1], 3, axis=1)
    mean = redraw_tones(grey, _generator()).mean(axis=(2, 3))
    assert np.abs(np.corrcoef(mean.T) - np.eye(3)).max() < 0.15


def test_a_constant_channel_stays_constant() -> None:
    flat = np.full((1, 3, 32, 32), 7, np.uint8)
    assert redraw_tones(flat, _generator()).std(axis=(2, 3)).max() == 0
