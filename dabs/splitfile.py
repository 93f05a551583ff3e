"""One split as an Arrow file: written in blocks, hashed row by row, and its columns as arrays."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.dataset import Rows

if TYPE_CHECKING:
    import pyarrow as pa


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
