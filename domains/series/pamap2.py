"""Wearable sensors: PAMAP2, nine people with three inertial units, 100 Hz.

The reference draws windows at random at every access. Here they are fixed: training windows start every 32 steps of a
stretch (about 50,000, the size of the reference's epoch), and evaluation windows do not overlap. As in the reference,
values are raw: heart rate in beats per minute, then for hand, chest and ankle temperature (°C), acceleration (m/s²),
angular speed (rad/s), magnetic field (µT) and orientation. They are rounded to 1/1024, far below what the sensors
resolve, because processors differ in the last bits of an interpolated value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from dabs.data.domain import (
    PRETRAIN,
    TEST,
    TRAIN,
    VALIDATION,
    BuildError,
    Card,
    Classes,
    Part,
    Rows,
    Task,
    Workspace,
)
from dabs.domains.sources.official import Archive, OfficialFiles
from dabs.specs import Series

STEPS, CHANNELS, COLUMNS = 320, 52, 54
STRIDE = {TRAIN: 32, VALIDATION: STEPS, TEST: STEPS}  # steps between the starts of two windows of a stretch
PREPARED_BYTES = 3_300_000_000  # of about 50,000 windows
GRID = 1024  # steps of a stored value in one unit
MAX_CLOCK_JUMP = 10  # sampling periods; a stretch ends at a greater jump
SUBJECTS = {TRAIN: (101, 102, 103, 104, 107, 108, 109), VALIDATION: (105,), TEST: (106,)}
ACTIVITIES = {
    1: "lying",
    2: "sitting",
    3: "standing",
    4: "walking",
    5: "running",
    6: "cycling",
    7: "Nordic walking",
    12: "ascending stairs",
    13: "descending stairs",
    16: "vacuum cleaning",
    24: "rope jumping",
}
LABELS = {number: label for label, number in enumerate(ACTIVITIES)}

FILES = OfficialFiles(
    name="pamap2",
    expects=tuple(f"PAMAP2_Dataset/Protocol/subject{n}.dat" for n in range(101, 110)),
    archives=(
        Archive(
            url="https://archive.ics.uci.edu/static/public/231/pamap2+physical+activity+monitoring.zip",
            inner="PAMAP2_Dataset.zip",
            size=690_000_000,
            unpacked=3_200_000_000,
        ),
    ),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """One uninterrupted activity of one person; `series` is float32 (steps, 52)."""

    label: int
    series: np.ndarray


def read_stretches(path: Path) -> list[Stretch]:
    """Read the stretches of the eleven activities from a person's file, after filling gaps over the whole file.

    Raises:
        BuildError: the file has other columns, or a channel without any value.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
    except ValueError as error:
        raise BuildError(f"{path} is not a table of numbers ({error}). Unpack PAMAP2 again.") from None
    if table.shape[1] != COLUMNS:
        raise BuildError(f"{path} has {table.shape[1]} columns, PAMAP2 has {COLUMNS}. Unpack PAMAP2 again.")
    clock, activity, series = table[:, 0], table[:, 1].astype(int), fill_gaps(table[:, 2:], path)
    period = np.median(np.diff(clock)) if len(clock) > 1 else 1.0
    breaks = (np.diff(activity) != 0) | (np.abs(np.diff(clock)) > MAX_CLOCK_JUMP * period)
    on_grid = (np.rint(series * GRID) / GRID).astype(np.float32)
    edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(table)]
    return [
        Stretch(label=LABELS[int(activity[a])], series=on_grid[a:b])
        for a, b in pairwise(edges)
        if int(activity[a]) in LABELS
    ]


def fill_gaps(series: np.ndarray, path: Path) -> np.ndarray:
    """Fill the gaps (NaN) of every channel by linear interpolation, and gaps at its ends with the nearest value."""
    row = np.arange(len(series))
    filled = np.empty_like(series)
    for channel in range(series.shape[1]):
        known = ~np.isnan(series[:, channel])
        if not known.any():
            raise BuildError(f"{path}: column {channel + 3} has no value. Unpack PAMAP2 again.")
        filled[:, channel] = np.interp(row, row[known], series[known, channel])
    return filled


def cut_windows(series: np.ndarray, stride: int) -> np.ndarray:
    """Cut a series, (steps, 52), into windows that start every `stride` steps; (n, 320, 52), n = 0 if it is shorter."""
    starts = range(0, len(series) - STEPS + 1, stride)
    return np.stack([series[s : s + STEPS] for s in starts]) if starts else np.empty((0, STEPS, CHANNELS), np.float32)


def build(workspace: Workspace, dataset: str) -> Iterator[Rows]:
    """Yield the windows of every person; the pretraining set has no labels and no windows of the test person."""
    folder = workspace.sources[FILES.name] / "PAMAP2_Dataset" / "Protocol"
    for split, subjects in SUBJECTS.items():
        if dataset == PRETRAIN and split == TEST:
            continue
        for subject in subjects:
            workspace.say(f"cutting windows of subject {subject}")
            for stretch in read_stretches(folder / f"subject{subject}.dat"):
                x = cut_windows(stretch.series, STRIDE[split])
                if len(x):
                    label = None if dataset == PRETRAIN else np.full(len(x), stretch.label, np.int64)
                    group = [f"subject {subject}"] * len(x)
                    yield Rows(dataset=dataset, split=split, inputs=(x,), label=label, group=group)


CARD = Card(
    title="PAMAP2 physical activity monitoring",
    origin="recorded",
    licence="CC BY 4.0",
    citation="Reiss and Stricker, Introducing a new benchmarked dataset for activity monitoring, ISWC 2012",
    source="https://archive.ics.uci.edu/dataset/231; nine people, eleven of the activities of the protocol",
    size="690 MB archive, 3.2 GB unpacked; prepared about 6 GB (once to pretrain, once labelled)",
    notes=(
        "Validation and test have one person each, so the interval over windows says nothing about other people. The "
        "paper says twelve activities, but its code uses eleven and leaves ironing out."
    ),
)


SPEC = Series(steps=STEPS, channels=CHANNELS, segment=5)
TASK = Task(
    name="pamap2",
    question="Which of eleven activities does a person not seen in training do, in 3.2 seconds?",
    target=Classes(names=tuple(ACTIVITIES.values())),
    metric="accuracy",
    split_by="person",
)
PARTS = tuple(
    Part(dataset=name, sources=(FILES,), build=partial(build, dataset=name), version=2, prepared=PREPARED_BYTES)
    for name in (PRETRAIN, TASK.name)
)
