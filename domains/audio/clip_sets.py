"""What each set of speech holds and in which split: read from its official lists, sorted, nothing decoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dabs.data.domain import TRAIN, VALIDATION, BuildError
from dabs.domains.sources.rows import Item, Listing, listing


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


LIBRISPEECH_TRAIN, LIBRISPEECH_WATCHED = ("train-clean-100", "train-clean-360", "train-other-500"), "dev-clean"
TRAIN_SHARE, SEED = 0.8, 42  # of a speaker's clips; the reference's
VALIDATION_SHARE = 0.125  # of the training clips: a tenth of all
AUDIO_MNIST = {
    "test": (26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51),
    "validation": (12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50),
}
ACTIONS = ("change language", "activate", "deactivate", "increase", "decrease", "bring")
OBJECTS = _listed("none music lights volume heat lamp newspaper juice socks shoes Chinese Korean English German")
LOCATIONS = ("none", "kitchen", "bedroom", "washroom")
WORDS = _listed(
    "backward bed bird cat dog down eight five follow forward four go happy house learn left marvin nine no off on one "
    "right seven sheila six stop three tree two up visual wow yes zero"
)
DEV_CLEAN = _listed(
    "84 174 251 422 652 777 1272 1462 1673 1919 1988 1993 2035 2078 2086 2277 2412 2428 2803 2902 3000 3081 3170 3536 "
    "3576 3752 3853 5338 5536 5694 5895 6241 6295 6313 6319 6345 7850 7976 8297 8842"
)
CELEBRITIES = tuple(f"id{number}" for number in range(10001, 11252))


def _utterances(root: Path, subset: str) -> Iterator[tuple[Item, int]]:
    """The clips of a subset of LibriSpeech with their speakers, sorted; the group is the utterance's id."""
    from torchaudio.datasets import LIBRISPEECH

    found = LIBRISPEECH(root, url=subset)
    for n in range(len(found)):
        path, _, _, speaker, _, _ = found.get_metadata(n)
        yield Item(source=str(root / "LibriSpeech" / path), group=Path(path).stem), speaker


def librispeech_pretraining(root: Path) -> Iterator[tuple[str, Iterator[Item]]]:
    """The three training subsets, and dev-clean to watch, which is also what the speaker task asks about."""
    yield TRAIN, (item for subset in LIBRISPEECH_TRAIN for item, _ in _utterances(root, subset))
    yield VALIDATION, (item for item, _ in _utterances(root, LIBRISPEECH_WATCHED))


def librispeech(root: Path) -> Listing:
    """dev-clean by speaker: 80 % of each speaker's clips train, 20 % test, shuffled with the reference's seed.

    The unit is the clip, as in the reference: chapters stand on both sides.

    Raises:
        BuildError: more than 40 speakers are there, so it is not dev-clean.
    """
    by_speaker: dict[int, list[Item]] = {}
    for item, speaker in _utterances(root, LIBRISPEECH_WATCHED):
        by_speaker.setdefault(speaker, []).append(item)
    if len(by_speaker) > len(DEV_CLEAN):
        raise BuildError(f"{root}/LibriSpeech/dev-clean holds {len(by_speaker)} speakers, not {len(DEV_CLEAN)}.")
    shuffle = np.random.RandomState(SEED).shuffle  # one generator over speakers in order of their numbers, as there
    train: list[Item] = []
    validation: list[Item] = []
    test: list[Item] = []
    for label, speaker in enumerate(sorted(by_speaker)):
        clips, order = by_speaker[speaker], np.arange(len(by_speaker[speaker]))
        shuffle(order)
        ordered = [_labelled(clips[i], label) for i in order]
        cut = int(TRAIN_SHARE * len(ordered))
        kept = cut - max(round(VALIDATION_SHARE * cut), 1)
        train += ordered[:kept]
        validation += ordered[kept:cut]
        test += ordered[cut:]
    return listing(train, validation, test)


def _labelled(item: Item, label: int) -> Item:
    return Item(source=item.source, group=item.group, label=label)


def audio_mnist(root: Path) -> Listing:
    """AudioMNIST: `AudioMNIST/data/NN/D_NN_I.wav` (digit, speaker, repetition); no library reads it. By speaker."""
    sides: dict[str, list[Item]] = {"train": [], "validation": [], "test": []}
    side_of = {speaker: side for side, speakers in AUDIO_MNIST.items() for speaker in speakers}
    for path in sorted((root / "AudioMNIST" / "data").glob("*/*.wav")):
        digit, speaker, _ = path.stem.split("_")
        side = side_of.get(int(speaker), "train")
        sides[side].append(Item(source=str(path), group=f"speaker {int(speaker)}", label=int(digit)))
    return listing(sides["train"], sides["validation"], sides["test"])


def fluent_speech(root: Path, field: str) -> Listing:
    """Fluent Speech Commands: `fluent_speech_commands_dataset/data/{train,valid,test}_data.csv`, apart by speaker.

    Args:
        root: the folder that holds it.
        field: "action", "object" or "location".
    """
    from torchaudio.datasets import FluentSpeechCommands

    names = {"action": ACTIONS, "object": OBJECTS, "location": LOCATIONS}[field]
    place = {"action": 5, "object": 6, "location": 7}[field]

    def split(name: str) -> list[Item]:
        """One of the official lists, sorted."""
        found, items = FluentSpeechCommands(root, subset=name), []
        for n in range(len(found)):
            row = found.get_metadata(n)
            source = str(root / "fluent_speech_commands_dataset" / row[0])
            items.append(Item(source=source, group=f"speaker {row[3]}", label=names.index(row[place])))
        return sorted(items, key=lambda item: str(item.source))

    return listing(split("train"), split("valid"), split("test"))


def google_speech(root: Path) -> Listing:
    """Speech Commands v0.02, 35 words: official validation and testing lists, which keep speakers apart."""
    from torchaudio.datasets import SPEECHCOMMANDS

    def split(name: str) -> list[Item]:
        """One of the official lists, sorted."""
        found, items = SPEECHCOMMANDS(root, subset=name), []
        for n in range(len(found)):
            path, _, word, speaker, _ = found.get_metadata(n)
            source = str(root / "SpeechCommands" / path)
            items.append(Item(source=source, group=f"speaker {speaker}", label=WORDS.index(word)))
        return sorted(items, key=lambda item: str(item.source))

    return listing(split("training"), split("validation"), split("testing"))


def voxceleb1(root: Path) -> Listing:
    """VoxCeleb1 identification: `wav/idNNNNN/VIDEO/NNNNN.wav` and `iden_split.txt` (1 train, 2 validation, 3 test).

    The same people stand in all splits, because they are the question; of each, the clips of one video are tested.
    """
    from torchaudio.datasets import VoxCeleb1Identification

    def split(name: str) -> list[Item]:
        """One of the official lists, sorted."""
        found, items = VoxCeleb1Identification(root, subset=name, meta_url="iden_split.txt"), []
        for n in range(len(found)):
            path = found.get_metadata(n)[0]
            speaker, video, _ = path.split("/")
            items.append(Item(source=str(root / "wav" / path), group=f"{speaker}/{video}", label=_celebrity(speaker)))
        return items  # the library sorts them

    return listing(split("train"), split("dev"), split("test"))


def _celebrity(speaker: str) -> int:
    number = int(speaker[2:]) - 10_001 if re.fullmatch(r"id\d{5}", speaker) else -1
    if number not in range(len(CELEBRITIES)):
        raise BuildError(f"iden_split.txt names {speaker!r}; VoxCeleb1 has {CELEBRITIES[0]} to {CELEBRITIES[-1]}.")
    return number


READERS: dict[str, Callable[[Path], Listing]] = {
    "librispeech": librispeech,
    "audio_mnist": audio_mnist,
    "fluent_speech_action": lambda root: fluent_speech(root, "action"),
    "fluent_speech_object": lambda root: fluent_speech(root, "object"),
    "fluent_speech_location": lambda root: fluent_speech(root, "location"),
    "google_speech": google_speech,
    "voxceleb1": voxceleb1,
}
