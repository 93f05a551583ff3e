"""Steps from a spoken word to a clip: trim, resample, place in silence, add noise."""

from __future__ import annotations

import numpy as np

from dabs.data.domain import BuildError


def trim(samples: np.ndarray) -> np.ndarray:
    """Cut off both ends what is below 1 % of the peak.

    Args:
        samples: int16 (n,).

    Returns:
        float32 (m,) with a peak of 1.

    Raises:
        BuildError: the word is silent.
    """
    x = samples.astype(np.float32)
    size = np.abs(x)
    peak = size.max(initial=0.0)
    if peak < 100:  # of 32,767
        raise BuildError("a word came out silent; reinstall espeakng-loader 0.2.4.")
    loud = np.flatnonzero(size > 0.01 * peak)
    word: np.ndarray = x[loud[0] : loud[-1] + 1] / peak
    return word


def resample(clips: list[np.ndarray], rate: int, new_rate: int) -> list[np.ndarray]:
    """Resample clips, float32 (n,) each, from one sampling rate to another (Hz), band-limited."""
    import torch
    from torchaudio.functional import resample as change_rate

    longest = max(map(len, clips))
    padded = np.stack([np.pad(x, (0, longest - len(x))) for x in clips])
    resampled = change_rate(torch.from_numpy(padded), rate, new_rate).numpy()
    return [y[: len(x) * new_rate // rate] for x, y in zip(clips, resampled, strict=True)]


def place_in_silence(clip: np.ndarray, samples: int, level: float, offset: int) -> np.ndarray:
    """Place a whole clip in silence.

    Args:
        clip: float32 (n,) with a peak of 1.
        samples: length of the result.
        level: of the peak in the result, in dB relative to full scale.
        offset: samples off the middle, as far as the clip fits.

    Returns:
        float32 (samples,).

    Raises:
        BuildError: the clip is longer than the result.
    """
    room = samples - len(clip)
    if room < 0:
        raise BuildError(f"a word has {len(clip)} samples; it must fit into {samples}.")
    start = min(max(room // 2 + offset, 0), room)
    placed = np.zeros(samples, np.float32)
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
        float32 (n, samples).
    """
    n, samples = clips.shape
    frequency = np.arange(samples // 2 + 1, dtype=np.float32).clip(min=50)  # flat below the 50th bin
    phases = 2 * np.pi * generator.random((n, len(frequency)), np.float32)
    spectrum = frequency ** (-tilt[:, None] / 2).astype(np.float32) * np.exp(1j * phases)
    x = np.fft.irfft(spectrum, samples)
    power = np.mean(clips**2, axis=1) / 10 ** (ratio / 10)
    scaled: np.ndarray = (x * np.sqrt(power / np.mean(x**2, axis=1))[:, None]).astype(np.float32)
    return scaled
