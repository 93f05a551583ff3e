"""Shoulder exercises: 2.56 seconds of acceleration and rotation at the wrist.

The source does not mention pairs, but people 1 and 2, 3 and 4, 5 and 6, 7 and 10, and 8 and 9 take nearly the same time
for every exercise with either arm, as if they had trained side by side. Both people of a pair are in the same split.
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
# steps between the starts of two windows of a recording; a smaller stride gives more, overlapping windows
TASK_STRIDE = {TRAIN: 32, VALIDATION: 64, TEST: 64}
PRETRAIN_STRIDE = {TRAIN: 8, VALIDATION: 64}
REPETITIONS = 20  # in every recording, according to the source
# pairs of people who seem to have trained together, by split
PAIRS = {TRAIN: ((1, 2), (3, 4)), VALIDATION: ((5, 6),), TEST: ((7, 10), (8, 9))}
# over the recordings of people 1 to 4: acceleration in g along x, y, z, then angular speed in rad/s about them
MEAN = np.array([-0.0098, 0.4123, -0.2012, 0.0113, 0.0001, 0.0067])
DEVIATION = np.array([0.9532, 0.5224, 0.6138, 1.1462, 2.6641, 1.1770])
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


def cut_windows(series: np.ndarray, stride: int) -> np.ndarray:
    """Cut a series, (steps, 6), into standardised windows that start every `stride` steps; float16 (n, 128, 6)."""
    starts = range(0, len(series) - STEPS + 1, stride)
    cut: np.ndarray = (np.stack([series[s : s + STEPS] for s in starts]) - MEAN) / DEVIATION
    return cut.astype(np.float16)


def window_rows(dataset: str, split: str, recording: Recording, pair: tuple[int, int]) -> Rows:
    """Return all windows of a recording as rows of a dataset."""
    strides = PRETRAIN_STRIDE if dataset == PRETRAIN else TASK_STRIDE
    x = cut_windows(recording.series, strides[split])
    labels = {
        PRETRAIN: None,
        "exercise": np.full(len(x), recording.exercise, dtype=np.int64),
        "tempo": np.full(len(x), recording.tempo, dtype=np.float32),
    }
    group = f"people {pair[0]} and {pair[1]}"
    return Rows(dataset=dataset, split=split, inputs=(x,), label=labels[dataset], group=[group] * len(x))


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yield the windows of every recording; the pretraining set has more of them, but none of the test people."""
    found = read_recordings(read_member(workspace.sources[WHEEL.name], MEMBER))
    for split, pairs in PAIRS.items():
        for pair in pairs:
            for recording in found:
                if recording.person in pair:
                    for dataset in ("exercise", "tempo") + ((PRETRAIN,) if split != TEST else ()):
                        yield window_rows(dataset, split, recording, pair)


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
    size="11 MB wheel, 32 MB prepared",
    notes=(
        "Only ten people, four of them in the test split: the interval over windows says nothing about other people. "
        "They seem to have trained in pairs whose recordings last equally long; a pair is always in one split."
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
            question="Which of seven shoulder exercises does a person not seen in training do, in 2.56 seconds?",
            target=Classes(names=EXERCISES),
            metric="accuracy",
            split_by="pair of people who trained together",
        ),
        Task(
            name="tempo",
            question="How long does a person not seen in training take for one repetition, seen for 2.56 seconds?",
            target=Scalar(low=0.9, high=2.7),
            metric="spearman",
            split_by="pair of people who trained together",
        ),
    ),
    sources=(WHEEL,),
    build=build,
    steps=400,  # there are few segments, so a step costs half as much as in other domains
)
