"""The lists of the speech datasets.

The made samples are tones. Real are: google_speech (with our lists), LibriSpeech (dev-clean is cut from test-other),
and Fluent's tables. Stand-ins: audiomnist (FSDD digits under AudioMNIST's speaker numbers), voxceleb1 (LibriSpeech
under made-up names).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dabs.data.domain import BuildError
from dabs.domains.audio import clip_sets
from dabs.domains.audio.words import SPEECH_COMMANDS


def utterances(root: Path, speakers: dict[int, int], subset: str = "dev-clean") -> Path:
    """Write empty clips with their transcripts, so many for each speaker's number."""
    for speaker, count in speakers.items():
        folder = root / f"LibriSpeech/{subset}/{speaker}/1"
        folder.mkdir(parents=True)
        names = [f"{speaker}-1-{i:04d}" for i in range(count)]
        for name in names:
            (folder / f"{name}.flac").touch()
        (folder / f"{speaker}-1.trans.txt").write_text("".join(f"{name} WORDS\n" for name in names))
    return root


def test_librispeech_speakers_are_split_as_in_the_reference(tmp_path, check_disjoint):
    speakers = {84: 50, 1272: 20, 251: 10}
    found = clip_sets.list_librispeech(utterances(tmp_path, speakers))
    check_disjoint(found)
    # the reference: one generator, speakers by number, each speaker's clips shuffled, the first 80 % train
    names = sorted(f"{s}-1-{i:04d}" for s, n in speakers.items() for i in range(n))
    random = np.random.RandomState(42)
    test = []
    for speaker in sorted(speakers):
        places = np.array([i for i, name in enumerate(names) if name.startswith(f"{speaker}-")])
        random.shuffle(places)
        test += [names[i] for i in places[int(0.8 * len(places)) :]]
    assert [i.group for i in found["test"]] == test
    assert Counter(i.label for i in found["test"]) == {0: 10, 1: 2, 2: 4}
    assert Counter(i.label for i in found["validation"]) == {0: 5, 1: 1, 2: 2}
    assert Counter(i.label for i in found["train"]) == {0: 35, 1: 7, 2: 14}
    assert {i.group.split("-")[0] for i in found["train"] if i.label == 1} == {
        "251"
    }  # labels are in the order of numbers, not of names


def test_the_sample_of_librispeech(official, check_disjoint):
    found = clip_sets.list_librispeech(official("librispeech"))
    check_disjoint(found)
    assert [len(items) for items in found.values()] == [30, 10, 10]
    assert all({i.label for i in items} == set(range(10)) for items in found.values())


def test_librispeech_pretraining_has_three_subsets_and_no_test_speakers(official):
    found = {split: list(items) for split, items in clip_sets.list_librispeech_pretraining(official("librispeech"))}
    assert {split: len(items) for split, items in found.items()} == {"train": 36, "validation": 50}
    speakers = {split: {i.group.split("-")[0] for i in items} for split, items in found.items()}
    assert speakers["train"] == {"19", "26", "27"}
    tested = {i.group.split("-")[0] for i in clip_sets.list_librispeech(official("librispeech"))["test"]}
    assert not speakers["train"] & tested
    assert all(i.label is None for i in found["train"])


def test_more_than_40_speakers_are_not_dev_clean(tmp_path):
    with pytest.raises(BuildError, match="41 speakers, not 40"):
        clip_sets.list_librispeech(utterances(tmp_path, dict.fromkeys(range(41), 1)))


def test_audio_mnist_speakers_are_split_as_in_the_paper(tmp_path, check_disjoint):
    for speaker in range(1, 61):
        for digit in range(2):
            path = tmp_path / f"AudioMNIST/data/{speaker:02d}/{digit}_{speaker:02d}_7.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    found = clip_sets.list_audio_mnist(tmp_path)
    check_disjoint(found)
    speakers = {split: {int(i.group.split()[1]) for i in items} for split, items in found.items()}
    assert speakers["test"] == {26, 52, 60, 18, 32, 42, 5, 13, 22, 33, 45, 51}
    assert speakers["validation"] == {12, 47, 59, 15, 27, 41, 4, 11, 21, 31, 44, 50}
    assert len(speakers["train"]) == 36
    assert all(Path(i.source).name[0] == str(i.label) for i in found["test"])


def test_the_stand_in_of_audio_mnist(samples, official, check_disjoint):
    found = clip_sets.list_audio_mnist(official("audiomnist"))
    check_disjoint(found)
    assert [len(items) // 10 for items in found.values()] == {"real": [24, 8, 16], "made": [3, 1, 2]}[samples.origin]
    assert {i.label for i in found["validation"]} == set(range(10))


@pytest.mark.parametrize(
    ("field", "names"),
    [("action", clip_sets.ACTIONS), ("object", clip_sets.OBJECTS), ("location", clip_sets.LOCATIONS)],
)
def test_fluent_speech_follows_the_three_tables_and_separates_speakers(samples, check_disjoint, field, names):
    import csv

    root = samples.sample("fluent_speech")
    found = clip_sets.list_fluent_speech(root, field)
    check_disjoint(found)
    for split, table in (("train", "train"), ("validation", "valid"), ("test", "test")):
        with open(root / f"fluent_speech_commands_dataset/data/{table}_data.csv", newline="") as file:
            rows = {row["path"].split("/")[-1]: row for row in csv.DictReader(file)}
        assert {Path(i.source).name: names[i.label] for i in found[split]} == {n: r[field] for n, r in rows.items()}
        assert {i.group for i in found[split]} == {f"speaker {r['speakerId']}" for r in rows.values()}


def test_google_speech_has_35_words_and_leaves_the_listed_clips_out_of_training(official, check_disjoint):
    root = official("google_speech") / "SpeechCommands/speech_commands_v0.02"
    lists = {
        s: (root / f"{n}_list.txt").read_text().split() for s, n in (("validation", "validation"), ("test", "testing"))
    }
    found = clip_sets.list_google_speech(official("google_speech"))
    check_disjoint(found)
    for split, listed in lists.items():
        assert sorted("/".join(Path(i.source).parts[-2:]) for i in found[split]) == sorted(listed)
    train = {"/".join(Path(i.source).parts[-2:]) for i in found["train"]}
    assert not train & {*lists["validation"], *lists["test"]}
    assert not any("_background_noise_" in name for name in train)
    assert len(SPEECH_COMMANDS) == 35
    spoken = [path for path in root.glob("*/*.wav") if not path.parent.name.startswith("_")]
    assert sum(map(len, found.values())) == len(spoken)


def test_google_speech_speakers(tmp_path, check_disjoint):
    root = tmp_path / "SpeechCommands/speech_commands_v0.02"
    for word, speaker in (("yes", "a"), ("no", "a"), ("yes", "b"), ("no", "c"), ("_background_noise_", "pink")):
        (root / word).mkdir(parents=True, exist_ok=True)
        name = "pink.wav" if word.startswith("_") else f"{speaker}_nohash_0.wav"
        (root / word / name).touch()
    (root / "validation_list.txt").write_text("yes/b_nohash_0.wav\n")
    (root / "testing_list.txt").write_text("no/c_nohash_0.wav\n")
    found = clip_sets.list_google_speech(tmp_path)
    check_disjoint(found)
    assert {s: [SPEECH_COMMANDS[i.label] for i in items] for s, items in found.items()} == {
        "train": ["no", "yes"], "validation": ["yes"], "test": ["no"],
    }  # fmt: skip
    (root / "testing_list.txt").write_text("no/c_nohash_0.wav\nno/a_nohash_0.wav\n")
    with pytest.raises(BuildError, match="speaker a"):
        clip_sets.list_google_speech(tmp_path)


def test_the_stand_in_of_voxceleb1_follows_iden_split(official, check_disjoint):
    root = official("voxceleb1")
    found = clip_sets.list_voxceleb1(root)
    check_disjoint(found)
    for split, number in (("train", "1"), ("validation", "2"), ("test", "3")):
        lines = [line.split() for line in (root / "iden_split.txt").read_text().splitlines()]
        listed = {path for n, path in lines if n == number}
        assert {"/".join(Path(i.source).parts[-3:]) for i in found[split]} == listed
        assert all(clip_sets.CELEBRITIES[i.label] == Path(i.source).parts[-3] for i in found[split])
    assert (len(clip_sets.CELEBRITIES), clip_sets.CELEBRITIES[0], clip_sets.CELEBRITIES[-1]) == (
        1251,
        "id10001",
        "id11251",
    )


@pytest.mark.parametrize("name", ["id11252", "id10000"])
def test_an_unknown_speaker_in_iden_split_is_refused(tmp_path, name):
    (tmp_path / "wav").mkdir()
    (tmp_path / "iden_split.txt").write_text(f"1 {name}/v1/00001.wav\n2 {name}/v2/00001.wav\n3 {name}/v3/00001.wav\n")
    with pytest.raises(BuildError, match=name):
        clip_sets.list_voxceleb1(tmp_path)
