"""Files of predictions made to do harm, and predictions that do not match their result."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dabs.errors import DabsError
from dabs.leaderboard.compare.pairwise import compare
from dabs.leaderboard.submit.consistency import check_predictions
from dabs.results import files as result_files
from dabs.results.files import read_predictions, read_result
from dabs.results.predictions import npz_bytes, read_npz
from tests.helpers.made_results import make_payload, write_payload
from tests.helpers.refusing import refusal


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def header(shape: str, kind: str = "<f8", version: bytes = b"\x01\x00") -> bytes:
    """Return a .npy member whose header claims an array, with eight bytes of content."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text + b"\0" * 8


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


NPZ = {
    "a pickle": zipped({"label.npy": npy(np.array([{}], dtype=object))}),
    "a pickle without a zip": pickle.dumps([1]),
    "a pickle as a member": zipped({"label.npy": pickle.dumps([1])}),
    "records": zipped({"label.npy": npy(np.zeros(2, dtype=[("a", "i4")]))}),
    "text": zipped({"label.npy": npy(np.array(["a"]))}),
    "a terabyte promised": zipped({"label.npy": header("(125000000000,)")}),
    "more than any memory": zipped({"label.npy": header("(99999999999999999999, 9)")}),
    "less than nothing": zipped({"label.npy": header("(-1,)")}),
    "a header of code": zipped({"label.npy": header("__import__('os').mkdir('ran')")}),
    "a header too long": zipped({"label.npy": header("(1,)" + " " * 50_000, version=b"\x02\x00")}),
    "another version": zipped({"label.npy": header("(1,)", version=b"\x09\x00")}),
    "too few bytes": zipped({"label.npy": header("(2,)")}),
    "no zip": b"PK\x03\x04 but no more",
    "nothing": b"",
}


@pytest.mark.parametrize("what", NPZ)
def test_predictions_are_plain_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.npz"
    path.write_bytes(NPZ[what])
    refusal(lambda: read_npz(path, "Out."), path)
    assert not (tmp_path / "ran").exists()


def test_predictions_that_are_too_large_when_unpacked_are_refused(tmp_path: Path) -> None:
    swollen = npy(np.zeros(1_000_000))
    path = tmp_path / "x.npz"
    path.write_bytes(zipped({"label.npy": swollen}, zipfile.ZIP_DEFLATED))
    assert len(read_npz(path, "Out.")["label"]) == 1_000_000
    refusal(lambda: read_npz(path, "Out.", max_bytes=7_000_000), path, "8,000,128")
    many = zipped({f"{i}.npy": swollen for i in range(3)}, zipfile.ZIP_DEFLATED)
    path.write_bytes(many)
    refusal(lambda: read_npz(path, "Out.", max_bytes=20_000_000), path)
    lies = bytearray(zipped({"label.npy": swollen}, zipfile.ZIP_DEFLATED))
    for place in (22, lies.rindex(b"PK\x01\x02") + 24):  # claims to be small, in both of its headers
        lies[place : place + 4] = (200).to_bytes(4, "little")
    path.write_bytes(bytes(lies))
    refusal(lambda: read_npz(path, "Out."), path)


@pytest.mark.parametrize("place", range(0, 700, 7))
def test_predictions_with_a_changed_byte_are_read_or_refused(tmp_path: Path, place: int) -> None:
    content = bytearray(npz_bytes({"label": np.arange(9), "prediction": np.arange(9)}))
    content[place % len(content)] ^= 0xFF
    path = tmp_path / "x.npz"
    path.write_bytes(bytes(content))
    with contextlib.suppress(DabsError):
        read_npz(path, "Out.")


def test_a_large_file_of_predictions_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_payload(tmp_path, make_payload(), {"label": np.arange(5), "prediction": np.arange(5)})
    monkeypatch.setattr(result_files, "MAX_PREDICTIONS_BYTES", 100)
    refusal(lambda: read_predictions(path), "exercise.linear.predictions.npz", "100")


@pytest.mark.parametrize(
    "change",
    [
        {"label": np.full(1031, np.nan)},
        {"prediction": np.full(1031, np.inf)},
        {"prediction": np.full(1031, 10**8)},
        {"prediction": np.full(1031, -1)},
        {"label": np.zeros(1031), "prediction": np.zeros(1031)},
        {"prediction": np.zeros((1031, 3), np.int64)},
        {"prediction": np.zeros(1030, np.int64)},
        {"label": np.int64(3)},
        {"third": np.zeros(1031, np.int64)},
    ],
)
def test_predictions_that_do_not_match_are_reported(tmp_path: Path, change: dict[str, Any]) -> None:
    fitting = np.arange(1031) % 5
    arrays = {"label": fitting, "prediction": fitting} | change
    path = write_payload(tmp_path / "a", make_payload(score=1.0), arrays)
    (said,) = check_predictions(path, read_result(path), lambda domain, task: None, {})[:1]
    assert str(path) in said
    write_payload(tmp_path / "b", make_payload(algorithm="emix", score=1.0), {"label": fitting, "prediction": fitting})
    refusal(lambda: compare([str(tmp_path / "a"), str(tmp_path / "b")], resamples=100), path)
