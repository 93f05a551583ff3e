"""Reading a pickle of numpy arrays without running anything it asks for.

Older sources keep arrays as pickles, which can name any function to call. Here every name but the few numpy writes
is refused, and those stand for plain records: numpy's own unpickling code, which trusts its input, is not reached.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np

from dabs.data.domain import BuildError

_NPY_MAGIC = b"\x93NUMPY"
_PLAIN_KINDS = "biufcSU"  # numbers, bytes and text: what can be read straight from bytes


class _Kind:
    """Stands for a numpy dtype: its code, and the byte order that `__setstate__` brings."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code, self.order = str(code), "|"

    def __setstate__(self, state: Any) -> None:
        self.order = str(state[1])

    def dtype(self) -> np.dtype[Any]:
        """The dtype; BuildError when it is neither plain nor an object."""
        kind = np.dtype(self.code)
        if kind.kind not in _PLAIN_KINDS + "O" or kind.fields is not None:
            raise BuildError(f"a pickle holds an array of {self.code}, which is not admitted.")
        return kind if self.order == "|" else np.dtype(self.order + self.code)


class _Array:
    """Stands for a numpy array until the whole pickle is read."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> np.ndarray:
        """The array, from its bytes or, for objects, from its list of values."""
        _, shape, kind, fortran, content = self.state
        dtype = kind.dtype()
        if dtype.kind == "O":
            flat = np.empty(len(content), dtype=object)
            flat[:] = [_resolve(value) for value in content]
        else:
            flat = np.frombuffer(content, dtype=dtype).copy()  # writable, as a loaded array is
        return flat.reshape(shape, order="F" if fortran else "C")


def _latin1(text: str, encoding: str) -> bytes:
    """How pickles of protocol 2 write bytes; no other codec is admitted."""
    if encoding != "latin1":
        raise BuildError(f"a pickle encodes text as {encoding!r}; only latin1 is admitted.")
    return text.encode("latin1")


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): "ndarray",  # only ever an argument, so it need not be callable
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): bytes,  # empty bytes before protocol 3
}


class _NumpyOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise BuildError(f"a pickle asks for {module}.{name}; only numpy arrays are admitted. Nothing was run.")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise BuildError(f"a pickle asks for the outside object {pid!r}; only numpy arrays are admitted.")


def _resolve(value: Any) -> Any:
    """`value` with arrays in place of what stands for them, also inside lists, tuples and dictionaries."""
    if isinstance(value, _Array):
        return value.array()
    if isinstance(value, dict):
        return {_resolve(key): _resolve(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_resolve(item) for item in value)
    return value


def load_numpy_only(data: bytes) -> Any:
    """What a pickle, or a .npy file that holds one, contains: numpy arrays in lists, tuples and dictionaries.

    Args:
        data: the whole file. A .npy file of plain numbers is read too. A 0-d array of one object gives that object.

    Raises:
        BuildError: it names anything but numpy arrays, or is damaged. Nothing in it was run.
    """
    try:
        stream = io.BytesIO(data)
        if data.startswith(_NPY_MAGIC):
            np.lib.format.read_magic(stream)
            if not np.lib.format.read_array_header_1_0(stream)[2].hasobject:
                return np.load(io.BytesIO(data), allow_pickle=False)
        value = _resolve(_NumpyOnly(stream).load())
    except BuildError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise BuildError(f"a pickled array cannot be read: {type(error).__name__}: {error}.") from error
    return value.item() if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 0 else value
