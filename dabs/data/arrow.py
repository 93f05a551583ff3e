"""The Arrow file of a split: written in blocks, hashed by row, read as arrays."""

from __future__ import annotations

import hashlib
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.data.domain import Rows

if TYPE_CHECKING:
    import pyarrow as pa
    import torch


class SplitWriter:
    """Writer that appends blocks of rows to one Arrow file and hashes them."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.rows = path, 0
        self.writer: Any = None
        self.data, self.groups = hashlib.sha256(), hashlib.sha256()

    def write(self, rows: Rows) -> None:
        """Append a block of rows."""
        import datasets
        import pyarrow as pa

        columns = {f"input_{i}": x.reshape(len(x), -1) for i, x in enumerate(rows.inputs)}
        if rows.label is not None:
            columns["label"] = rows.label
        arrays = {name: _arrow_array(x) for name, x in columns.items()}
        named = {"group": rows.group} | ({} if rows.cluster is None else {"cluster": rows.cluster})
        table = pa.table(arrays | {name: pa.array(values, pa.string()) for name, values in named.items()})
        if self.writer is None:
            # the schema's metadata holds the feature types of `datasets`, so that Dataset.from_file knows them
            features = datasets.Features.from_arrow_schema(table.schema)
            self.schema = features.arrow_schema
            self.writer = pa.ipc.new_stream(self.path, self.schema)
        self.writer.write_table(table.cast(self.schema), max_chunksize=4096)
        update_hashes(self.data, self.groups, columns, list(named.values()))
        self.rows += len(rows.group)

    def close(self) -> dict[str, Any]:
        """Finish the file and return the number of rows, the hash of the data and the hash of the groups."""
        if self.writer is not None:
            self.writer.close()
        return {"rows": self.rows, "sha256": self.data.hexdigest(), "split_sha256": self.groups.hexdigest()}


def compute_hashes(path: Path) -> dict[str, Any]:
    """Compute what `SplitWriter.close` returned from the file as it is now.

    The file is read in batches, because a split may be larger than memory.

    Raises:
        OSError, ValueError: the file cannot be read. pyarrow's errors are subclasses of these.
    """
    import pyarrow as pa

    data, groups, rows = hashlib.sha256(), hashlib.sha256(), 0
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as batches:
        for batch in batches:
            batch.validate(full=True)  # string offsets that point outside the file would be followed
            table = pa.Table.from_batches([batch])
            columns = {name: column_values(table.column(name)) for name in table.column_names}
            named = [columns.pop(name).tolist() for name in ("group", "cluster") if name in columns]
            update_hashes(data, groups, columns, named)
            rows += batch.num_rows
    return {"rows": rows, "sha256": data.hexdigest(), "split_sha256": groups.hexdigest()}


def _arrow_array(x: np.ndarray) -> pa.Array:
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(x).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, x.shape[1]) if x.ndim == 2 else flat


def update_hashes(data: Any, groups: Any, columns: dict[str, np.ndarray], named: list[list[str]]) -> None:
    """Hash rows one after the other, so that the hashes do not depend on how the rows were split into blocks.

    Args:
        data: the hash of the columns of numbers.
        groups: the hash of the columns of names.
        columns: the columns of numbers, in order.
        named: the groups of the rows, and their clusters if there are any.
    """
    raw = [np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8) for x in columns.values()]
    data.update(np.concatenate(raw, axis=1).tobytes())
    groups.update("".join("\t".join(names) + "\n" for names in zip(*named, strict=True)).encode())


def column_values(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column in its stored type: (n,), (n, values) for fixed-size lists, strings for the group."""
    import pyarrow as pa

    whole = column.combine_chunks()
    if pa.types.is_string(whole.type):
        return np.asarray(whole.to_pylist())
    if pa.types.is_fixed_size_list(whole.type):
        return np.asarray(whole.flatten().to_numpy(zero_copy_only=False).reshape(len(whole), -1))
    return np.asarray(whole.to_numpy(zero_copy_only=False))


class MemoryColumn:
    """A column of a split that is held in memory.

    Args:
        values: (n, ...) numbers.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def rows(self, index: np.ndarray, *, pin: bool = False) -> torch.Tensor:
        """Return copies of the rows at `index`, int64 (B,), in their stored type; in pinned memory if `pin`."""
        import torch

        return _copy_entries(torch.from_numpy(self.values), torch.from_numpy(index), pin)


class MappedColumn:
    """A column of a split that stays on disk; the pages of a row are read when the row is requested.

    Args:
        path: the split's file.
        name: of a column of numbers, or of lists of numbers of equal length.
    """

    def __init__(self, path: Path, name: str) -> None:
        import pyarrow as pa
        import torch

        with pa.memory_map(str(path)) as source:
            begin = source.read_buffer().address
            source.seek(0)
            chunks = pa.ipc.open_stream(source).read_all().column(name).chunks
            listed = pa.types.is_fixed_size_list(chunks[0].type)
            values = [chunk.flatten() if listed else chunk for chunk in chunks]
            self.dtype = torch.from_numpy(np.empty(0, values[0].type.to_pandas_dtype())).dtype
            self.shape = (chunks[0].type.list_size,) if listed else ()
            self.row_bytes = self.dtype.itemsize * math.prod(self.shape)
            # the first row of each chunk, then the number of all rows
            self.first_rows = np.cumsum([0] + [len(chunk) for chunk in chunks])
            starts = [x.buffers()[1].address - begin + x.offset * self.dtype.itemsize for x in values]
            self.first_bytes = np.array(starts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "not writable"; a writable map would need memory
            content = torch.from_numpy(np.memmap(path, np.uint8, mode="r"))
        # entry i is the row that would start at byte i, so copying entries reads those rows and nothing else
        self.windows = content.as_strided((len(content) - self.row_bytes + 1, self.row_bytes), (1, 1))

    def rows(self, index: np.ndarray, *, pin: bool = False) -> torch.Tensor:
        """Return copies of the rows at `index`, int64 (B,), in their stored type; in pinned memory if `pin`."""
        import torch

        chunk = np.searchsorted(self.first_rows, index, side="right") - 1
        starts = self.first_bytes[chunk] + (index - self.first_rows[chunk]) * self.row_bytes
        found = _copy_entries(self.windows, torch.from_numpy(starts), pin)
        return found.view(self.dtype).reshape(len(index), *self.shape)


def _copy_entries(source: torch.Tensor, places: torch.Tensor, pin: bool) -> torch.Tensor:
    """Return the entries of a tensor at `places`, copied once."""
    import torch

    shape = (len(places), *source.shape[1:])
    if pin:
        out = torch.empty(shape, dtype=source.dtype, pin_memory=True)  # PyTorch caches pinned memory
    else:  # numpy requests huge pages; touching new small pages takes three times as long as copying images
        out = torch.from_numpy(np.empty(shape, source.numpy().dtype))
    return torch.index_select(source, 0, places, out=out)
