"""Speech: voices, words and labels by split; complete, normalised clips."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchaudio

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError, Domain
from dabs.data.prepared import open_prepared
from dabs.domains import speech
from dabs.domains.audio.espeak import voice_names
from dabs.domains.audio.waveforms import make_noise, place_in_silence, resample, trim

SPLITS = (TRAIN, VALIDATION, TEST)
RANDOM = np.random.default_rng(0)


def test_voices_exist_and_are_in_one_split() -> None:
    voices = [voice for split in SPLITS for voice in speech.VOICES[split]]
    assert len(voices) == len(set(voices)) == 79
    assert set(voices) <= set(voice_names())
    assert set(speech.SPEAKERS) <= set(speech.VOICES[TRAIN])


def test_words_of_the_voice_task_are_in_one_split() -> None:
    words = [*speech.SPEECH_COMMANDS, *speech.OTHER_WORDS[VALIDATION], *speech.OTHER_WORDS[TEST]]
    assert len(words) == len(set(words)) == 35 + 10 + 25


def test_every_language_has_ten_numerals() -> None:
    assert all(len(set(words)) == 10 for words in speech.NUMERALS.values())
    assert len(speech.NUMERALS) == 7


@pytest.mark.parametrize("task", list(speech.PLANS))
def test_labels_are_equally_frequent(task: str) -> None:
    utterances_of, times = speech.PLANS[task]
    for split in SPLITS:
        counts = np.bincount([u.label for u in utterances_of(split)])
        assert len(counts) == len(speech.LITE.task(task).target)
        assert len(set(counts)) == 1
        assert len(utterances_of(split)) * times[split] <= {TRAIN: 4000, VALIDATION: 800, TEST: 2000}[split]


def test_labels_name_what_is_said() -> None:
    for u in speech.list_word_utterances(TEST):
        assert speech.SPEECH_COMMANDS[u.label] == u.text
    for u in speech.list_voice_utterances(TEST):
        assert speech.SPEAKERS[u.label] == u.voice
    for u in speech.list_language_utterances(TEST):
        assert u.text in speech.NUMERALS[speech.LANGUAGES[u.label]]
        assert u.language == speech.LANGUAGES[u.label]


def test_neither_test_voices_nor_test_words_are_in_pretraining() -> None:
    """Groups cannot show this: a pretraining row has a voice and a word, but its group names only one of them."""
    seen = [u for utterances_of, _ in speech.PLANS.values() for s in (TRAIN, VALIDATION) for u in utterances_of(s)]
    assert not {u.voice for u in seen} & set(speech.VOICES[TEST])
    assert not {u.text for u in seen} & set(speech.OTHER_WORDS[TEST])


def test_trim_keeps_the_word_and_refuses_silence() -> None:
    samples = np.concatenate([np.zeros(50), np.full(100, 5000), np.zeros(70)]).astype(np.int16)
    np.testing.assert_array_equal(trim(samples), np.ones(100))
    with pytest.raises(BuildError, match="silent"):
        trim(np.zeros(100, np.int16))
    with pytest.raises(BuildError, match="silent"):
        trim(np.zeros(0, np.int16))


@pytest.mark.parametrize("offset", [-2400, 0, 2400])
@pytest.mark.parametrize("length", [1000, 15999, 16000])
def test_place_keeps_the_whole_clip(length: int, offset: int) -> None:
    placed = place_in_silence(np.ones(length, np.float32), 16000, -6.0206, offset)
    assert len(placed) == 16000
    assert placed.max() == pytest.approx(0.5, abs=1e-4)
    assert np.count_nonzero(placed) == length


def test_place_refuses_what_does_not_fit() -> None:
    with pytest.raises(BuildError, match="must fit"):
        place_in_silence(np.ones(16001, np.float32), 16000, 0.0, 0)


def test_noise_has_the_requested_power_and_tilt() -> None:
    clips = RANDOM.normal(size=(2, 16000)).astype(np.float32)
    x = make_noise(clips, np.array([20.0, 10.0]), np.array([0.0, 2.0]), np.random.default_rng(1))
    ratio = 10 * np.log10(np.mean(clips**2, axis=1) / np.mean(x**2, axis=1))
    np.testing.assert_allclose(ratio, [20, 10], atol=0.01)
    spectrum = np.abs(np.fft.rfft(x)) ** 2
    low, high = spectrum[:, 400:600].mean(axis=1), spectrum[:, 4000:6000].mean(axis=1)
    np.testing.assert_allclose(10 * np.log10(low / high), [0, 20], atol=0.5)


def test_resampling_keeps_pitch_and_duration() -> None:
    clip = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050).astype(np.float32)
    (short, long) = resample([clip[:11025], clip], 22050, 16000)
    assert (len(short), len(long)) == (8000, 16000)
    assert np.abs(np.fft.rfft(long)).argmax() == 1000


@pytest.mark.parametrize(("rate", "new_rate"), [(22050, 16000), (16000, 22050), (8000, 16000)])
def test_resampling_is_that_of_torchaudio(rate: int, new_rate: int) -> None:
    clips = [RANDOM.normal(size=size) for size in (rate, 1000, 5)]
    for clip, got in zip(clips, resample(clips, rate, new_rate), strict=True):
        padded = torch.from_numpy(np.pad(clip, (0, rate - len(clip))))
        expected = torchaudio.functional.resample(padded, rate, new_rate).numpy()
        np.testing.assert_allclose(got, expected[: len(got)], atol=1e-12)
        assert len(got) == len(clip) * new_rate // rate


def test_decibels_are_rounded_to_the_nearest_half() -> None:
    decibels = np.array([-100.0, -80.2, -44.37, 0.0, 27.5])
    stored = speech.to_grid(decibels)
    assert stored.dtype == np.uint8
    np.testing.assert_allclose(speech.LOWEST + speech.STEP * stored, [-100, -80, -44.5, 0, 27.5])


def test_a_block_is_the_same_when_made_twice() -> None:
    block = speech.list_word_utterances(TEST)[:4]
    first, second = (speech.make_spectrograms(block, np.random.default_rng(3)) for _ in range(2))
    assert first.shape == (4, 1, 64, 64)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)


def test_prepared_rows_fill_the_grid_and_are_not_silent(prepared: Callable[[str], Domain]) -> None:
    x = open_prepared(prepared("speech")).columns(TRAIN)["input_0"]
    assert x.min() > 0, "the grid ends above the quietest values"
    assert x.max() < 255, "the grid ends below the loudest values"
    inside = (x.max(axis=(1, 2, 3)).astype(float) - x.min(axis=(1, 2, 3))) * speech.STEP
    assert inside.min() > 30  # dB within every clip
