"""PAMAP2: gaps, stretches, windows.

The real sample is a stand-in (other sensors, 25 Hz) in the official layout.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.data.domain import PRETRAIN, BuildError, Workspace
from dabs.domains.series import pamap2

HEART = 2  # column


def write(
    path: Path, activity: list[int], clock: np.ndarray | None = None, gaps: tuple[tuple[int, int], ...] = ()
) -> Path:
    """Write a file whose channel c has the value 1000 c + r in row r, with gaps at (row, column)."""
    n = len(activity)
    table = np.arange(n)[:, None] + 1000.0 * np.arange(pamap2.COLUMNS)[None]
    table[:, 0] = np.arange(n) / 100 if clock is None else clock
    table[:, 1] = activity
    for row, column in gaps:
        table[row, column] = np.nan
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        " ".join("NaN" if np.isnan(v) else f"{v:g}" if i else f"{v:.2f}" for i, v in enumerate(row)) for row in table
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_gaps_are_filled_linearly_and_the_ends_with_the_nearest(tmp_path):
    gaps = tuple((r, HEART) for r in (0, 1, 3, 4, 9))
    (found,) = pamap2.read_stretches(write(tmp_path / "a.dat", [1] * 10, gaps=gaps))
    assert found.series.shape == (10, 52)
    assert found.series[:, 0].tolist() == [2002, 2002, 2002, 2003, 2004, 2005, 2006, 2007, 2008, 2008]
    np.testing.assert_array_equal(found.series[:, 1], 3000 + np.arange(10))


def test_gaps_are_filled_over_the_whole_file_before_it_is_cut(tmp_path):
    first, second = pamap2.read_stretches(write(tmp_path / "a.dat", [1] * 5 + [4] * 5, gaps=((5, HEART), (6, HEART))))
    assert second.series[:, 0].tolist() == [2005, 2006, 2007, 2008, 2009]
    assert (first.label, second.label) == (0, 3)


def test_values_are_on_a_grid_that_float32_represents_exactly(tmp_path):
    gaps = ((1, HEART), (2, HEART))  # filled with thirds
    lines = write(tmp_path / "a.dat", [1] * 4, gaps=gaps).read_text().splitlines()
    lines[3] = lines[3].replace("2003 ", "2001 ", 1)
    (tmp_path / "a.dat").write_text("\n".join(lines) + "\n")
    (found,) = pamap2.read_stretches(tmp_path / "a.dat")
    heart = found.series[:, 0].astype(np.float64)
    np.testing.assert_array_equal(heart * pamap2.GRID, np.rint(heart * pamap2.GRID))
    np.testing.assert_allclose(heart, [2000, 2000 + 1 / 3, 2000 + 2 / 3, 2001], atol=0.5 / pamap2.GRID)


def test_a_stretch_ends_with_its_activity_or_at_a_clock_jump(tmp_path):
    activity = [1] * 4 + [0] * 2 + [1] * 3 + [17] * 2 + [24] * 6
    clock = np.arange(len(activity)) / 100
    clock[-3:] += 60
    found = pamap2.read_stretches(write(tmp_path / "a.dat", activity, clock))
    assert [(s.label, len(s.series)) for s in found] == [
        (0, 4),
        (0, 3),
        (10, 3),
        (10, 3),
    ]  # activities 0 and 17 are not used


@given(length=st.integers(1, 1500), stride=st.sampled_from((32, 320)))
def test_windows_are_inside_the_series_and_start_every_stride(length, stride):
    series = np.repeat(np.arange(length, dtype=np.float32)[:, None], 52, axis=1)
    got = pamap2.cut_windows(series, stride)
    assert got.shape == (max((length - 320) // stride + 1, 0) if length >= 320 else 0, 320, 52)
    for place, window in enumerate(got):
        np.testing.assert_array_equal(window[:, 0], place * stride + np.arange(320))


def test_eleven_activities_in_the_order_of_their_numbers():
    assert list(pamap2.ACTIVITIES) == [1, 2, 3, 4, 5, 6, 7, 12, 13, 16, 24]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 2 3\n", "3 columns"),
        ("0 1 x\n", "not a table"),
        (" ".join(["0", "1", "NaN", *["1"] * 51]) + "\n", "column 3 has no"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "a.dat").write_text(content * 2)
    with pytest.raises(BuildError, match=message):
        pamap2.read_stretches(tmp_path / "a.dat")


def test_the_stand_in_gives_windows_of_every_split_by_subject(samples, official):
    workspace = Workspace(sources={"pamap2": official("pamap2")}, say=lambda line: None)
    blocks = list(pamap2.build(workspace, "pamap2"))
    groups = {s: {g for b in blocks if b.split == s for g in b.group} for s in ("train", "validation", "test")}
    assert groups == {
        "train": {f"subject {n}" for n in (101, 102, 103, 104, 107, 108, 109)},
        "validation": {"subject 105"},
        "test": {"subject 106"},
    }
    labels = {s: np.concatenate([b.label for b in blocks if b.split == s]) for s in groups}
    assert (
        np.bincount(labels["test"]).tolist() == [1] * 11
    )  # 375 or 352 rows of each activity give one window without overlap
    folder = official("pamap2") / "PAMAP2_Dataset/Protocol"
    stretches = [s for n in pamap2.SUBJECTS["train"] for s in pamap2.read_stretches(folder / f"subject{n}.dat")]
    assert len(labels["train"]) == sum((len(s.series) - 320) // 32 + 1 for s in stretches)
    assert len(labels["train"]) == {"real": 131, "made": 134}[samples.origin]
    assert all(np.isfinite(b.inputs[0]).all() for b in blocks)
    pretraining = list(pamap2.build(workspace, PRETRAIN))
    assert {b.split for b in pretraining} == {"train", "validation"}
    assert all(b.label is None for b in pretraining)
    assert "subject 106" not in {g for b in pretraining for g in b.group}
