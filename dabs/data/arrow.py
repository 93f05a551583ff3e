"""One split as an Arrow file: written in blocks, hashed row by row, and its columns as arrays."""

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
    """Appends blocks of rows to one Arrow file and hashes what it writes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.rows = path, 0
        self.writer: Any = None
        self.data, self.groups = hashlib.sha256(), hashlib.sha256()

    def write(self, rows: Rows) -> None:
        """Append a block."""
        import datasets
        import pyarrow as pa

        columns = {f"input_{i}": x.reshape(len(x), -1) for i, x in enumerate(rows.inputs)}
        if rows.label is not None:
            columns["label"] = rows.label
        arrays = {name: _arrow_array(x) for name, x in columns.items()}
        table = pa.table(arrays | {"group": pa.array(rows.group, pa.string())})
        if self.writer is None:
            # the `datasets` feature types go into the schema's metadata, so that Dataset.from_file knows them
            features = datasets.Features.from_arrow_schema(table.schema)
            self.schema = features.arrow_schema
            self.writer = pa.ipc.new_stream(self.path, self.schema)
        self.writer.write_table(table.cast(self.schema), max_chunksize=4096)
        update_hashes(self.data, self.groups, columns, rows.group)
        self.rows += len(rows.group)

    def close(self) -> dict[str, Any]:
        """Finish the file; gives the number of rows, the hash of the data and the hash of the groups."""
        if self.writer is not None:
            self.writer.close()
        return {"rows": self.rows, "sha256": self.data.hexdigest(), "split_sha256": self.groups.hexdigest()}


def hashes_of(path: Path) -> dict[str, Any]:
    """What `SplitWriter.close` gave when the file was written, computed from the file as it is now.

    It is read a batch at a time, because a split may be larger than memory.

    Raises:
        OSError, ValueError: the file cannot be read; pyarrow's own errors are among them.
    """
    import pyarrow as pa

    data, groups, rows = hashlib.sha256(), hashlib.sha256(), 0
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as batches:
        for batch in batches:
            batch.validate(full=True)  # offsets of strings that point elsewhere would be followed
            table = pa.Table.from_batches([batch])
            columns = {name: array_of(table.column(name)) for name in table.column_names}
            group = columns.pop("group").tolist()
            update_hashes(data, groups, columns, group)
            rows += len(group)
    return {"rows": rows, "sha256": data.hexdigest(), "split_sha256": groups.hexdigest()}


def _arrow_array(x: np.ndarray) -> pa.Array:
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(x).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, x.shape[1]) if x.ndim == 2 else flat


def update_hashes(data: Any, groups: Any, columns: dict[str, np.ndarray], group: list[str]) -> None:
    """Row by row, so that the hash does not depend on how the rows were blocked."""
    raw = [np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8) for x in columns.values()]
    data.update(np.concatenate(raw, axis=1).tobytes())
    groups.update("".join(f"{g}\n" for g in group).encode())


def array_of(column: pa.ChunkedArray) -> np.ndarray:
    """A column in its stored type: (n,), (n, values) for fixed-size lists, strings for the group."""
    import pyarrow as pa

    whole = column.combine_chunks()
    if pa.types.is_string(whole.type):
        return np.asarray(whole.to_pylist())
    if pa.types.is_fixed_size_list(whole.type):
        return np.asarray(whole.flatten().to_numpy(zero_copy_only=False).reshape(len(whole), -1))
    return np.asarray(whole.to_numpy(zero_copy_only=False))


class HeldColumn:
    """A column in memory.

    Args:
        values: (n, ...) numbers.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def rows(self, index: np.ndarray, *, pin: bool = False) -> torch.Tensor:
        """Copies of the rows at `index`, int64 (B,), in their stored type, in pinned memory if asked."""
        import torch

        return _taken(torch.from_numpy(self.values), torch.from_numpy(index), pin)


class MappedColumn:
    """A column of a split's file that stays on disk; the pages of a row are read when it is asked for.

    Args:
        path: the file.
        name: a column of numbers, or of lists of them of one length.
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
            self.first_rows = np.cumsum([0] + [len(chunk) for chunk in chunks])  # of each chunk; last: of the column
            starts = [x.buffers()[1].address - begin + x.offset * self.dtype.itemsize for x in values]
            self.first_bytes = np.array(starts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that nobody may write: a map to write in would need memory
            content = torch.from_numpy(np.memmap(path, np.uint8, mode="r"))
        # entry i is what a row that starts at byte i would hold: taking entries copies those rows and nothing else
        self.windows = content.as_strided((len(content) - self.row_bytes + 1, self.row_bytes), (1, 1))

    def rows(self, index: np.ndarray, *, pin: bool = False) -> torch.Tensor:
        """Copies of the rows at `index`, int64 (B,), in their stored type, in pinned memory if asked."""
        import torch

        chunk = np.searchsorted(self.first_rows, index, side="right") - 1
        starts = self.first_bytes[chunk] + (index - self.first_rows[chunk]) * self.row_bytes
        found = _taken(self.windows, torch.from_numpy(starts), pin)
        return found.view(self.dtype).reshape(len(index), *self.shape)


def _taken(source: torch.Tensor, places: torch.Tensor, pin: bool) -> torch.Tensor:
    """Entries of a tensor, copied once."""
    import torch

    shape = (len(places), *source.shape[1:])
    if pin:
        out = torch.empty(shape, dtype=source.dtype, pin_memory=True)  # pinned memory is kept and used again
    else:  # numpy asks for huge pages: touching fresh small ones takes three times as long as copying pictures
        out = torch.from_numpy(np.empty(shape, source.numpy().dtype))
    return torch.index_select(source, 0, places, out=out)
