"""The log-mel spectrogram: equal to the reference, and with the right units."""

from __future__ import annotations

import numpy as np
import pytest

from dabs.domains.audio.logmel import PAPER_LOG_MEL, LogMel, log_mel
from tests.helpers.golden_files import read_golden

PAPER_SAMPLES = 150_526
SMALL = LogMel(sample_rate=16000, n_fft=512, hop=252, bands=64, squared=False)


def tone(frequency: float, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * frequency * np.arange(16000) / 16000)).astype(np.float32)


@pytest.mark.parametrize("prefix", ["", "long_"])
def test_it_equals_the_reference(prefix: str) -> None:
    golden = read_golden("logmel")
    waveform = golden[f"{prefix}waveform"][:PAPER_SAMPLES]
    window = np.zeros(PAPER_SAMPLES, np.float32)
    window[: len(waveform)] = waveform
    found = log_mel(window, PAPER_LOG_MEL)[:, golden[f"{prefix}frames"]]
    np.testing.assert_allclose(found, golden[f"{prefix}log_mel_db"], atol=1e-3, rtol=0)


def test_shapes_follow_the_settings() -> None:
    assert PAPER_LOG_MEL.frames(PAPER_SAMPLES) == 224
    assert SMALL.frames(16000) == 64
    assert log_mel(np.zeros((3, 16000), np.float32), SMALL).shape == (3, 64, 64)


def test_rows_rise_with_frequency() -> None:
    bands = [int(log_mel(tone(f), SMALL)[:, 32].argmax()) for f in (200, 800, 3000, 7000)]
    assert bands == sorted(set(bands))


def test_half_the_amplitude_is_six_decibels_less_or_twelve_when_squared() -> None:
    squared = LogMel(sample_rate=16000, n_fft=512, hop=252, bands=64, squared=True)
    for settings, decibels in ((SMALL, 6.02), (squared, 12.04)):
        loud, soft = (log_mel(tone(1000, a), settings)[:, 32].max() for a in (0.5, 0.25))
        assert loud - soft == pytest.approx(decibels, abs=0.01)


def test_each_clip_has_its_own_floor() -> None:
    both = log_mel(np.stack([tone(500, 0.9), tone(500, 0.009)]), SMALL)
    for picture in both:
        assert picture.max() - picture.min() <= 80.001
    np.testing.assert_allclose(both[1], log_mel(tone(500, 0.009), SMALL), atol=1e-4)


def test_silence_is_finite() -> None:
    assert np.isfinite(log_mel(np.zeros(16000, np.float32), SMALL)).all()
