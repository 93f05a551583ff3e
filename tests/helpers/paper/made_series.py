"""Small samples of the paper's speech and sensor datasets, made instead of cut from the publishers' files.

Each function writes `folder` with the files of `shared/data/paper/NAME`, which `layouts.py` completes. Clips are
tones.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from dabs.domains.audio.clip_sets import ACTIONS, LOCATIONS, OBJECTS
from dabs.domains.audio.words import SPEECH_COMMANDS
from dabs.domains.series.pamap2 import ACTIVITIES, COLUMNS
from tests.helpers.paper.layouts import clip
from tests.helpers.paper.written import write_lines, write_table

SECONDS = 0.2
LONGER_THAN_A_WINDOW = 10.0
STRETCH = 352  # steps of an activity: two training windows, one window for validation or test


def librispeech(folder: Path) -> None:
    """Twelve clips of three training speakers, three of them longer than a window; five of ten validation speakers."""
    speakers = [("train-clean-100", speaker, 12) for speaker in (19, 26, 27)]
    for subset, speaker, count in speakers + [("dev-clean", 100 + 7 * n, 5) for n in range(10)]:
        root, names = folder / f"LibriSpeech/{subset}/{speaker}/198", []
        for n in range(count):
            names.append(f"{speaker}-198-{n:04d}")
            long = subset != "dev-clean" and n % 4 == 0
            length = LONGER_THAN_A_WINDOW if long else SECONDS
            clip(root / f"{names[-1]}.flac", length, seed=n, frequency=100 + 5 * speaker)
        write_lines(root / f"{speaker}-198.trans.txt", [f"{name} SOME WORDS" for name in names])


def audiomnist(folder: Path) -> None:
    """Ten digits of three training speakers, one for validation and two for the test."""
    for speaker, digit in product((28, 56, 7, 12, 26, 52), range(10)):
        path = folder / f"AudioMNIST/data/{speaker:02d}/{digit}_{speaker:02d}_0.wav"
        clip(path, SECONDS, rate=8000, seed=speaker, frequency=200 + 50 * digit)


def fluent_speech(folder: Path) -> None:
    """Tables of 200 clips of four speakers each; no clips."""
    random = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        rows: list[dict[str, object]] = []
        for n in range(200):
            speaker = f"{split}{n % 4}"
            labels = {"action": ACTIONS, "object": OBJECTS, "location": LOCATIONS}
            drawn = {field: names[random.integers(len(names))] for field, names in labels.items()}
            path = f"wavs/speakers/{speaker}/{split}-{n:04d}.wav"
            rows.append({"": n, "path": path, "speakerId": speaker, "transcription": "Some words"} | drawn)
        write_table(folder / f"fluent_speech_commands_dataset/data/{split}_data.csv", rows)


def google_speech(folder: Path) -> None:
    """Every word once from each of four speakers, and a noise."""
    for speaker, (n, word) in product(range(4), enumerate(SPEECH_COMMANDS)):
        clip(folder / word / f"{speaker:08x}_nohash_0.wav", SECONDS, seed=n, frequency=150 + 20 * n)
    clip(folder / "_background_noise_/pink_noise.wav", SECONDS)


def voxceleb1(folder: Path) -> None:
    """Three videos of six people: one each for training, validation and test."""
    lines = []
    for person, split in product(range(6), (1, 2, 3)):
        path = f"id{10001 + person}/video{split}/0000{split}.wav"
        clip(folder / "wav" / path, SECONDS, seed=split, frequency=150 + 60 * person)
        lines.append(f"{split} {path}")
    write_lines(folder / "iden_split.txt", lines)


def pamap2(folder: Path) -> None:
    """Every activity once for eight people, only rope jumping for the ninth; the heart rate is mostly missing."""
    protocol = folder / "PAMAP2_Dataset/Protocol"
    protocol.mkdir(parents=True)
    random = np.random.default_rng(0)
    for subject in range(101, 110):
        activity = np.repeat((24,) if subject == 109 else tuple(ACTIVITIES), STRETCH)
        table = random.integers(-90, 90, (len(activity), COLUMNS)) + activity[:, None] * 100.0
        table[:, 0], table[:, 1] = np.arange(len(activity)) / 100, activity
        table[np.arange(len(table)) % 9 > 0, 2] = np.nan
        table[5, 7:9] = np.nan
        np.savetxt(protocol / f"subject{subject}.dat", table, fmt=["%.2f", *["%g"] * (COLUMNS - 1)])


SERIES = {
    "librispeech": librispeech,
    "audiomnist": audiomnist,
    "fluent_speech": fluent_speech,
    "google_speech": google_speech,
    "voxceleb1": voxceleb1,
    "pamap2": pamap2,
}
