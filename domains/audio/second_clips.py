"""Recorded clips as log-mel spectrograms of one second, 64 bands by 64 frames.

Clips are resampled to 16 kHz. A value says how far it lies below the loudest one of its second, from 2 at that one to
-2 at 80 dB below it, whatever the gain of the recording. Values are rounded to an eighth of a decibel, so that every
processor prepares the same bytes, and stored as float16, 8 kB a second.
"""

from __future__ import annotations

import numpy as np

from dabs.domains.audio.logmel import LogMel, log_mel
from dabs.domains.audio.waveforms import resample
from dabs.domains.sources.listing import Item

SETTINGS = LogMel(sample_rate=16_000, n_fft=1024, hop=256, bands=64, squared=False)
FRAMES = 64
SAMPLES = (FRAMES - 1) * SETTINGS.hop  # of a window: 1.008 s
MAX_WINDOWS = 8  # of a clip
STEP = 0.125  # dB
SPAN = 20.0  # dB in one unit of a stored value


def cut_seconds(samples: np.ndarray, *, every: bool) -> np.ndarray:
    """Cut a clip into windows, (k, 16128); a shorter clip is padded with zeros at its end.

    Args:
        samples: (n,).
        every: whether to return every whole window, up to `MAX_WINDOWS` that are spread over the clip, or only the one
            in the middle.
    """
    if len(samples) <= SAMPLES:
        return np.pad(samples, (0, SAMPLES - len(samples)))[None]
    room = len(samples) - SAMPLES
    starts = np.array([room // 2])
    if every:
        count = min(len(samples) // SAMPLES, MAX_WINDOWS)
        starts = np.linspace(0, room, count).astype(int) if count > 1 else starts
    return np.stack([samples[start : start + SAMPLES] for start in starts])


def second_spectrograms(item: Item, *, every: bool) -> np.ndarray:
    """Return the spectrograms of a clip's windows, float16 (k, 1, 64, 64), low bands first."""
    import soundfile

    samples, rate = soundfile.read(str(item.source), dtype="float64", always_2d=True)
    clip = samples[:, 0]
    if rate != SETTINGS.sample_rate:
        (clip,) = resample([clip], int(rate), SETTINGS.sample_rate)
    decibels = log_mel(cut_seconds(clip, every=every), SETTINGS)
    below = np.rint((decibels - decibels.max(axis=(1, 2), keepdims=True)) / STEP) * STEP
    spectrograms: np.ndarray = ((below + SETTINGS.dynamic_range / 2) / SPAN)[:, None].astype(np.float16)
    return spectrograms
