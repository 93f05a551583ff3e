"""Clips of speech as the paper shows them to the encoder: log-mel spectrograms of 224 bands by 224 frames.

First channel, at the file's own rate (the reference never resamples; AudioMNIST is 48 kHz), cut or filled with zeros to
150,526 samples. Kept as float16 (100 kB a window): rounding moves a value by at most 0.002, that is 0.04 dB.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dabs.domains.audio.logmel import PAPER, log_mel
from dabs.domains.sources.rows import Item

SAMPLES = 150_526  # 224 frames


@dataclass(frozen=True, kw_only=True)
class Level:
    """Over a dataset's spectrograms, in dB; the reference's constants."""

    mean: float
    std: float


def windows(path: str, *, both: bool) -> tuple[np.ndarray, int]:
    """The head of a clip, and with `both` its tail where it is longer: float32 (1 or 2, 150526), and the rate in Hz.

    libsndfile decodes wav, flac, ogg and mp3; not m4a.
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


def spectrograms(item: Item, level: Level, *, both: bool) -> np.ndarray:
    """Of a clip's windows: float16 (1 or 2, 1, 224, 224), low bands first."""
    clips, rate = windows(str(item.source), both=both)
    decibels = log_mel(clips, replace(PAPER, sample_rate=rate))
    standard: np.ndarray = ((decibels - level.mean) / level.std)[:, None].astype(np.float16)
    return standard
