"""The reader of pickled arrays returns what numpy wrote, and runs no code."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dabs.data.domain import BuildError
from dabs.domains.sources.unpickle import load_numpy_only


class _Calls:
    """An object whose pickle calls `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def _npy(value: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, value, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype="<i4").reshape(2, 3)),
        np.arange(3, dtype=">i2"),
        np.array(["left", "right"]),
        np.zeros((0, 4), dtype=np.uint8),
    ],
)
def test_arrays_come_back(array: np.ndarray, protocol: int) -> None:
    found = load_numpy_only(pickle.dumps({"x": [array, (array,)], "n": 3}, protocol=protocol))
    assert found["n"] == 3
    np.testing.assert_array_equal(found["x"][0], array)
    np.testing.assert_array_equal(found["x"][1][0], array)
    assert found["x"][0].dtype == array.dtype


def test_npy_files_of_objects_and_of_numbers() -> None:
    series = [np.ones((3, 6)), np.zeros((5, 6))]
    found = load_numpy_only(_npy(np.array({"X": series, "labels": ["PEN", "ABD"]}, dtype=object)))
    assert found["labels"] == ["PEN", "ABD"]
    np.testing.assert_array_equal(found["X"][1], series[1])
    np.testing.assert_array_equal(load_numpy_only(_npy(np.arange(4))), np.arange(4))


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [np.ones(2), {"deep": x}]])
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, wrap: Any) -> None:
    trace = tmp_path / "was-run"
    for call in (_Calls(os.mkdir, str(trace)), _Calls(eval, f"__import__('os').mkdir({str(trace)!r})")):
        data = pickle.dumps(wrap(call))
        for hostile in (data, _npy(np.array(wrap(call), dtype=object)) if callable(wrap) else data):
            with pytest.raises(BuildError, match="only numpy arrays are allowed"):
                load_numpy_only(hostile)
    assert not trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a pickle",
        pickle.dumps(np.arange(9))[:-9],
        b"\x93NUMPY\x01\x00",
        pickle.dumps(_Calls(np.ndarray, (1,), np.dtype("O"))),  # object pointers from a buffer
        pickle.dumps(np.zeros(2, dtype=[("a", "i4")])),
        b"cnumpy\nndarray\n)R.",
        b"Pfile\n.",
    ],
)
def test_damaged_or_unexpected_data_is_a_build_error(data: bytes) -> None:
    with pytest.raises(BuildError):
        load_numpy_only(data)
