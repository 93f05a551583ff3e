"""Log-mel spectrograms with the paper's settings, or smaller ones.

Everything is computed in float64 by numpy. Processors differ in the last bits of a result, because each sums in an
order that suits its instruction set; whoever stores a spectrogram rounds it to a grid that is coarse against these
differences, so that the stored bytes are the same everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

MIN_POWER = 1e-10
FRAMES_AT_ONCE = 4096  # bounds the memory: at 2,048 samples each, 64 MiB for each intermediate array
# Slaney's mel scale: linear up to 1 kHz, then logarithmic
HZ_PER_MEL, LINEAR_HZ = 200 / 3, 1000.0
LINEAR_MELS, LOG_STEP = LINEAR_HZ / HZ_PER_MEL, math.log(6.4) / 27


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Settings of a log-mel spectrogram. Mel bands and filter areas follow Slaney, as in librosa."""

    sample_rate: int  # Hz
    n_fft: int  # samples in a Hann window
    hop: int  # samples from one frame to the next
    bands: int
    squared: bool  # whether decibels are taken of the squared power, as in the reference code
    dynamic_range: float = 80.0  # dB; lower values are raised to this far below the clip's maximum

    def frames(self, samples: int) -> int:
        """Return the number of frames of a waveform; the first and the last window are centred on its ends."""
        return 1 + samples // self.hop


# 150,526 samples give 224 frames
PAPER_LOG_MEL = LogMel(sample_rate=16000, n_fft=2048, hop=672, bands=224, squared=True)


def log_mel(waveform: np.ndarray, settings: LogMel) -> np.ndarray:
    """Compute the log-mel spectrogram of waveforms.

    As in the DABS reference code, it is a mel power spectrogram with centred frames and zero padding, then
    10 * log10(max(power, 1e-10)) of the power (or of its square), with a floor relative to each clip's own maximum.

    Args:
        waveform: float (..., samples), between -1 and 1.
        settings: sizes; `PAPER_LOG_MEL` are the paper's.

    Returns:
        Decibels, float64 (..., bands, frames), low bands first.
    """
    waveform = np.asarray(waveform, np.float64)
    clips = waveform.reshape(-1, waveform.shape[-1])
    frames = settings.frames(clips.shape[1])
    at_once = max(1, FRAMES_AT_ONCE // frames)
    blocks = [_mel_power(clips[start : start + at_once], settings) for start in range(0, len(clips), at_once)]
    power = np.concatenate(blocks).reshape(*waveform.shape[:-1], settings.bands, frames)
    if settings.squared:
        power = power**2
    decibels = 10 * np.log10(np.maximum(power, MIN_POWER))
    floor = decibels.max(axis=(-2, -1), keepdims=True) - settings.dynamic_range
    floored: np.ndarray = np.maximum(decibels, floor)
    return floored


def _mel_power(clips: np.ndarray, settings: LogMel) -> np.ndarray:
    """Return the power in each mel band, (clips, bands, frames), of waveforms, (clips, samples)."""
    margin = settings.n_fft // 2
    padded = np.pad(clips, ((0, 0), (margin, margin)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, settings.n_fft, axis=1)[:, :: settings.hop]
    spectrum = np.fft.rfft(windows * _hann_window(settings.n_fft))
    power = spectrum.real**2 + spectrum.imag**2
    banded: np.ndarray = power @ _mel_filters(settings.sample_rate, settings.n_fft, settings.bands)
    return banded.transpose(0, 2, 1)


@cache
def _hann_window(samples: int) -> np.ndarray:
    """Return the periodic Hann window, (samples,)."""
    window: np.ndarray = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    return window


@cache
def _mel_filters(sample_rate: int, n_fft: int, bands: int) -> np.ndarray:
    """Return triangular filters of equal area, evenly spaced on Slaney's mel scale, (n_fft // 2 + 1, bands)."""
    highest = sample_rate // 2
    bins = np.linspace(0, highest, n_fft // 2 + 1)[:, None]
    edges = _mel_to_hz(np.linspace(0, _hz_to_mel(highest), bands + 2))
    width = np.diff(edges)
    rising, falling = (bins - edges[:-2]) / width[:-1], (edges[2:] - bins) / width[1:]
    filters: np.ndarray = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return filters


def _hz_to_mel(frequency: float) -> float:
    if frequency < LINEAR_HZ:
        return frequency / HZ_PER_MEL
    return LINEAR_MELS + math.log(frequency / LINEAR_HZ) / LOG_STEP


def _mel_to_hz(mels: np.ndarray) -> np.ndarray:
    logarithmic = LINEAR_HZ * np.exp(LOG_STEP * (mels - LINEAR_MELS))
    return np.where(mels < LINEAR_MELS, mels * HZ_PER_MEL, logarithmic)
