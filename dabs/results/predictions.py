"""Read, write and check files of test predictions.

Predictions may come from anyone, so nothing is unpickled and reading takes no more memory than their bytes fill. They
must be plain numbers, as many as the result says and of the shape that its metric takes.
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

MAX_PREDICTIONS_BYTES = 500_000_000  # of a file of predictions, both packed and unpacked
MAX_EXAMPLES = 500_000
MAX_CLASSES = 10_000
NUMBER_KINDS = "biuf"  # numpy's kinds of plain numbers
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment a zip member can carry
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return a compressed .npz file whose bytes depend on names, values and the version of zlib: sorted, without times.

    Raises:
        DabsError: an array would need pickle.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
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
            archive.writestr(member, raw.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def read_npz(path: Path, way_out: str, max_bytes: int = MAX_PREDICTIONS_BYTES) -> dict[str, np.ndarray]:
    """Return the arrays of numbers in an .npz file, by name. The file may contain anything.

    Args:
        path: the file.
        way_out: what the user can do, the last sentence of the error's message.
        max_bytes: the largest allowed size, unpacked.

    Raises:
        DabsError: the file is damaged, too large, or contains anything but arrays of plain numbers.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)  # reading a member never returns more than this
            if size > max_bytes:
                raise ValueError(f"unpacked it would have {size:,} bytes; at most {max_bytes:,} are allowed")
            names = [member.filename.removesuffix(".npy") for member in members]
            if len(set(names)) < len(names):
                raise ValueError("two of its arrays have the same name")
            found = {}
            for name, member in zip(names, members, strict=True):
                with archive.open(member) as raw:
                    found[name] = _read_array(raw, member.file_size)
            return found
    except Exception as error:  # zipfile and numpy raise nearly anything on damaged bytes
        reason = str(error) or type(error).__name__
        raise DabsError(f"{path} cannot be read as arrays ({_one_line(reason)}). {way_out}") from error


def _read_array(raw: IO[bytes], size: int) -> np.ndarray:
    """Read one .npy member, comparing what its header claims with `size` before taking memory for it."""
    version = np.lib.format.read_magic(raw)
    if version not in _HEADERS:
        raise ValueError(f"arrays of format {version} are not supported")
    shape, fortran, kind = _HEADERS[version](raw)
    if kind.kind not in NUMBER_KINDS or kind.fields is not None or kind.subdtype is not None:
        raise ValueError(f"an array of type {kind} does not contain plain numbers; nothing is unpickled")
    wanted = math.prod(shape) * kind.itemsize
    if min(shape, default=0) < 0 or wanted > size:
        raise ValueError(f"an array of shape {shape} needs {wanted:,} bytes; its member has {size:,}")
    content = raw.read()
    if len(content) != wanted:
        raise ValueError(f"an array of shape {shape} needs {wanted:,} bytes; there are {len(content):,}")
    return np.frombuffer(content, kind).copy().reshape(shape, order="F" if fortran else "C")


def _one_line(text: str) -> str:
    return short(text)[1:-1]


def find_mismatch(result: Result, arrays: Mapping[str, np.ndarray]) -> str:
    """Return why arrays cannot be the predictions of a result; an empty string if they can."""
    if set(arrays) != {"group", "label", "prediction"} or any(x.ndim == 0 for x in arrays.values()):
        return f"its predictions contain {sorted(arrays)}, not one group, label and prediction per example"
    prediction, label, group = arrays["prediction"], arrays["label"], arrays["group"]
    if not len(label) == len(prediction) == len(group):
        return f"its predictions contain {len(prediction)} predictions, {len(label)} labels and {len(group)} groups"
    if len(label) != result.counts.test:
        return f"counts.test is {result.counts.test}, but there are {len(label)} predictions"
    if len(label) > MAX_EXAMPLES:
        return f"its predictions are for {len(label):,} examples; at most {MAX_EXAMPLES:,} are allowed"
    if not (np.isfinite(prediction).all() and np.isfinite(label).all()):
        return "its predictions contain NaN or infinity"
    wanted = 2 if result.metric.name == "auroc" else 1
    if prediction.shape != label.shape or label.ndim != wanted:
        shapes = f"{prediction.shape} and {label.shape}"
        return f"its predictions and labels have the shapes {shapes}; {result.metric.name} takes {wanted} dimensions"
    numbered = np.array_equal(np.unique(group), np.arange(result.interval.units))
    if group.ndim != 1 or (result.interval.resampled == "groups" and not numbered):
        return f"its groups are not numbers from 0 to {result.interval.units - 1}, as interval.units says"
    classes = result.metric.name in ("accuracy", "matthews")
    if classes and any(x.dtype.kind not in "biu" or x.min() < 0 or x.max() >= MAX_CLASSES for x in (prediction, label)):
        return f"its predictions or labels are not classes from 0 to {MAX_CLASSES - 1:,}"
    return ""
