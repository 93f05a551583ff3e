"""Watch recordings of shoulder exercises: 2.56 seconds of acceleration and rotation at the wrist.

The source says nothing of pairs, but people 1 and 2, 3 and 4, 5 and 6, 7 and 10, 8 and 9 take nearly equally long for
every exercise with either arm, as people do who train side by side. A pair is therefore never on two sides of a split.
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
# steps between the starts of two windows of a recording: few where rows are scored, more where they teach
TASK_STRIDE = {TRAIN: 32, VALIDATION: 64, TEST: 64}
PRETRAIN_STRIDE = {TRAIN: 8, VALIDATION: 64}
REPETITIONS = 20  # in every recording, as the source says
# pairs of people who trained together, by split
PAIRS = {TRAIN: ((1, 2), (3, 4)), VALIDATION: ((5, 6),), TEST: ((7, 10), (8, 9))}
# over the recordings of people 1 to 4: acceleration in g along x, y, z, then rotation in rad/s about them
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
    """One exercise by one arm of one person; `series` is float64 (steps, 6), `exercise` an index into `EXERCISES`."""

    series: np.ndarray
    person: int
    exercise: int
    right: bool

    @property
    def tempo(self) -> float:
        """Seconds that one repetition takes on average."""
        return len(self.series) / RATE / REPETITIONS


def recordings(data: bytes) -> list[Recording]:
    """The recordings in seglearn's file, sorted by person, exercise and arm.

    Raises:
        BuildError: it is not the file that is meant.
    """
    source = load_numpy_only(data)
    try:
        columns = (source["X"], source["subject"], source["y"], source["side"])
        found = [
            Recording(series=series, person=int(person), exercise=int(exercise), right=side == 1)
            for series, person, exercise, side in zip(*columns, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BuildError(f"{MEMBER} is not laid out as seglearn 1.2.5 has it: {error!r}.") from error
    if any(r.series.ndim != 2 or r.series.shape[1] != CHANNELS or not np.isfinite(r.series).all() for r in found):
        raise BuildError(f"{MEMBER} holds a recording that is not finite numbers in {CHANNELS} channels.")
    return sorted(found, key=lambda r: (r.person, r.exercise, r.right))


def windows(series: np.ndarray, stride: int) -> np.ndarray:
    """Standardised windows of (steps, 6), starting every `stride` steps: float16 (n, 128, 6)."""
    starts = range(0, len(series) - STEPS + 1, stride)
    cut: np.ndarray = (np.stack([series[s : s + STEPS] for s in starts]) - MEAN) / DEVIATION
    return cut.astype(np.float16)


def rows(dataset: str, split: str, recording: Recording, pair: tuple[int, int]) -> Rows:
    """All windows of a recording as rows of a dataset."""
    strides = PRETRAIN_STRIDE if dataset == PRETRAIN else TASK_STRIDE
    x = windows(recording.series, strides[split])
    labels = {
        PRETRAIN: None,
        "exercise": np.full(len(x), recording.exercise, dtype=np.int64),
        "tempo": np.full(len(x), recording.tempo, dtype=np.float32),
    }
    group = f"people {pair[0]} and {pair[1]}"
    return Rows(dataset=dataset, split=split, inputs=(x,), label=labels[dataset], group=[group] * len(x))


def build(workspace: Workspace) -> Iterator[Rows]:
    """The windows of every recording; the pretraining set has more of them, and none of the test people."""
    found = recordings(read_member(workspace.sources[WHEEL.name], MEMBER))
    for split, pairs in PAIRS.items():
        for pair in pairs:
            for recording in found:
                if recording.person in pair:
                    for dataset in ("exercise", "tempo") + ((PRETRAIN,) if split != TEST else ()):
                        yield rows(dataset, split, recording, pair)


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
        "Only ten people, of whom four are tested: the interval over windows says nothing about other people. They "
        "seem to have trained in pairs (two by two their recordings last equally long); a pair is on one side."
    ),
)

DOMAIN = Domain(
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
    steps=400,  # segments are few: a step costs half of what it does elsewhere
)
