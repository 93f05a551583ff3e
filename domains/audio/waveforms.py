"""Steps from a spoken word to a clip: trim, resample, place in silence, add noise.

All of them compute in float64, where processors differ in the last bits only; `logmel` says why that matters.
"""

from __future__ import annotations

import math

import numpy as np

from dabs.data.domain import BuildError

ZERO_CROSSINGS, ROLL_OFF = 6, 0.99  # of the resampling filter: half its width, and its cut-off below half the rate


def trim(samples: np.ndarray) -> np.ndarray:
    """Cut off both ends what is below 1 % of the peak.

    Args:
        samples: int16 (n,).

    Returns:
        float64 (m,) with a peak of 1.

    Raises:
        BuildError: the word is silent.
    """
    x = samples.astype(np.float64)
    size = np.abs(x)
    peak = size.max(initial=0.0)
    if peak < 100:  # of 32,767
        raise BuildError("a word came out silent; reinstall espeakng-loader 0.2.4.")
    loud = np.flatnonzero(size > 0.01 * peak)
    word: np.ndarray = x[loud[0] : loud[-1] + 1] / peak
    return word


def resample(clips: list[np.ndarray], rate: int, new_rate: int) -> list[np.ndarray]:
    """Resample clips, float64 (n,) each, from one sampling rate to another (Hz), with a windowed sinc filter.

    The filter is that of `torchaudio.functional.resample`, which is ten times slower in float64.
    """
    common = math.gcd(rate, new_rate)
    step, new_step = rate // common, new_rate // common  # samples in the shortest time that has a whole number of both
    filters = _sinc_filters(step, new_step)
    margin = (filters.shape[1] - step) // 2
    longest = max(map(len, clips))
    padded = np.stack([np.pad(x, (margin, margin + step + longest - len(x))) for x in clips])
    windows = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1], axis=1)[:, ::step]
    # BLAS takes no overlapping rows
    resampled = (np.ascontiguousarray(windows) @ filters.T).reshape(len(clips), -1)
    return [y[: len(x) * new_rate // rate] for x, y in zip(clips, resampled, strict=True)]


def _sinc_filters(step: int, new_step: int) -> np.ndarray:
    """Return one low-pass filter for each of `new_step` samples, (new_step, step and a margin on both sides)."""
    cut_off = ROLL_OFF * min(step, new_step)
    margin = math.ceil(ZERO_CROSSINGS * step / cut_off)
    taps = np.arange(-margin, margin + step) / step
    time = (taps - np.arange(new_step)[:, None] / new_step) * cut_off
    time = time.clip(-ZERO_CROSSINGS, ZERO_CROSSINGS)
    filters: np.ndarray = np.sinc(time) * np.cos(np.pi * time / (2 * ZERO_CROSSINGS)) ** 2 * cut_off / step
    return filters


def place_in_silence(clip: np.ndarray, samples: int, level: float, offset: int) -> np.ndarray:
    """Place a whole clip in silence.

    Args:
        clip: float64 (n,) with a peak of 1.
        samples: length of the result.
        level: of the peak in the result, in dB relative to full scale.
        offset: samples off the middle, as far as the clip fits.

    Returns:
        float64 (samples,).

    Raises:
        BuildError: the clip is longer than the result.
    """
    room = samples - len(clip)
    if room < 0:
        raise BuildError(f"a word has {len(clip)} samples; it must fit into {samples}.")
    start = min(max(room // 2 + offset, 0), room)
    placed = np.zeros(samples)
    placed[start : start + len(clip)] = clip * 10 ** (level / 20)
    return placed


def make_noise(clips: np.ndarray, ratio: np.ndarray, tilt: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Make Gaussian-like noise for each clip, in the frequency domain with random phases.

    Args:
        clips: the signal, (n, samples).
        ratio: the signal-to-noise ratio of mean powers in dB, (n,).
        tilt: the noise's power falls as frequency ** -tilt (0 white, 1 pink, 2 brown), (n,).
        generator: draws the phases.

    Returns:
        float64 (n, samples).
    """
    n, samples = clips.shape
    frequency = np.arange(samples // 2 + 1, dtype=np.float64).clip(min=50)  # flat below the 50th bin
    phases = 2 * np.pi * generator.random((n, len(frequency)))
    spectrum = frequency ** (-tilt[:, None] / 2) * np.exp(1j * phases)
    x = np.fft.irfft(spectrum, samples)
    power = np.mean(clips**2, axis=1) / 10 ** (ratio / 10)
    scaled: np.ndarray = x * np.sqrt(power / np.mean(x**2, axis=1))[:, None]
    return scaled
