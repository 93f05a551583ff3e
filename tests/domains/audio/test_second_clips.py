"""Spectrograms of one second: windows, resampling, gain, and the splits of the clips."""

from __future__ import annotations

import numpy as np
import pytest

from dabs.data.domain import TEST
from dabs.domains.audio import clip_sets
from dabs.domains.audio.second_clips import MAX_WINDOWS, SAMPLES, cut_seconds, second_spectrograms
from dabs.domains.sources.listing import Item
from tests.helpers.paper.layouts import clip


@pytest.mark.parametrize(("seconds", "every"), [(0.2, 1), (1.5, 1), (3.2, 3), (30.0, MAX_WINDOWS)])
def test_windows_are_whole_and_spread_over_the_clip(seconds, every):
    samples = np.arange(int(16_000 * seconds), dtype=np.float64)
    windows = cut_seconds(samples, every=True)
    assert windows.shape == (every, SAMPLES)
    if every > 1:
        assert (windows[0, 0], windows[-1, -1]) == (0, len(samples) - 1)
    (middle,) = cut_seconds(samples, every=False)
    if len(samples) > SAMPLES:
        assert abs(middle[0] - (len(samples) - 1 - middle[-1])) <= 1
    else:
        assert (middle[: len(samples)] == samples).all()
        assert not middle[len(samples) :].any()


def test_gain_and_sampling_rate_do_not_matter(tmp_path):
    import soundfile

    tone = {}
    for rate in (16_000, 48_000):
        path = clip(tmp_path / f"{rate}.wav", 1.0, rate=rate, frequency=1000.0)
        tone[rate] = second_spectrograms(Item(source=str(path), group="g"), every=False)[0, 0].astype(float)
    assert tone[16_000].shape == (64, 64)
    assert tone[16_000].max() == 2
    assert tone[16_000].min() >= -2
    loudest = [x[:, 20:40].mean(axis=1).argmax() for x in tone.values()]
    assert loudest[0] == loudest[1]
    samples, rate = soundfile.read(tmp_path / "16000.wav")
    soundfile.write(tmp_path / "quiet.wav", samples / 8, rate, subtype="FLOAT")
    soundfile.write(tmp_path / "loud.wav", samples, rate, subtype="FLOAT")
    quiet, loud = (
        second_spectrograms(Item(source=str(tmp_path / f"{n}.wav"), group="g"), every=False) for n in ("quiet", "loud")
    )
    assert np.abs(quiet.astype(float) - loud.astype(float)).max() <= 0.125 / 20


def test_pretraining_leaves_out_what_the_task_tests_on(tmp_path):
    for subset, speakers in (("dev-clean", range(10)), ("dev-other", range(100, 120))):
        for speaker in speakers:
            for n in range(5):
                root = tmp_path / f"LibriSpeech/{subset}/{speaker}/7"
                clip(root / f"{speaker}-7-{n:04d}.flac", 0.05)
                (root / f"{speaker}-7.trans.txt").write_text("".join(f"{speaker}-7-{k:04d} WORDS\n" for k in range(5)))
    task = clip_sets.list_librispeech(tmp_path)
    tested = {item.group for item in task[TEST]}
    found = clip_sets.list_librispeech_dev(tmp_path, tested)
    groups = {split: {item.group for item in items} for split, items in found.items()}
    assert len(tested) == 10
    assert not tested & (groups["train"] | groups["validation"])
    assert {split: len(names) for split, names in groups.items()} == {"train": 40 + 90, "validation": 10}
    speakers = {split: {name.split("-")[0] for name in names} for split, names in groups.items()}
    assert not speakers["train"] & speakers["validation"]


def test_commands_are_dealt_by_speaker(tmp_path, check_disjoint):
    for speaker in range(40):
        for word in ("yes", "stop"):
            clip(tmp_path / word / f"{speaker:08x}_nohash_0.wav", 0.05)
        clip(tmp_path / "_unknown_" / f"bed_{speaker:08x}_nohash_0.wav.wav", 0.05)
    found = clip_sets.list_commands(tmp_path)
    check_disjoint(found)
    assert {split: len(items) for split, items in found.items()} == {"train": 56, "validation": 8, "test": 16}
    assert {item.label for items in found.values() for item in items} == {0, clip_sets.COMMANDS.index("stop")}


def test_githubs_archive_of_audio_mnist_is_read(tmp_path):
    for speaker in (1, 12, 26):
        clip(tmp_path / f"AudioMNIST-master/data/{speaker:02d}/0_{speaker:02d}_0.wav", 0.05)
    found = clip_sets.list_audio_mnist(tmp_path)
    assert {split: items[0].group for split, items in found.items()} == {
        "train": "speaker 1",
        "validation": "speaker 12",
        "test": "speaker 26",
    }
