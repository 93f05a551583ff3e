"""Read a split of prepared data by index into batches.

A split is held in memory if it is small enough; otherwise its file is memory-mapped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dabs.data.arrow import MappedColumn, MemoryColumn
from dabs.data.prepared import Prepared
from dabs.specs import Batch, Specs, Tokens

if TYPE_CHECKING:
    import torch

READ_BATCH = 256  # examples per batch when a whole split is read without training
IN_MEMORY_BYTES = 4 << 30  # a split smaller than this is held in memory


class Split:
    """One split of a prepared dataset.

    Args:
        prepared: the dataset, from `open_prepared`.
        split: "train", "validation" or "test".
        labels: whether batches include the label; those for an algorithm never do.
        in_memory: whether to hold it in memory; by default if it is smaller than `IN_MEMORY_BYTES`.
    """

    def __init__(self, prepared: Prepared, split: str, *, labels: bool, in_memory: bool | None = None) -> None:
        path = prepared.path(split)
        self.specs = prepared.domain.specs
        self.names = [f"input_{i}" for i in range(len(self.specs))] + (["label"] if labels else [])
        self.rows = prepared.entry(split).rows
        self.columns: Mapping[str, MemoryColumn | MappedColumn]
        small = not path.exists() or path.stat().st_size < IN_MEMORY_BYTES
        self.in_memory = small if in_memory is None else in_memory
        if self.in_memory:
            held = prepared.columns(split, tuple(self.names))
            self.columns = {name: MemoryColumn(np.array(x)) for name, x in held.items()}  # a copy: the map is read-only
        else:
            self.columns = {name: MappedColumn(path, name) for name in self.names}

    def __len__(self) -> int:
        return self.rows

    def batches(self, size: int) -> Iterator[Batch]:
        """Yield all examples in order, `size` at a time; the last batch may be smaller."""
        return (self.batch(index) for index in self.in_order(size))

    def in_order(self, size: int) -> Iterator[np.ndarray]:
        """Yield the indices of all examples in order, `size` at a time."""
        return (np.arange(start, min(start + size, len(self))) for start in range(0, len(self), size))

    def lengths(self) -> np.ndarray | None:
        """Return the length of each example's last input without padding, (n,); None if that input is not padded."""
        last, column = self.specs[-1], self.columns[f"input_{len(self.specs) - 1}"]
        if not isinstance(last, Tokens):
            return None
        blocks = (column.rows(index).reshape(len(index), -1) for index in self.in_order(4096))
        return np.concatenate([(ids != last.pad).sum(dim=1).numpy() for ids in blocks])

    def digest(self) -> str | None:
        """Return a hash of the inputs, equal for tasks on the same examples; None for a split that is not in memory."""
        found = hashlib.sha256()
        for i in range(len(self.specs)):
            column = self.columns[f"input_{i}"]
            if not isinstance(column, MemoryColumn):
                return None
            found.update(np.ascontiguousarray(column.values).data)
        return found.hexdigest()

    def stored(self, index: np.ndarray, part: slice = slice(None), *, pin: bool = False) -> Batch:
        """Return the examples at `index` in their stored types and without a mask; see `decode`.

        Args:
            index: int64 (B,), each from 0 to len - 1.
            part: the rows of the batch to return, with trailing padding cut off as in the whole batch.
            pin: whether to copy into pinned memory, which a GPU reads while it computes.
        """
        if index.min() < 0 or index.max() >= self.rows:
            raise IndexError(f"rows {index.min()} to {index.max()} of a split of {self.rows}")
        own, last = index[part], self.specs[-1]
        names = [f"input_{i}" for i in range(len(self.specs))]
        inputs = [
            self.columns[name].rows(own, pin=pin).reshape(len(own), *spec.shape)
            for name, spec in zip(names, self.specs, strict=True)
        ]
        if isinstance(last, Tokens):
            ids = inputs[-1] if len(own) == len(index) else self.columns[names[-1]].rows(index)
            longest = max(int((ids.reshape(len(index), -1) != last.pad).sum(dim=1).max()), 1)
            short = inputs[-1][:, :longest].contiguous()
            inputs[-1] = short.pin_memory() if pin else short
        label = self.columns["label"].rows(own, pin=pin) if "label" in self.names else None
        return Batch(inputs=tuple(inputs), label=label)

    def batch(self, index: np.ndarray, part: slice = slice(None)) -> Batch:
        """Return the examples at `index`, int64 (B,), as floats and ids, with a mask and without trailing padding.

        With `part`, only those rows of the batch are returned, as long as in the whole batch.
        """
        return decode(self.stored(index, part), self.specs)


def decode(batch: Batch, specs: Specs) -> Batch:
    """Return a batch of stored types in the types that models take, with the padding mask, on the same device."""
    inputs = tuple(_decode_input(x) for x in batch.inputs)
    return Batch(inputs=inputs, mask=padding_mask(inputs, specs), label=batch.label)


def _decode_input(x: torch.Tensor) -> torch.Tensor:
    """Convert a stored type to a model's type: uint8 pixels to [0, 1], ids to int64, everything else to float32."""
    import torch

    if x.dtype == torch.uint8:
        # divide by a tensor: for a number, a GPU multiplies by its rounded inverse, so its results differ from a CPU's
        return x.float().div_(torch.tensor(255.0, device=x.device))
    return x.long() if x.dtype in (torch.int32, torch.int64) else x.float()


def padding_mask(inputs: tuple[torch.Tensor, ...], specs: Specs) -> torch.Tensor | None:
    """Return the mask, bool (B, N), true where an embedding is real; None if no input can be padded."""
    import torch

    if not any(isinstance(spec, Tokens) for spec in specs):
        return None
    parts = []
    for x, spec in zip(inputs, specs, strict=True):
        ones = torch.ones(len(x), spec.embeddings, dtype=torch.bool, device=x.device)
        parts.append(x != spec.pad if isinstance(spec, Tokens) else ones)
    return torch.cat(parts, dim=1)
