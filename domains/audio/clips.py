"""Recorded clips as the paper's log-mel spectrograms, 224 bands by 224 frames.

Each clip is read at its own sampling rate, because the reference never resamples (AudioMNIST has 48 kHz). Its first
channel is cut or zero-padded to 150,526 samples. Spectrograms are rounded to an eighth of a decibel, so that every
processor prepares the same bytes, then standardised and stored as float16, 100 kB each; all in all a value changes by
at most 0.1 dB.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dabs.domains.audio.logmel import PAPER_LOG_MEL, log_mel
from dabs.domains.sources.listing import Item

SAMPLES = 150_526  # 224 frames
STEP = 0.125  # dB


@dataclass(frozen=True, kw_only=True)
class DecibelStats:
    """Mean and standard deviation over a dataset's spectrograms in dB; the reference's constants."""

    mean: float
    std: float


def read_windows(path: str, *, both: bool) -> tuple[np.ndarray, int]:
    """Read the head of a clip and, with `both`, also its tail if the clip is longer than the window.

    libsndfile decodes wav, flac, ogg and mp3, but not m4a. The integers of wav and flac are read exactly.

    Returns:
        The windows, float32 (1 or 2, 150526), and the sampling rate in Hz.
    """
    import soundfile

    with soundfile.SoundFile(path) as file:
        frames = file.frames
        parts = [file.read(SAMPLES, dtype="float32", always_2d=True)[:, 0]]
        if both and frames > SAMPLES:
            file.seek(frames - SAMPLES)
            parts.append(file.read(SAMPLES, dtype="float32", always_2d=True)[:, 0])
        rate = int(file.samplerate)
    out = np.zeros((len(parts), SAMPLES), np.float32)
    for row, part in zip(out, parts, strict=True):
        row[: len(part)] = part
    return out, rate


def make_spectrograms(item: Item, stats: DecibelStats, *, both: bool) -> np.ndarray:
    """Return the standardised spectrograms of a clip's windows, float16 (1 or 2, 1, 224, 224), low bands first."""
    clips, rate = read_windows(str(item.source), both=both)
    decibels = np.rint(log_mel(clips, replace(PAPER_LOG_MEL, sample_rate=rate)) / STEP) * STEP
    standard: np.ndarray = ((decibels - stats.mean) / stats.std)[:, None].astype(np.float16)
    return standard
