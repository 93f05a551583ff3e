"""Rows of encoders from elsewhere: any function from arrays to features.

Such a row is a reference, like `raw`: it is read by the same probes, shown apart and never ranked, because its encoder,
data and budget are its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dabs.data.domain import SPLITS, Domain
from dabs.data.prepared import Prepared, open_prepared
from dabs.data.split import READ_BATCH
from dabs.errors import RequestError
from dabs.evaluation.build_result import EvaluatedTask, origin_of_external
from dabs.evaluation.evaluate import TaskReader, check_protocols, chosen_tasks
from dabs.evaluation.reference_rows import EXTERNAL_PREFIX

Features = Callable[..., Any]


@dataclass(frozen=True)
class ExternalViews:
    """The features that a function computes. They have no positions, so both views are the same."""

    function: Features
    known: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def pooled(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return the features (n, D) of each split, float32."""
        if data.dataset not in self.known:
            self.known[data.dataset] = {split: self._features(data, split) for split in SPLITS}
        return self.known[data.dataset]

    def positions(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return the same as `pooled`."""
        return self.pooled(data)

    def _features(self, data: Prepared, split: str) -> np.ndarray:
        names = tuple(f"input_{i}" for i in range(len(data.domain.specs)))
        columns = data.columns(split, names)
        parts = []
        for start in range(0, data.entry(split).rows, READ_BATCH):
            arrays = [np.array(columns[name][start : start + READ_BATCH]) for name in names]
            found = self.function(*arrays)
            found = np.asarray(found.detach().cpu() if hasattr(found, "detach") else found)
            if found.ndim != 2 or len(found) != len(arrays[0]) or not np.isfinite(found).all():
                raise RequestError(
                    f"the function returned an array of the shape {found.shape} for {len(arrays[0])} examples of "
                    f"{data.domain.name}; it must return finite features, (n, D)."
                )
            parts.append(found.astype(np.float32))
        return np.concatenate(parts)


def evaluate_external(
    function: Features,
    domain: Domain,
    name: str,
    about: str,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = ("linear", "knn"),
) -> Iterator[EvaluatedTask]:
    """Read the features that a function computes, as a row that is shown but not ranked.

    Args:
        function: takes one array per input, (n, *spec.shape) in its stored type (uint8 pixels, int32 ids), at most 256
            examples at a time; returns features (n, D) as an array or tensor.
        domain: whose tasks to read.
        name: of the row, letters, digits, dots, dashes and underscores; tables show it as external-NAME.
        about: which encoder it is and what it was trained on, for readers of the results.
        tasks, protocols: as for `evaluate`; `linear_tokens` reads the same features as `linear`.

    Raises:
        RequestError: the name or what the function returns is not as it should be.
    """
    check_protocols(protocols)
    if not name or not all(letter.isalnum() or letter in "._-" for letter in name):
        raise RequestError(f"{name!r} cannot name a row: use letters, digits, dots, dashes and underscores.")
    if not about.strip():
        raise RequestError("say in `about` which encoder it is and what it was trained on.")
    label = f"{EXTERNAL_PREFIX}{name}"
    digest = hashlib.sha256(f"{label}\n{about}".encode()).hexdigest()
    origin, views = origin_of_external(domain, label, about, digest), ExternalViews(function)
    for task in chosen_tasks(domain, tasks):
        yield from TaskReader(open_prepared(domain, task.name), task, views, origin).read(protocols, lambda line: None)
