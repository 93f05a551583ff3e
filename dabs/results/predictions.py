"""Test predictions on disk, and what they must be: plain numbers, as many as the result says, of its metric's shape.

Predictions may come from anyone, so nothing of them is unpickled and no more memory is taken than their bytes fill.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from dabs.errors import DabsError
from dabs.results.schema import Result
from dabs.utils.files import short

MOST_BYTES = 500_000_000  # of a file of predictions, packed and unpacked
MOST_EXAMPLES = 500_000
MOST_CLASSES = 10_000
NUMBERS = "biuf"  # kinds of numpy types
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment a zip member can carry
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An .npz file whose bytes depend on names and values only: sorted, uncompressed, without a clock.

    Raises:
        DabsError: an array that would need pickle.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            member.create_system, member.external_attr = 3, 0o644 << 16
            raw = io.BytesIO()
            try:
                np.lib.format.write_array(raw, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            except ValueError as error:
                kind = arrays[name].dtype
                raise DabsError(
                    f"predictions: the array {name!r} of type {kind} cannot be stored ({error})."
                ) from error
            archive.writestr(member, raw.getvalue())
    return buffer.getvalue()


def read_npz(path: Path, way_out: str, most: int = MOST_BYTES) -> dict[str, np.ndarray]:
    """The arrays of numbers in an .npz file, by name; the file may be anything.

    Raises:
        DabsError: damaged, over `most` bytes when unpacked, or holding anything but arrays of plain numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)  # reading a member never gives more than this
            if size > most:
                raise ValueError(f"unpacked it would have {size:,} bytes, the most is {most:,}")
            names = [member.filename.removesuffix(".npy") for member in members]
            if len(set(names)) < len(names):
                raise ValueError("two of its arrays have one name")
            found = {}
            for name, member in zip(names, members, strict=True):
                with archive.open(member) as raw:
                    found[name] = _array(raw, member.file_size)
            return found
    except Exception as error:  # zipfile and numpy raise nearly anything on damaged bytes
        reason = str(error) or type(error).__name__
        raise DabsError(f"{path} cannot be read as arrays ({_one_line(reason)}). {way_out}") from error


def _array(raw: IO[bytes], size: int) -> np.ndarray:
    """One .npy member; what its header promises is compared with `size` before memory is taken for it."""
    version = np.lib.format.read_magic(raw)
    if version not in _HEADERS:
        raise ValueError(f"arrays of format {version} are not read")
    shape, fortran, kind = _HEADERS[version](raw)
    if kind.kind not in NUMBERS or kind.fields is not None or kind.subdtype is not None:
        raise ValueError(f"an array of type {kind} is not one of plain numbers; nothing is unpickled")
    wanted = math.prod(shape) * kind.itemsize
    if min(shape, default=0) < 0 or wanted > size:
        raise ValueError(f"an array of shape {shape} needs {wanted:,} bytes; its member has {size:,}")
    content = raw.read()
    if len(content) != wanted:
        raise ValueError(f"an array of shape {shape} needs {wanted:,} bytes; there are {len(content):,}")
    return np.frombuffer(content, kind).copy().reshape(shape, order="F" if fortran else "C")


def _one_line(text: str) -> str:
    return short(text)[1:-1]


def misfit(result: Result, arrays: Mapping[str, np.ndarray]) -> str:
    """Why arrays cannot be the predictions of a result; empty when they can."""
    if set(arrays) != {"label", "prediction"} or any(x.ndim == 0 for x in arrays.values()):
        return f"its predictions hold {sorted(arrays)}, not as many predictions as labels"
    prediction, label = arrays["prediction"], arrays["label"]
    if len(label) != len(prediction):
        return f"its predictions hold {len(prediction)} predictions and {len(label)} labels"
    if len(label) != result.counts.test:
        return f"counts.test is {result.counts.test}, there are {len(label)} predictions"
    if len(label) > MOST_EXAMPLES:
        return f"its predictions are of {len(label):,} examples, the most is {MOST_EXAMPLES:,}"
    if not (np.isfinite(prediction).all() and np.isfinite(label).all()):
        return "its predictions hold NaN or infinity"
    wanted = 2 if result.metric.name == "auroc" else 1
    if prediction.shape != label.shape or label.ndim != wanted:
        shapes = f"{prediction.shape} and {label.shape}"
        return f"its predictions and labels have the shapes {shapes}; {result.metric.name} takes {wanted} dimensions"
    classes = result.metric.name in ("accuracy", "matthews")
    if classes and any(x.dtype.kind not in "biu" or x.min() < 0 or x.max() >= MOST_CLASSES for x in arrays.values()):
        return f"its predictions or labels are not classes from 0 to {MOST_CLASSES - 1:,}"
    return ""
