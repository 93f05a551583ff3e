"""Prepared data on disk: one Arrow file a split, written once, the manifest last; and how it is read into batches.

$DABS_HOME/sources/                    fetched files
$DABS_HOME/lite/sensor/manifest.json   what is here, with hashes; its presence means the rest is whole
$DABS_HOME/lite/sensor/exercise/train.arrow   columns input_0.., label, group (Hugging Face `datasets` reads it)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs import __version__
from dabs.dataset import Domain, Rows, Workspace
from dabs.errors import DabsError
from dabs.home import data_home, read_json, replacing, sha256_file, write_json
from dabs.specs import Batch, Specs, Tokens, specs_to_json

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

FORMAT = 1
READ_BATCH = 256  # examples at a time where a whole split is read without learning
IN_MEMORY_BYTES = 4 << 30  # a split under this size is held as tensors


def folder_of(domain: Domain) -> Path:
    """Where a domain's prepared data lives."""
    return data_home() / domain.suite / domain.name


def manifest_of(domain: Domain) -> dict[str, Any]:
    """The manifest of prepared data.

    Raises:
        DabsError: nothing is prepared, or it was prepared by another version of the domain.
    """
    path = folder_of(domain) / "manifest.json"
    way_out = f"Run `dabs data prepare {domain.name} --suite {domain.suite}`."
    if not path.exists():
        raise DabsError(f"the data of {domain.name} ({domain.suite}) is not prepared: there is no {path}. {way_out}")
    manifest: dict[str, Any] = read_json(path)
    found = (manifest.get("format"), manifest.get("version"))
    if found != (FORMAT, domain.version):
        raise DabsError(
            f"{path} was written by another version: {found} instead of {(FORMAT, domain.version)}. {way_out}"
        )
    return manifest


def is_prepared(domain: Domain) -> bool:
    """Whether the data is there, in the version this code reads."""
    try:
        manifest_of(domain)
    except DabsError:
        return False
    return True


def prepare(domain: Domain, say: Callable[[str], None] = print, *, force: bool = False) -> dict[str, Any]:
    """Fetch, build and write a domain's data, unless it is there; gives the manifest.

    The folder is built under a temporary name and renamed when the manifest is written, so that an interrupted
    preparation is never taken for a whole one.
    """
    if not force and is_prepared(domain):
        return manifest_of(domain)
    sources = {s.name: s.fetch(data_home() / "sources", say) for s in domain.sources}
    workspace = Workspace(sources=sources, say=say)
    say(f"building {domain.name}")
    with replacing(folder_of(domain)) as folder:
        splits = _write_splits(domain, folder, domain.build(workspace))
        for name, content in workspace.files.items():
            (folder / name).write_bytes(content)
        manifest = {
            "format": FORMAT,
            "domain": domain.name,
            "suite": domain.suite,
            "version": domain.version,
            "dabs": __version__,
            "specs": specs_to_json(domain.specs),
            "sources": [s.describe() for s in domain.sources],
            "splits": splits,
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in workspace.files.items()},
        }
        write_json(folder / "manifest.json", manifest)
    return manifest


class _Writer:
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
        _update(self.data, self.groups, columns, rows.group)
        self.rows += len(rows.group)

    def close(self) -> dict[str, Any]:
        if self.writer is not None:
            self.writer.close()
        return {"rows": self.rows, "sha256": self.data.hexdigest(), "split_sha256": self.groups.hexdigest()}


def _arrow_array(x: np.ndarray) -> pa.Array:
    import pyarrow as pa

    flat = pa.array(np.ascontiguousarray(x).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, x.shape[1]) if x.ndim == 2 else flat


def _update(data: Any, groups: Any, columns: dict[str, np.ndarray], group: list[str]) -> None:
    """Row by row, so that the hash does not depend on how the rows were blocked."""
    raw = [np.ascontiguousarray(x).reshape(len(x), -1).view(np.uint8) for x in columns.values()]
    data.update(np.concatenate(raw, axis=1).tobytes())
    groups.update("".join(f"{g}\n" for g in group).encode())


def _write_splits(domain: Domain, folder: Path, blocks: Iterator[Rows]) -> dict[str, dict[str, Any]]:
    writers: dict[str, _Writer] = {}
    for rows in blocks:
        key = f"{rows.dataset}/{rows.split}"
        if key not in writers:
            writers[key] = _Writer(folder / f"{key}.arrow")
        writers[key].write(rows)
    wanted = {f"{name}/{split}" for name, splits in domain.datasets().items() for split in splits}
    if set(writers) != wanted:
        raise DabsError(f"{domain.name}: its builder wrote {sorted(writers)}, its tasks need {sorted(wanted)}.")
    return {key: writer.close() for key, writer in sorted(writers.items())}


def read_columns(domain: Domain, dataset: str, split: str, only: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Columns of a split (`only` these, or all) as arrays in their stored types, inputs shaped by spec."""
    import pyarrow as pa

    path = folder_of(domain) / dataset / f"{split}.arrow"
    manifest_of(domain)
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_stream(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise DabsError(f"{path} cannot be read ({error}). Run `dabs data prepare {domain.name} --force`.") from error
    columns = {name: _array(table.column(name)) for name in only or table.column_names}
    shapes = {f"input_{i}": spec.shape for i, spec in enumerate(domain.specs)}
    return {name: x.reshape(-1, *shapes[name]) if name in shapes else x for name, x in columns.items()}


def _array(column: pa.ChunkedArray) -> np.ndarray:
    """A column in its stored type: (n,), (n, values) for fixed-size lists, strings for the group."""
    import pyarrow as pa

    whole = column.combine_chunks()
    if pa.types.is_string(whole.type):
        return np.asarray(whole.to_pylist())
    if pa.types.is_fixed_size_list(whole.type):
        return np.asarray(whole.flatten().to_numpy(zero_copy_only=False).reshape(len(whole), -1))
    return np.asarray(whole.to_numpy(zero_copy_only=False))


def verify(domain: Domain) -> list[str]:
    """Re-read every split and kept file and compare with the manifest; gives one line for each that differs."""
    manifest, wrong = manifest_of(domain), []
    for name, expected in manifest["files"].items():
        path = folder_of(domain) / name
        if not path.exists() or sha256_file(path) != expected:
            wrong.append(f"{domain.name}/{name}: missing or not what was written")
    for key, expected in manifest["splits"].items():
        columns = read_columns(domain, *key.split("/"))
        group = columns.pop("group").tolist()
        data, groups = hashlib.sha256(), hashlib.sha256()
        _update(data, groups, columns, group)
        found = {"rows": len(group), "sha256": data.hexdigest(), "split_sha256": groups.hexdigest()}
        wrong += [
            f"{domain.name}/{key}: {k} is {found[k]}, expected {expected[k]}" for k in found if found[k] != expected[k]
        ]
    return wrong


class Split:
    """One split, read by index into batches: held as tensors when it fits in memory, else read from disk.

    Args:
        domain: whose data.
        dataset: `PRETRAIN` or a task's name.
        split: "train", "validation" or "test".
        labels: whether batches carry the label; an algorithm's never do.
    """

    def __init__(self, domain: Domain, dataset: str, split: str, *, labels: bool) -> None:
        path = folder_of(domain) / dataset / f"{split}.arrow"
        self.specs = domain.specs
        self.names = [f"input_{i}" for i in range(len(domain.specs))] + (["label"] if labels else [])
        self.rows = manifest_of(domain)["splits"][f"{dataset}/{split}"]["rows"]
        self.in_memory = not path.exists() or path.stat().st_size < IN_MEMORY_BYTES
        if self.in_memory:
            columns = read_columns(domain, dataset, split, tuple(self.names))
            self.columns = {name: np.array(x) for name, x in columns.items()}  # a copy: the map is read-only
        else:
            import datasets

            self.mapped = datasets.Dataset.from_file(str(path)).select_columns(self.names).with_format("arrow")

    def __len__(self) -> int:
        return int(self.rows)

    def batches(self, size: int) -> Iterator[Batch]:
        """All examples in order, `size` at a time; the last batch may be smaller."""
        for start in range(0, len(self), size):
            yield self.batch(np.arange(start, min(start + size, len(self))))

    def digest(self) -> str | None:
        """A hash of the inputs, equal for tasks that ask about the same examples; None for a split read from disk."""
        if not self.in_memory:
            return None
        found = hashlib.sha256()
        for i in range(len(self.specs)):
            found.update(np.ascontiguousarray(self.columns[f"input_{i}"]).data)
        return found.hexdigest()

    def _read(self, index: np.ndarray) -> dict[str, np.ndarray]:
        if self.in_memory:
            return {name: x[index] for name, x in self.columns.items()}
        table = self.mapped[index]
        return {name: np.array(_array(table.column(name))) for name in self.names}

    def _longest(self, index: np.ndarray, pad: int) -> int:
        """How many places of the last input the longest of some examples fills, at least one."""
        name = f"input_{len(self.specs) - 1}"
        ids = self.columns[name][index] if self.in_memory else _array(self.mapped[index].column(name))
        return max(int((ids != pad).sum(axis=1).max()), 1)

    def batch(self, index: np.ndarray, part: slice = slice(None)) -> Batch:
        """The examples at `index`, int64 (B,), as floats and ids with the padding mask; trailing padding is cut.

        With `part` only those rows of the batch, cut to the length that the whole batch has.
        """
        import torch

        columns = self._read(index[part])
        inputs = [
            _decode(torch.from_numpy(columns[f"input_{i}"].reshape(len(index[part]), *spec.shape)))
            for i, spec in enumerate(self.specs)
        ]
        last = self.specs[-1]
        if isinstance(last, Tokens):
            inputs[-1] = inputs[-1][:, : self._longest(index, last.pad)]
        label = torch.from_numpy(columns["label"]) if "label" in columns else None
        return Batch(inputs=tuple(inputs), mask=padding_mask(tuple(inputs), self.specs), label=label)


def _decode(x: torch.Tensor) -> torch.Tensor:
    """Stored type to model type: uint8 pixels to [0, 1], ids to int64, everything else to float32."""
    import torch

    if x.dtype == torch.uint8:
        return x.float() / 255
    return x.long() if x.dtype in (torch.int32, torch.int64) else x.float()


def padding_mask(inputs: tuple[torch.Tensor, ...], specs: Specs) -> torch.Tensor | None:
    """Bool (B, N), true where an embedding is real; None when no input can be padded."""
    import torch

    if not any(isinstance(spec, Tokens) for spec in specs):
        return None
    parts = []
    for x, spec in zip(inputs, specs, strict=True):
        ones = torch.ones(len(x), spec.embeddings, dtype=torch.bool, device=x.device)
        parts.append(x != spec.pad if isinstance(spec, Tokens) else ones)
    return torch.cat(parts, dim=1)
