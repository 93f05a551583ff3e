"""Reading pickled numpy arrays without running any code that the pickle names.

Some sources store arrays as pickles, and a pickle can ask for any function to be called. This reader refuses every name
except the few that numpy itself writes. Even those are mapped to plain records, so that numpy's own unpickling code,
which trusts its input, is never called.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from dabs.data.domain import BuildError

_NPY_MAGIC = b"\x93NUMPY"
_PLAIN_KINDS = "biufcSU"  # numbers, bytes and text, which can be read directly from a buffer


class _DtypeRecord:
    """Stands in for a numpy dtype: its code, and its byte order, which `__setstate__` sets."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = str(code), "|"

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype[Any]:
        """Return the dtype; raise BuildError if it is neither plain nor object."""
        kind = np.dtype(self.code)
        if kind.kind not in _PLAIN_KINDS + "O" or kind.fields is not None:
            raise BuildError(f"a pickle holds an array of {self.code}, which is not allowed.")
        return kind if self.order == "|" else np.dtype(self.order + self.code)


class _ArrayRecord:
    """Stands in for a numpy array until the whole pickle is read."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """Return the array, made from its bytes or, if it holds objects, from its list of values."""
        _, shape, kind, fortran, content = self.state
        dtype = kind.dtype()
        if dtype.kind == "O":
            flat = np.empty(len(content), dtype=object)
            flat[:] = [_with_arrays(value) for value in content]
        else:
            buffer = content.encode("latin1") if isinstance(content, str) else content  # Python 2 wrote bytes as text
            flat = np.frombuffer(buffer, dtype=dtype).copy()  # writable, as a loaded array is
        return flat.reshape(shape, order="F" if fortran else "C")


def _encode_latin1(text: str, encoding: str) -> bytes:
    """Stand in for `_codecs.encode`, with which pickles of protocol 2 write bytes; other codecs are refused."""
    if encoding != "latin1":
        raise BuildError(f"a pickle encodes text as {encoding!r}; only latin1 is allowed.")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _ArrayRecord,
    ("numpy._core.multiarray", "_reconstruct"): _ArrayRecord,
    ("numpy", "ndarray"): "ndarray",  # only ever passed as an argument, so it need not be callable
    ("numpy", "dtype"): _DtypeRecord,
    ("_codecs", "encode"): _encode_latin1,
    ("__builtin__", "bytes"): bytes,  # how protocols before 3 write empty bytes
}


class _NumpyUnpickler(pickle.Unpickler):
    """An unpickler that finds only the names in `_ALLOWED`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise BuildError(f"a pickle asks for {module}.{name}; only numpy arrays are allowed. Nothing was run.")
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise BuildError(f"a pickle refers to the external object {pid!r}; only numpy arrays are allowed.")


def _with_arrays(value: Any) -> Any:
    """Return `value` with every record replaced by its array, also inside lists, tuples and dictionaries."""
    if isinstance(value, _ArrayRecord):
        return value.array()
    if isinstance(value, dict):
        return {_with_arrays(key): _with_arrays(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_arrays(item) for item in value)
    return value


def load_numpy_only(data: bytes, encoding: str = "ASCII") -> Any:
    """Load a pickle, or a .npy file that holds one, of numpy arrays in lists, tuples and dictionaries.

    Args:
        data: the contents of the file. It may also be a .npy file of plain numbers.
        encoding: how text that Python 2 pickled is decoded; "latin1" if the pickle holds arrays.

    Returns:
        The unpickled value; of a 0-d array of one object, that object.

    Raises:
        BuildError: the pickle names anything but numpy arrays, or is damaged. Nothing in it was run.
    """
    try:
        stream = io.BytesIO(data)
        if data.startswith(_NPY_MAGIC):
            np.lib.format.read_magic(stream)
            if not np.lib.format.read_array_header_1_0(stream)[2].hasobject:
                return np.load(io.BytesIO(data), allow_pickle=False)
        value = _with_arrays(_NumpyUnpickler(stream, encoding=encoding).load())
    except BuildError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise BuildError(f"a pickled array cannot be read: {type(error).__name__}: {error}.") from error
    return value.item() if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0 else value
