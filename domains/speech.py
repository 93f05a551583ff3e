"""Synthesised speech: words by espeak-ng's voices in noise, as spectrograms.

Of voice variants that sound nearly alike only one is used, so that an unseen voice is really unseen. Nearly alike means
that their mean log-mel spectra differ by less than 1.1 dB; the median over all pairs of voices is 4 dB.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, Card, Classes, Domain, Rows, Task, Workspace
from dabs.domains.audio.espeak import SAMPLE_RATE, Word, speak
from dabs.domains.audio.logmel import LogMel, log_mel
from dabs.domains.audio.waveforms import make_noise, place_in_silence, resample, trim
from dabs.domains.audio.words import SPEECH_COMMANDS, split_words
from dabs.specs import Image

RATE, SAMPLES = 16000, 16000  # Hz; samples of one second
SETTINGS = LogMel(sample_rate=RATE, n_fft=512, hop=252, bands=64, squared=False)  # 64 frames of 32 ms
# a stored value v means LOWEST + STEP * v decibels, from the least that a spectrogram shows to 27.5, which no clip
# reaches. Processors differ by about 1e-11 dB, so it is most unlikely that two of them round a value differently
LOWEST, STEP = -100.0, 0.5
BLOCK_CLIPS = 1000  # made at a time

# varied from clip to clip, each uniformly; chosen to keep an untrained encoder away from both chance and the ceiling
TEMPO, PITCH, INFLECTION = (140, 221), (30, 71), (30, 71)  # words per minute; espeak-ng's 0 to 99, where 50 is normal
MAX_OFFSET = 2400  # samples (0.15 s) off the middle of the second
PEAK_LEVEL = (-10.0, -1.0)  # dB relative to full scale
SNR = (20.0, 45.0)  # signal-to-noise ratio of mean powers in dB
TILT = (0.0, 2.0)  # the noise's power falls as frequency ** -tilt, from white to brown


VOICES = {
    TRAIN: split_words(
        "Alex Andrea Andy AnxiousAndy Demonic Diogo Gene Hugo Michael Mike Reed RicishayMax RicishayMax2 adam anika "
        "antonio aunty caleb croak david edward f1 f3 ian iven iven2 iven4 kaukovalta klatt klatt3 klatt4 m3 m4 m5 m6 "
        "m8 miguel mike2 pedro rob robosoft robosoft5 robosoft6 robosoft8 steph whisper whisperf"
    ),
    VALIDATION: split_words("Lee Tweaky f5 m2 norbert sandro travis victor"),
    TEST: split_words(
        "Alicia Annie Denis Jacky Mario Nguyen Storm belinda boris ed f2 f4 grandma gustave john linda m1 m7 max pablo "
        "paul quincy shelby zac"
    ),
}
SPEAKERS = split_words(
    "Alex Andrea Andy Diogo Gene Michael Reed RicishayMax anika aunty caleb croak f1 f3 iven kaukovalta m3 miguel rob "
    "whisper"
)
# other words of one or two syllables, for the task `voice`
OTHER_WORDS = {
    VALIDATION: split_words("apple bridge chair garden lemon paper silver table water winter"),
    TEST: split_words(
        "basket bottle candle cloud coffee doctor engine finger flower glass hammer island jacket kitchen letter "
        "monkey mother orange pencil picture river summer train village yellow"
    ),
}
# zero to nine as words, because espeak-ng misreads some digits in languages without Latin script
NUMERALS = {
    "en-us": split_words("zero one two three four five six seven eight nine"),
    "fr": split_words("zéro un deux trois quatre cinq six sept huit neuf"),
    "es": split_words("cero uno dos tres cuatro cinco seis siete ocho nueve"),
    "de": split_words("null eins zwei drei vier fünf sechs sieben acht neun"),
    "cmn": split_words("零 一 二 三 四 五 六 七 八 九"),
    "ja": split_words("ゼロ いち に さん よん ご ろく なな はち きゅう"),
    "ko": split_words("영 일 이 삼 사 오 육 칠 팔 구"),
}
LANGUAGES = tuple(NUMERALS)


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A word in a language by a voice, with its label and its group."""

    text: str
    language: str
    voice: str
    label: int
    group: str


def list_word_utterances(split: str) -> list[Utterance]:
    """List every command by every voice of the split."""
    return [
        Utterance(text=text, language="en-us", voice=voice, label=label, group=f"voice {voice}")
        for voice in VOICES[split]
        for label, text in enumerate(SPEECH_COMMANDS)
    ]


def list_voice_utterances(split: str) -> list[Utterance]:
    """List every word of the split by every speaker."""
    return [
        Utterance(text=text, language="en-us", voice=voice, label=label, group=f"word {text}")
        for text in (SPEECH_COMMANDS if split == TRAIN else OTHER_WORDS[split])
        for label, voice in enumerate(SPEAKERS)
    ]


def list_language_utterances(split: str) -> list[Utterance]:
    """List every numeral of every language by every voice of the split."""
    return [
        Utterance(text=text, language=language, voice=voice, label=label, group=f"voice {voice}")
        for voice in VOICES[split]
        for label, language in enumerate(LANGUAGES)
        for text in NUMERALS[language]
    ]


# for each task its utterances, and how often each is spoken, every time differently
PLANS = {
    "word": (list_word_utterances, {TRAIN: 2, VALIDATION: 2, TEST: 2}),
    "voice": (list_voice_utterances, {TRAIN: 5, VALIDATION: 3, TEST: 4}),
    "language": (list_language_utterances, {TRAIN: 1, VALIDATION: 1, TEST: 1}),
}


def vary_delivery(utterances: list[Utterance], generator: np.random.Generator) -> list[Word]:
    """Draw a tempo, a pitch and an inflection for each utterance."""
    n = len(utterances)
    drawn = [generator.integers(low, high, n).tolist() for low, high in (TEMPO, PITCH, INFLECTION)]
    return [
        Word(text=u.text, language=u.language, voice=u.voice, rate=rate, pitch=pitch, inflection=inflection)
        for u, rate, pitch, inflection in zip(utterances, *drawn, strict=True)
    ]


def make_spectrograms(utterances: list[Utterance], generator: np.random.Generator) -> np.ndarray:
    """Speak utterances in noise; return spectrograms, uint8 (n, 1, 64, 64), low bands first; see `LOWEST`."""
    spoken = [trim(samples) for samples in speak(vary_delivery(utterances, generator))]
    words = resample(spoken, SAMPLE_RATE, RATE)
    levels = generator.uniform(*PEAK_LEVEL, len(words))
    offsets = generator.integers(-MAX_OFFSET, MAX_OFFSET + 1, len(words))
    clips = np.stack([place_in_silence(w, SAMPLES, *draw) for w, *draw in zip(words, levels, offsets, strict=True)])
    clips += make_noise(clips, generator.uniform(*SNR, len(clips)), generator.uniform(*TILT, len(clips)), generator)
    return to_grid(log_mel(clips, SETTINGS))[:, None]


def to_grid(decibels: np.ndarray) -> np.ndarray:
    """Round decibels to the stored grid, uint8; see `LOWEST`."""
    stored: np.ndarray = np.rint((decibels - LOWEST) / STEP).clip(0, 255).astype(np.uint8)
    return stored


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yield the rows of the tasks and, without labels and test rows, of the pretraining set."""
    for key, (task, (utterances_of, times)) in enumerate(PLANS.items()):
        for part, (split, repeats) in enumerate(times.items()):
            utterances = utterances_of(split) * repeats
            workspace.say(f"speaking {len(utterances):,} clips of {task}/{split}")
            for first in range(0, len(utterances), BLOCK_CLIPS):
                block = utterances[first : first + BLOCK_CLIPS]
                inputs = (make_spectrograms(block, workspace.generator(key, part, first)),)
                group = [u.group for u in block]
                label = np.array([u.label for u in block])
                yield Rows(dataset=task, split=split, inputs=inputs, label=label, group=group)
                if split != TEST:
                    step = 1 if split == TRAIN else 3  # a third of the validation rows is enough for a validation loss
                    yield Rows(
                        dataset=PRETRAIN, split=split, inputs=(inputs[0][::step],), label=None, group=group[::step]
                    )


CARD = Card(
    title="Spoken words from espeak-ng",
    origin="synthesised",
    licence="espeak-ng and its voices: GPL-3.0-or-later; the clips are made on your machine and not redistributed",
    citation=(
        "espeak-ng 1.52, https://github.com/espeak-ng/espeak-ng; the words are from P. Warden, Speech Commands, "
        "arXiv:1804.03209 (2018)"
    ),
    source="espeakng-loader 0.2.4, a dependency of this project: espeak-ng's library with 79 of its 104 voice variants",
    size="nothing is fetched except that package (10 MB); 109 MB prepared, spoken in about 40 s",
    notes=(
        "No human speaks here, so scores say little about recorded speech. 79 voices (47 train, 8 validation, 24 "
        "test); tempo, pitch and inflection are drawn for each clip, with noise 20 to 45 dB below. The pretraining set "
        "has the training rows of the three tasks without labels. Spectrograms are rounded to half a decibel, so that "
        "every x86-64 processor prepares the same bytes; other platforms and versions of espeak-ng may speak otherwise."
    ),
)

LITE = Domain(
    name="speech",
    suite="lite",
    title="Speech (synthesised)",
    specs=(Image(height=64, width=64, channels=1, patch=8),),
    card=CARD,
    tasks=(
        Task(
            name="word",
            question="Which of 35 command words is spoken, by a voice not heard in training?",
            target=Classes(names=SPEECH_COMMANDS),
            metric="accuracy",
            split_by="voice",
        ),
        Task(
            name="voice",
            question="Which of 20 voices speaks, in a word not heard in training?",
            target=Classes(names=SPEAKERS),
            metric="accuracy",
            split_by="word",
        ),
        Task(
            name="language",
            question="In which of seven languages is a numeral spoken, by a voice not heard in training?",
            target=Classes(names=LANGUAGES),
            metric="accuracy",
            split_by="voice",
        ),
    ),
    sources=(),
    build=build,
    version=2,
)
