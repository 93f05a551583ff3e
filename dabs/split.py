"""One split of prepared data read into batches: by index from memory when it fits, else from disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dabs.dataset import Domain
from dabs.prepared import folder_of, manifest_of, read_columns
from dabs.specs import Batch, Specs, Tokens
from dabs.splitfile import array_of

if TYPE_CHECKING:
    import torch

READ_BATCH = 256  # examples at a time where a whole split is read without learning
IN_MEMORY_BYTES = 4 << 30  # a split under this size is held as tensors


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
        self.rows = manifest_of(domain, dataset)["splits"][f"{dataset}/{split}"]["rows"]
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
        return {name: np.array(array_of(table.column(name))) for name in self.names}

    def _longest(self, index: np.ndarray, pad: int) -> int:
        """How many places of the last input the longest of some examples fills, at least one."""
        name = f"input_{len(self.specs) - 1}"
        ids = self.columns[name][index] if self.in_memory else array_of(self.mapped[index].column(name))
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
