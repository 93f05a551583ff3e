"""Shoulder exercises: 2.56 seconds of acceleration and rotation at the wrist.

The source does not mention pairs, but people 1 and 2, 3 and 4, 5 and 6, 7 and 10, and 8 and 9 take nearly the same time
for every exercise with either arm, as if they had trained side by side. Both people of a pair are in the same split.

A window is a piece of a recording played at a random speed, with a random gain and offset for each channel: the speed
of an exercise told people and exercises apart, and the mean and deviation of each channel told the exercises apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dabs.data.domain import (
    PRETRAIN,
    TEST,
    TRAIN,
    VALIDATION,
    BuildError,
    Card,
    Classes,
    Domain,
    Rows,
    Scalar,
    Task,
    Workspace,
)
from dabs.domains.sources.unpickle import load_numpy_only
from dabs.domains.sources.wheels import Wheel, read_member
from dabs.specs import Series

STEPS, CHANNELS, RATE = 128, 6, 50  # RATE in Hz
# steps between the starts of two windows of a recording; None: each starts where the last one ends, without overlap
TASK_STRIDE = {TRAIN: 32, VALIDATION: 64, TEST: None}
PRETRAIN_STRIDE = {TRAIN: 8, VALIDATION: 64}
DURATION = (0.8, 2.4)  # seconds; the range that the duration of a repetition, as played, is drawn from
GAIN = (0.5, 1.5)  # the range that the deviation of a channel of a window is drawn from
OFFSET = (-1.0, 1.0)  # the range that its mean is drawn from
RESOLUTION = 2**16  # values are rounded to a multiple of 1 / RESOLUTION, so that their sums are exact
REPETITIONS = 20  # in every recording, according to the source
# pairs of people who seem to have trained together, by split
PAIRS = {TRAIN: ((1, 2), (3, 4)), VALIDATION: ((5, 6),), TEST: ((7, 10), (8, 9))}
# in the order of the source's labels
EXERCISES = (
    "pendulum",
    "abduction",
    "forward elevation",
    "internal rotation",
    "external rotation",
    "trapezius extension",
    "upright row",
)

WHEEL = Wheel(
    package="seglearn", version="1.2.5", sha256="ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd"
)
MEMBER = "seglearn/data/watch_dataset.npy"


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """One exercise by one arm of one person.

    Attributes:
        series: float64 (steps, 6).
        person: its number in the source, 1 to 10.
        exercise: an index into `EXERCISES`.
        right: whether it was the right arm.
    """

    series: np.ndarray
    person: int
    exercise: int
    right: bool

    @property
    def tempo(self) -> float:
        """The mean duration of one repetition in seconds."""
        return len(self.series) / RATE / REPETITIONS


def read_recordings(data: bytes) -> list[Recording]:
    """Read the recordings from seglearn's file, sorted by person, exercise and arm.

    Raises:
        BuildError: the file has another layout, or a recording is not finite numbers in six channels.
    """
    source = load_numpy_only(data)
    try:
        columns = (source["X"], source["subject"], source["y"], source["side"])
        found = [
            Recording(series=series, person=int(person), exercise=int(exercise), right=side == 1)
            for series, person, exercise, side in zip(*columns, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BuildError(f"{MEMBER} is not laid out as in seglearn 1.2.5: {error!r}.") from error
    if any(r.series.ndim != 2 or r.series.shape[1] != CHANNELS or not np.isfinite(r.series).all() for r in found):
        raise BuildError(f"{MEMBER} has a recording that is not finite numbers in {CHANNELS} channels.")
    return sorted(found, key=lambda r: (r.person, r.exercise, r.right))


def play(series: np.ndarray, start: int, step: float) -> np.ndarray:
    """Read `STEPS` values of a series, `step` of its steps apart, by linear interpolation; float64 (128, channels)."""
    time = start + step * np.arange(STEPS)
    left = np.minimum(time.astype(np.int64), len(series) - 2)
    share = (time - left)[:, None]
    played: np.ndarray = series[left] * (1 - share) + series[left + 1] * share
    return played


def redraw_gain(windows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Replace the mean and deviation of each channel of each window by random ones.

    All sums are of integers, and the rest is one float64 operation after another on single values, so that the result
    has the same bytes on every processor.

    Args:
        windows: float64 (n, steps, channels).
        generator: draws the deviations and means, uniformly from `GAIN` and `OFFSET`.

    Returns:
        float16 (n, steps, channels).
    """
    x, count = np.rint(windows * RESOLUTION).astype(np.int64), windows.shape[1]
    total = x.sum(axis=1, keepdims=True)
    deviation = np.sqrt((count * (x * x).sum(axis=1, keepdims=True) - total * total).astype(np.float64)) / count
    gain, offset = (low + (high - low) * generator.random(total.shape) for low, high in (GAIN, OFFSET))
    redrawn: np.ndarray = (x - total / count) / np.maximum(deviation, 1) * gain + offset
    return redrawn.astype(np.float16)


def cut_windows(
    recording: Recording, stride: int | None, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a recording into windows that are played at random speeds.

    The duration of a repetition, as played, is drawn first, and the speed is what makes the recording's mean duration
    that long. The duration therefore says nothing about the person or the exercise.

    Args:
        recording: what to cut.
        stride: steps between the starts of two windows; None to start each window after the end of the last one.
        generator: draws the durations, gains and offsets.

    Returns:
        The windows, float16 (n, 128, 6), and the duration of a repetition in each in seconds, float32 (n,).
    """
    windows, durations, start = [], [], 0
    low, high = DURATION
    while True:
        duration = low + (high - low) * generator.random()
        step = recording.tempo / duration
        end = start + step * (STEPS - 1)
        if end > len(recording.series) - 1:
            break
        windows.append(play(recording.series, start, step))
        durations.append(duration)
        start = start + stride if stride else int(end) + 2
    return redraw_gain(np.stack(windows), generator), np.array(durations, dtype=np.float32)


def window_rows(dataset: str, split: str, recording: Recording, pair: tuple[int, int], workspace: Workspace) -> Rows:
    """Return all windows of a recording as rows of a dataset; those of both tasks are the same."""
    pretraining = dataset == PRETRAIN
    stride = (PRETRAIN_STRIDE if pretraining else TASK_STRIDE)[split]
    key = (int(pretraining), recording.person, recording.exercise, int(recording.right))
    x, durations = cut_windows(recording, stride, workspace.generator(*key))
    labels = {PRETRAIN: None, "exercise": np.full(len(x), recording.exercise, dtype=np.int64), "tempo": durations}
    group = f"people {pair[0]} and {pair[1]}"
    arm = "right" if recording.right else "left"
    cluster = f"person {recording.person}, {EXERCISES[recording.exercise]}, {arm} arm"
    return Rows(
        dataset=dataset,
        split=split,
        inputs=(x,),
        label=labels[dataset],
        group=[group] * len(x),
        cluster=[cluster] * len(x),
    )


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yield the windows of every recording; the pretraining set has more of them, but none of the test people."""
    found = read_recordings(read_member(workspace.sources[WHEEL.name], MEMBER))
    for split, pairs in PAIRS.items():
        for pair in pairs:
            for recording in found:
                if recording.person in pair:
                    for dataset in ("exercise", "tempo") + ((PRETRAIN,) if split != TEST else ()):
                        yield window_rows(dataset, split, recording, pair, workspace)


CARD = Card(
    title="Shoulder exercises recorded by a smartwatch",
    origin="recorded",
    licence="BSD-3-Clause (seglearn)",
    citation=(
        "D. M. Burns et al., Shoulder physiotherapy exercise recognition: machine learning the inertial signals from a "
        "smartwatch, Physiological Measurement 39 (2018), arXiv:1802.01489; D. M. Burns and C. M. Whyne, Seglearn, "
        "JMLR 19 (2018), arXiv:1803.08118"
    ),
    source="seglearn 1.2.5: 140 recordings of 7 exercises by each arm of 10 healthy people, 50 Hz",
    size="11 MB wheel, 28 MB prepared",
    notes=(
        "Only ten people, four of them in the test split: the interval over windows says nothing about other people. "
        "They seem to have trained in pairs whose recordings last equally long; a pair is always in one split. The "
        "speed of a window, and the gain and offset of each of its channels, are drawn at random when the data is "
        "built: the means and deviations of the channels used to tell the exercises apart, and the exercise the tempo."
    ),
)

LITE = Domain(
    name="sensor",
    suite="lite",
    title="Wearable sensors",
    specs=(Series(steps=STEPS, channels=CHANNELS, segment=4),),
    card=CARD,
    tasks=(
        Task(
            name="exercise",
            question="Which of seven shoulder exercises does a person not seen in training do, at a random speed?",
            target=Classes(names=EXERCISES),
            metric="accuracy",
            split_by="pair of people who trained together",
        ),
        Task(
            name="tempo",
            question="How long does one repetition of an exercise take, as played at a random speed for 2.56 seconds?",
            target=Scalar(low=DURATION[0], high=DURATION[1]),
            metric="spearman",
            split_by="pair of people who trained together",
        ),
    ),
    sources=(WHEEL,),
    build=build,
    version=2,
    steps=400,  # there are few segments, so a step costs half as much as in other domains
)
