"""The synthesiser: repeatable words, and errors that say what is missing."""

from __future__ import annotations

from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from dabs.domains.audio.espeak import SAMPLE_RATE, EspeakLibrary, Word, speak, voice_names
from dabs.errors import DabsError

WORDS = [Word(text=text, language="en-us", voice=voice) for voice in ("f3", "whisper") for text in ("seven", "wow")]


def test_a_list_of_words_always_gives_the_same_samples() -> None:
    first, second = speak(WORDS), speak(WORDS)
    assert len(first) == len(WORDS)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_words_have_plausible_lengths_and_levels() -> None:
    for samples in speak(WORDS):
        assert samples.dtype == np.int16
        assert 0.1 < len(samples) / SAMPLE_RATE < 1.0
        assert np.abs(samples.astype(int)).max() > 3000


def test_a_faster_word_is_shorter_and_a_higher_one_has_a_higher_pitch() -> None:
    plain = Word(text="wow", language="en-us", voice="m3", rate=150, pitch=20, inflection=0)
    slow, fast, high = speak(
        [plain, Word(**{**vars(plain), "rate": 300}), Word(**{**vars(plain), "pitch": 80})],
    )
    assert len(fast) < 0.75 * len(slow)
    assert _pitch(high) > 1.2 * _pitch(slow)


def _pitch(samples: np.ndarray) -> float:
    """Return the strongest frequency, in Hz, between 60 and 400 Hz in the middle of a word."""
    x = samples[len(samples) // 4 : len(samples) // 2].astype(float)
    correlation = np.correlate(x, x, "full")[len(x) - 1 :]
    low, high = SAMPLE_RATE // 400, SAMPLE_RATE // 60
    return SAMPLE_RATE / (low + int(np.argmax(correlation[low:high])))


def test_other_scripts_are_spoken() -> None:
    words = [Word(text=t, language=lg, voice="f3") for t, lg in (("七", "cmn"), ("なな", "ja"), ("칠", "ko"))]
    assert all(len(samples) > 0.1 * SAMPLE_RATE for samples in speak(words))


def test_an_unknown_voice_is_refused_and_not_replaced_by_the_default() -> None:
    with pytest.raises(DabsError, match="no voice 'nobody'"):
        speak([Word(text="yes", language="en-us", voice="nobody")])


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(DabsError, match=r"no language and voice 'xx\+f3'"):
        speak([Word(text="yes", language="xx", voice="f3")])


def test_voice_names_are_the_variants() -> None:
    assert {"f1", "m1", "whisper"} <= set(voice_names())
    assert voice_names() == sorted(voice_names())


def test_a_long_path_to_the_voice_data_is_reached_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 200)
    deep.mkdir()
    data = deep / "espeak-ng-data"
    data.symlink_to(espeakng_loader.get_data_path())
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(data))
    assert len(EspeakLibrary(tmp_path).speak(WORDS[0])) > 0
