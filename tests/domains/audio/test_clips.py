"""Clips: golden spectrograms; heads, tails, padding, rates and formats."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from dabs.domains.audio.clips import SAMPLES, STEP, DecibelStats, make_spectrograms, read_windows
from dabs.domains.sources.listing import Item
from tests.helpers.golden_files import read_golden

PLAIN = DecibelStats(mean=0.0, std=1.0)


@pytest.mark.parametrize("prefix", ["", "long_"])
def test_a_file_gives_the_golden_spectrogram(tmp_path, prefix):
    numbers = read_golden("logmel")
    frames, expected = numbers[f"{prefix}frames"], numbers[f"{prefix}log_mel_db"]
    path = tmp_path / "clip.wav"
    soundfile.write(path, numbers[f"{prefix}waveform"], 16000, subtype="FLOAT")
    from dataclasses import replace

    from dabs.domains.audio.logmel import PAPER_LOG_MEL, log_mel

    clips, rate = read_windows(str(path), both=False)
    assert rate == 16000
    found = log_mel(clips, replace(PAPER_LOG_MEL, sample_rate=rate))[0]
    np.testing.assert_allclose(found[:, frames], expected, atol=1e-3, rtol=0)
    stored = make_spectrograms(Item(source=str(path), group="g"), PLAIN, both=False)
    assert stored.shape == (1, 1, 224, 224)
    # stored values are rounded to the grid, and to float16: half a unit in the last of its eleven bits
    np.testing.assert_allclose(stored[0, 0][:, frames], expected, atol=1e-3 + STEP / 2, rtol=2**-11)


def test_stored_values_are_on_the_grid_and_within_a_tenth_of_a_decibel(tmp_path):
    numbers = read_golden("logmel")
    soundfile.write(tmp_path / "clip.wav", numbers["waveform"], 16000, subtype="FLOAT")
    level = DecibelStats(mean=-22.924, std=12.587)
    stored = make_spectrograms(Item(source=str(tmp_path / "clip.wav"), group="g"), level, both=False).astype(np.float32)
    decibels = stored[0, 0] * level.std + level.mean
    np.testing.assert_allclose(decibels[:, numbers["frames"]], numbers["log_mel_db"], atol=0.1)
    np.testing.assert_allclose(decibels / STEP, np.rint(decibels / STEP), atol=0.3)  # float16 moves it by 0.04 dB


def ramp(path, length, rate=16000, channels=1):
    x = np.arange(length, dtype=np.float32) / length
    soundfile.write(path, np.stack([x, *([-x] * (channels - 1))], axis=1), rate, subtype="FLOAT")
    return str(path)


def test_a_short_clip_is_padded_and_has_one_window(tmp_path):
    got, _ = read_windows(ramp(tmp_path / "a.wav", 5000), both=True)
    assert got.shape == (1, SAMPLES)
    np.testing.assert_allclose(got[0, :5000], np.arange(5000) / 5000, atol=1e-6)
    assert not got[0, 5000:].any()


@pytest.mark.parametrize("both", [False, True])
def test_a_long_clip_gives_head_and_tail_for_training_and_its_head_for_evaluation(tmp_path, both):
    length = SAMPLES + 1000
    got, _ = read_windows(ramp(tmp_path / "a.wav", length), both=both)
    assert len(got) == 1 + both
    x = np.arange(length, dtype=np.float32) / length
    np.testing.assert_allclose(got[0], x[:SAMPLES], atol=1e-6)
    if both:
        np.testing.assert_allclose(got[1], x[-SAMPLES:], atol=1e-6)


def test_a_clip_of_exactly_one_window_is_not_doubled(tmp_path):
    assert len(read_windows(ramp(tmp_path / "a.wav", SAMPLES), both=True)[0]) == 1


def test_the_first_channel_is_used(tmp_path):
    got, _ = read_windows(ramp(tmp_path / "a.wav", 1000, channels=2), both=False)
    assert got.min() >= 0


def test_the_rate_of_the_file_sets_the_bands(tmp_path):
    """At a higher rate the same tone is in a lower band, because nothing is resampled."""
    bands = []
    for rate in (16000, 48000):
        tone = 0.3 * np.sin(2 * np.pi * 3000 * np.arange(2 * rate) / rate)
        soundfile.write(tmp_path / "a.wav", tone, rate)
        bands.append(
            int(
                make_spectrograms(Item(source=str(tmp_path / "a.wav"), group="g"), PLAIN, both=False)[
                    0, 0, :, 5
                ].argmax()
            )
        )
    assert bands[1] < bands[0]


@pytest.mark.parametrize(("name", "decodes"), [("a.wav", True), ("a.flac", True), ("a.ogg", True), ("a.m4a", False)])
def test_formats(tmp_path, name, decodes):
    path = tmp_path / name
    if decodes:
        soundfile.write(path, np.zeros(8000), 16000)
        assert read_windows(str(path), both=False)[0].shape == (1, SAMPLES)
    else:
        path.write_bytes(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
        with pytest.raises(soundfile.LibsndfileError):
            read_windows(str(path), both=False)
