"""Synthesised speech: words spoken by espeak-ng's voices in noise, as log-mel spectrograms.

The voices, not their copies: of variants that sound nearly alike only one is used, so that an unseen voice is really
unseen. (Nearly alike: mean log-mel spectra under 1.1 dB apart; two voices are 4 dB apart in the median.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, Card, Classes, Domain, Rows, Task, Workspace
from dabs.domains.audio.espeak import SAMPLE_RATE, Word, speak
from dabs.domains.audio.logmel import LogMel, log_mel
from dabs.domains.audio.waveforms import noise, place, resample, trim
from dabs.specs import Image

RATE, SAMPLES = 16000, 16000  # Hz; one second
SETTINGS = LogMel(sample_rate=RATE, n_fft=512, hop=252, bands=64, squared=False)  # 64 frames of 32 ms
MEAN, STD = -44.37, 16.82  # dB, over the training rows of pretraining
BLOCK = 1000  # clips made at a time

# what differs from clip to clip, each drawn evenly; as hard as leaves an untrained encoder room above and below
TEMPO, PITCH, INFLECTION = (140, 221), (30, 71), (30, 71)  # words a minute; espeak-ng's 0 to 99, where 50 is usual
JITTER = 2400  # samples (0.15 s) off the middle of the second, at most
LEVEL = (-10.0, -1.0)  # dB of the word's peak under full scale
SNR = (20.0, 45.0)  # dB, power of the second without noise over that of the noise
TILT = (0.0, 2.0)  # the noise's power falls with frequency ** -tilt: white to brown


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


VOICES = {
    TRAIN: _listed(
        "Alex Andrea Andy AnxiousAndy Demonic Diogo Gene Hugo Michael Mike Reed RicishayMax RicishayMax2 adam anika "
        "antonio aunty caleb croak david edward f1 f3 ian iven iven2 iven4 kaukovalta klatt klatt3 klatt4 m3 m4 m5 m6 "
        "m8 miguel mike2 pedro rob robosoft robosoft5 robosoft6 robosoft8 steph whisper whisperf"
    ),
    VALIDATION: _listed("Lee Tweaky f5 m2 norbert sandro travis victor"),
    TEST: _listed(
        "Alicia Annie Denis Jacky Mario Nguyen Storm belinda boris ed f2 f4 grandma gustave john linda m1 m7 max pablo "
        "paul quincy shelby zac"
    ),
}
SPEAKERS = _listed(
    "Alex Andrea Andy Diogo Gene Michael Reed RicishayMax anika aunty caleb croak f1 f3 iven kaukovalta m3 miguel rob "
    "whisper"
)
# the 35 words of Speech Commands v0.02 (Warden, 2018)
COMMANDS = _listed(
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero"
)
# other words of one or two syllables, for telling voices apart
OTHER_WORDS = {
    VALIDATION: _listed("apple bridge chair garden lemon paper silver table water winter"),
    TEST: _listed(
        "basket bottle candle cloud coffee doctor engine finger flower glass hammer island jacket kitchen letter "
        "monkey mother orange pencil picture river summer train village yellow"
    ),
}
# nought to nine as words, because espeak-ng reads some digits wrongly where the script is not Latin
NUMERALS = {
    "en-us": _listed("zero one two three four five six seven eight nine"),
    "fr": _listed("zéro un deux trois quatre cinq six sept huit neuf"),
    "es": _listed("cero uno dos tres cuatro cinco seis siete ocho nueve"),
    "de": _listed("null eins zwei drei vier fünf sechs sieben acht neun"),
    "cmn": _listed("零 一 二 三 四 五 六 七 八 九"),
    "ja": _listed("ゼロ いち に さん よん ご ろく なな はち きゅう"),
    "ko": _listed("영 일 이 삼 사 오 육 칠 팔 구"),
}
LANGUAGES = tuple(NUMERALS)


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A word in a language by a voice, with its label and the group it belongs to."""

    text: str
    language: str
    voice: str
    label: int
    group: str


def word_utterances(split: str) -> list[Utterance]:
    """Every command by every voice of the split."""
    return [
        Utterance(text=text, language="en-us", voice=voice, label=label, group=f"voice {voice}")
        for voice in VOICES[split]
        for label, text in enumerate(COMMANDS)
    ]


def voice_utterances(split: str) -> list[Utterance]:
    """Every word of the split by every one of the speakers."""
    return [
        Utterance(text=text, language="en-us", voice=voice, label=label, group=f"word {text}")
        for text in (COMMANDS if split == TRAIN else OTHER_WORDS[split])
        for label, voice in enumerate(SPEAKERS)
    ]


def language_utterances(split: str) -> list[Utterance]:
    """Every numeral of every language by every voice of the split."""
    return [
        Utterance(text=text, language=language, voice=voice, label=label, group=f"voice {voice}")
        for voice in VOICES[split]
        for label, language in enumerate(LANGUAGES)
        for text in NUMERALS[language]
    ]


# how often each utterance is said, differently every time
PLANS = {
    "word": (word_utterances, {TRAIN: 2, VALIDATION: 2, TEST: 2}),
    "voice": (voice_utterances, {TRAIN: 5, VALIDATION: 3, TEST: 4}),
    "language": (language_utterances, {TRAIN: 1, VALIDATION: 1, TEST: 1}),
}


def say_differently(utterances: list[Utterance], generator: np.random.Generator) -> list[Word]:
    """The utterances with a tempo, a pitch and an inflection drawn for each."""
    n = len(utterances)
    drawn = [generator.integers(low, high, n).tolist() for low, high in (TEMPO, PITCH, INFLECTION)]
    return [
        Word(text=u.text, language=u.language, voice=u.voice, rate=rate, pitch=pitch, inflection=inflection)
        for u, rate, pitch, inflection in zip(utterances, *drawn, strict=True)
    ]


def spectrograms(utterances: list[Utterance], generator: np.random.Generator) -> np.ndarray:
    """What the encoder sees: float16 (n, 1, 64, 64), low bands first, standardised over the training rows."""
    spoken = [trim(samples) for samples in speak(say_differently(utterances, generator))]
    words = resample(spoken, SAMPLE_RATE, RATE)
    levels, offsets = generator.uniform(*LEVEL, len(words)), generator.integers(-JITTER, JITTER + 1, len(words))
    clips = np.stack([place(w, SAMPLES, *draw) for w, *draw in zip(words, levels, offsets, strict=True)])
    clips += noise(clips, generator.uniform(*SNR, len(clips)), generator.uniform(*TILT, len(clips)), generator)
    pictures: np.ndarray = ((log_mel(clips, SETTINGS) - MEAN) / STD)[:, None].astype(np.float16)
    return pictures


def build(workspace: Workspace) -> Iterator[Rows]:
    """The tasks' rows; their training rows without labels are the pretraining set, the validation rows watch it."""
    for key, (task, (utterances_of, times)) in enumerate(PLANS.items()):
        for part, (split, repeats) in enumerate(times.items()):
            utterances = utterances_of(split) * repeats
            workspace.say(f"speaking {len(utterances):,} clips of {task}/{split}")
            for first in range(0, len(utterances), BLOCK):
                block = utterances[first : first + BLOCK]
                inputs = (spectrograms(block, workspace.generator(key, part, first)),)
                group = [u.group for u in block]
                label = np.array([u.label for u in block])
                yield Rows(dataset=task, split=split, inputs=inputs, label=label, group=group)
                if split != TEST:
                    step = 1 if split == TRAIN else 3  # a third of the validation rows is enough to watch a loss
                    yield Rows(
                        dataset=PRETRAIN, split=split, inputs=(inputs[0][::step],), label=None, group=group[::step]
                    )


CARD = Card(
    title="Spoken words from espeak-ng",
    origin="synthesised",
    licence="espeak-ng and its voices: GPL-3.0-or-later; the clips are made on your machine and not redistributed",
    citation=(
        "espeak-ng 1.52, https://github.com/espeak-ng/espeak-ng; the words are those of P. Warden, Speech Commands, "
        "arXiv:1804.03209 (2018)"
    ),
    source="espeakng-loader 0.2.4, a dependency of this project: espeak-ng's library and 79 of its 104 voice variants",
    size="nothing is fetched beyond that package (10 MB); 218 MB prepared, spoken in about 40 s",
    notes=(
        "No human speaks here: scores say little about recorded speech. 79 voices (47 train, 8 validation, 24 test), "
        "tempo, pitch and inflection drawn for each clip, noise 20 to 45 dB below. The pretraining set is the training "
        "rows of the three tasks without labels. The samples may differ slightly with the platform and with other "
        "versions of espeak-ng; the manifest's hashes say whether two machines hold the same."
    ),
)

DOMAIN = Domain(
    name="speech",
    suite="lite",
    title="Speech (synthesised)",
    specs=(Image(height=64, width=64, channels=1, patch=8),),
    card=CARD,
    tasks=(
        Task(
            name="word",
            question="Which of 35 command words is spoken, by a voice not heard in training?",
            target=Classes(names=COMMANDS),
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
)
