"""Random brightness and contrast of colour channels, equal on every processor."""

from __future__ import annotations

import numpy as np

MEAN = (95.0, 160.0)  # grey levels; the range that the mean of a channel is drawn from
DEVIATION = (15.0, 36.0)  # grey levels; the range that its standard deviation is drawn from
TAIL = 2.5  # standard deviations from the mean at which outliers are cut off
ROUNDS = 3  # cutting off outliers lowers the deviation, so it is repeated


def _moments(x_BCHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and deviation of each channel, float64 (B, C, 1, 1), from exact sums of integers."""
    count = x_BCHW.shape[2] * x_BCHW.shape[3]
    total = x_BCHW.sum(axis=(2, 3), keepdims=True)
    squares = (x_BCHW * x_BCHW).sum(axis=(2, 3), keepdims=True)
    return total / count, np.sqrt((count * squares - total * total).astype(np.float64)) / count


def redraw_tones(crops: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Replace the mean and deviation of each channel of each crop by random ones.

    They then say nothing about where a crop comes from. A few very light or dark pixels, such as stars, would be
    clipped at 0 or 255 and thereby move the mean and deviation by an amount that tells one photograph from another;
    hence outliers are cut off first. A constant channel stays constant.

    All sums are of integers, and the rest is one float64 operation after another on single values, so that the result
    has the same bytes on every processor.

    Args:
        crops: uint8 (n, channels, height, width).
        generator: draws the means and deviations, uniformly from `MEAN` and `DEVIATION`.

    Returns:
        uint8 (n, channels, height, width).
    """
    x = crops.astype(np.int64)
    for _ in range(ROUNDS):
        mean, deviation = _moments(x)
        low, high = np.floor(mean - TAIL * deviation), np.ceil(mean + TAIL * deviation)
        x = np.clip(x, low.astype(np.int64), high.astype(np.int64))
    mean, deviation = _moments(x)
    new_mean, new_deviation = (low + (high - low) * generator.random(mean.shape) for low, high in (MEAN, DEVIATION))
    toned: np.ndarray = (x - mean) / np.where(deviation == 0, 1, deviation) * new_deviation + new_mean
    toned = np.clip(np.rint(toned), 0, 255)
    return toned.astype(np.uint8)
