"""The clips of each speech dataset by split, from its official lists.

Nothing is decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from dabs.data.domain import TRAIN, VALIDATION, BuildError
from dabs.domains.audio.words import SPEECH_COMMANDS, split_words
from dabs.domains.sources.listing import Item, Listing, deal, hold_out, make_listing

LIBRISPEECH_TRAIN, LIBRISPEECH_VALIDATION = ("train-clean-100", "train-clean-360", "train-other-500"), "dev-clean"
TRAIN_SHARE, REFERENCE_SEED = 0.8, 42  # of the reference's split of each speaker's clips
VALIDATION_SHARE = 0.125  # of the training clips, which is a tenth of all clips
AUDIO_MNIST_SPEAKERS = {
    "test": (26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51),
    "validation": (12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50),
}
ACTIONS = ("change language", "activate", "deactivate", "increase", "decrease", "bring")
OBJECTS = split_words("none music lights volume heat lamp newspaper juice socks shoes Chinese Korean English German")
LOCATIONS = ("none", "kitchen", "bedroom", "washroom")
DEV_CLEAN_SPEAKERS = split_words(
    "84 174 251 422 652 777 1272 1462 1673 1919 1988 1993 2035 2078 2086 2277 2412 2428 2803 2902 3000 3081 3170 3536 "
    "3576 3752 3853 5338 5536 5694 5895 6241 6295 6313 6319 6345 7850 7976 8297 8842"
)
COMMANDS = split_words("yes no up down left right on off stop go")
COMMANDS_TEST_SHARE, COMMANDS_VALIDATION_SHARE = 0.2, 0.1  # of the speakers of the test archive
CELEBRITIES = tuple(f"id{number}" for number in range(10001, 11252))


def _utterances(root: Path, subset: str) -> Iterator[tuple[Item, int]]:
    """Yield the clips of a LibriSpeech subset with their speakers, sorted; the group is the utterance's id."""
    from torchaudio.datasets import LIBRISPEECH

    found = LIBRISPEECH(root, url=subset)
    for n in range(len(found)):
        path, _, _, speaker, _, _ = found.get_metadata(n)
        yield Item(source=str(root / "LibriSpeech" / path), group=Path(path).stem), speaker


def list_librispeech_pretraining(root: Path) -> Iterator[tuple[str, Iterator[Item]]]:
    """List the three training subsets; dev-clean, which the speaker task uses too, is the validation split."""
    yield TRAIN, (item for subset in LIBRISPEECH_TRAIN for item, _ in _utterances(root, subset))
    yield VALIDATION, (item for item, _ in _utterances(root, LIBRISPEECH_VALIDATION))


def list_librispeech(root: Path) -> Listing:
    """List dev-clean by speaker: 80 % of each speaker's clips train, 20 % test, shuffled with the reference's seed.

    As in the reference, single clips are assigned to splits, so a chapter may be in several of them.

    Raises:
        BuildError: there are more than 40 speakers, so it is not dev-clean.
    """
    by_speaker: dict[int, list[Item]] = {}
    for item, speaker in _utterances(root, LIBRISPEECH_VALIDATION):
        by_speaker.setdefault(speaker, []).append(item)
    if len(by_speaker) > len(DEV_CLEAN_SPEAKERS):
        raise BuildError(
            f"{root}/LibriSpeech/dev-clean holds {len(by_speaker)} speakers, not {len(DEV_CLEAN_SPEAKERS)}."
        )
    shuffle = np.random.RandomState(REFERENCE_SEED).shuffle  # one generator for all speakers, in order of their numbers
    train: list[Item] = []
    validation: list[Item] = []
    test: list[Item] = []
    for label, speaker in enumerate(sorted(by_speaker)):
        clips, order = by_speaker[speaker], np.arange(len(by_speaker[speaker]))
        shuffle(order)
        ordered = [replace(clips[i], label=label) for i in order]
        cut = int(TRAIN_SHARE * len(ordered))
        kept = cut - max(round(VALIDATION_SHARE * cut), 1)
        train += ordered[:kept]
        validation += ordered[kept:cut]
        test += ordered[cut:]
    return make_listing(train, validation, test)


def list_librispeech_dev(root: Path, without: set[str]) -> dict[str, list[Item]]:
    """List dev-clean and dev-other for pretraining; a tenth of the speakers of dev-other is the validation split.

    Args:
        root: the folder that holds `LibriSpeech/`.
        without: groups to leave out, because a task tests on them.
    """
    clean = [item for item, _ in _utterances(root, LIBRISPEECH_VALIDATION) if item.group not in without]
    other = [(item, str(speaker)) for item, speaker in _utterances(root, "dev-other")]
    _, held_out = hold_out([replace(item, group=speaker) for item, speaker in other])
    speakers = {item.group for item in held_out}
    return {
        TRAIN: clean + [item for item, speaker in other if speaker not in speakers],
        VALIDATION: [item for item, speaker in other if speaker in speakers],
    }


def list_commands(root: Path) -> Listing:
    """List the ten commands of the test archive of Speech Commands v0.02, `WORD/SPEAKER_nohash_N.wav`, by speaker.

    No library reads this archive. Its folders of unknown words and of silence are left out.
    """
    paths = [(label, path) for label, word in enumerate(COMMANDS) for path in sorted((root / word).glob("*.wav"))]
    items = [
        Item(source=str(path), group=f"speaker {path.name.split('_')[0]}", label=label)
        for label, path in paths
        if "_nohash_" in path.name
    ]
    return deal(items, COMMANDS_TEST_SHARE, COMMANDS_VALIDATION_SHARE)


def list_audio_mnist(root: Path) -> Listing:
    """List AudioMNIST, `AudioMNIST/data/NN/D_NN_I.wav` (digit, speaker, repetition), split by speaker.

    GitHub's archive calls the folder `AudioMNIST-master`. No library reads this dataset.
    """
    folder = next(path for name in ("", "-master") if (path := root / f"AudioMNIST{name}" / "data").is_dir())
    splits: dict[str, list[Item]] = {"train": [], "validation": [], "test": []}
    split_of = {speaker: split for split, speakers in AUDIO_MNIST_SPEAKERS.items() for speaker in speakers}
    for path in sorted(folder.glob("*/*.wav")):
        digit, speaker, _ = path.stem.split("_")
        split = split_of.get(int(speaker), "train")
        splits[split].append(Item(source=str(path), group=f"speaker {int(speaker)}", label=int(digit)))
    return make_listing(splits["train"], splits["validation"], splits["test"])


def list_fluent_speech(root: Path, field: str) -> Listing:
    """List Fluent Speech Commands, `fluent_speech_commands_dataset/data/{train,valid,test}_data.csv`, by speaker.

    Args:
        root: the folder that holds the dataset.
        field: what the label is: "action", "object" or "location".
    """
    from torchaudio.datasets import FluentSpeechCommands

    names = {"action": ACTIONS, "object": OBJECTS, "location": LOCATIONS}[field]
    column = {"action": 5, "object": 6, "location": 7}[field]

    def items_of(subset: str) -> list[Item]:
        """Return the items of an official list, sorted."""
        found, items = FluentSpeechCommands(root, subset=subset), []
        for n in range(len(found)):
            row = found.get_metadata(n)
            source = str(root / "fluent_speech_commands_dataset" / row[0])
            items.append(Item(source=source, group=f"speaker {row[3]}", label=names.index(row[column])))
        return sorted(items, key=lambda item: str(item.source))

    return make_listing(items_of("train"), items_of("valid"), items_of("test"))


def list_google_speech(root: Path) -> Listing:
    """List Speech Commands v0.02, 35 words, by the official validation and testing lists, which separate speakers."""
    from torchaudio.datasets import SPEECHCOMMANDS

    def items_of(subset: str) -> list[Item]:
        """Return the items of an official list, sorted."""
        found, items = SPEECHCOMMANDS(root, subset=subset), []
        for n in range(len(found)):
            path, _, word, speaker, _ = found.get_metadata(n)
            source = str(root / "SpeechCommands" / path)
            items.append(Item(source=source, group=f"speaker {speaker}", label=SPEECH_COMMANDS.index(word)))
        return sorted(items, key=lambda item: str(item.source))

    return make_listing(items_of("training"), items_of("validation"), items_of("testing"))


def list_voxceleb1(root: Path) -> Listing:
    """List VoxCeleb1 for identification: `wav/idNNNNN/VIDEO/NNNNN.wav`, by `iden_split.txt` (1 train, 2 val, 3 test).

    All splits have the same people, because the task is to recognise them; no video is in two splits.
    """
    from torchaudio.datasets import VoxCeleb1Identification

    def items_of(subset: str) -> list[Item]:
        """Return the items of an official list; the library sorts them."""
        found, items = VoxCeleb1Identification(root, subset=subset, meta_url="iden_split.txt"), []
        for n in range(len(found)):
            path = found.get_metadata(n)[0]
            speaker, video, _ = path.split("/")
            items.append(Item(source=str(root / "wav" / path), group=f"{speaker}/{video}", label=_celebrity(speaker)))
        return items

    return make_listing(items_of("train"), items_of("dev"), items_of("test"))


def _celebrity(speaker: str) -> int:
    number = int(speaker[2:]) - 10_001 if re.fullmatch(r"id\d{5}", speaker) else -1
    if number not in range(len(CELEBRITIES)):
        raise BuildError(f"iden_split.txt names {speaker!r}; VoxCeleb1 has {CELEBRITIES[0]} to {CELEBRITIES[-1]}.")
    return number


LIST_FUNCTIONS: dict[str, Callable[[Path], Listing]] = {  # by task
    "librispeech": list_librispeech,
    "audio_mnist": list_audio_mnist,
    "fluent_speech_action": lambda root: list_fluent_speech(root, "action"),
    "fluent_speech_object": lambda root: list_fluent_speech(root, "object"),
    "fluent_speech_location": lambda root: list_fluent_speech(root, "location"),
    "google_speech": list_google_speech,
    "voxceleb1": list_voxceleb1,
}
