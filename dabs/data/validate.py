"""Check the rows that a builder yields: shapes, values, labels, groups."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, BuildError, Classes, Domain, MultiLabel, Rows, Scalar, Task
from dabs.specs import Image, Spec, Tokens
from dabs.utils.files import short


class RowChecks:
    """Checks blocks of rows as they are written, and all splits together at the end.

    Args:
        domain: whose rows they are.
        duplicates: whether to look for equal inputs in two splits, which keeps a hash of every row.
    """

    def __init__(self, domain: Domain, *, duplicates: bool) -> None:
        self.domain, self.duplicates = domain, duplicates
        self.tasks = {task.name: task for task in domain.tasks}
        self.groups: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.rows: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
        self.labels: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))

    def update(self, rows: Rows) -> None:
        """Check one block.

        Raises:
            BuildError: a row does not fit the specs of the domain or the target of its task.
        """
        place = f"{self.domain.name}: {rows.dataset}/{rows.split}"
        specs, size = self.domain.specs, len(rows.group)
        if len(rows.inputs) != len(specs):
            raise BuildError(f"{place} has {len(rows.inputs)} inputs, but the domain has {len(specs)} specs.")
        for i, (x, spec) in enumerate(zip(rows.inputs, specs, strict=True)):
            _check_input(f"{place}, input {i}", x, spec, size)
        for name, column in (("label", rows.label), ("cluster", rows.cluster)):
            if column is not None and len(column) != size:
                raise BuildError(f"{place} has {len(column)} values of {name} for {size} rows.")
        if (rows.label is None) != (rows.dataset == PRETRAIN):
            raise BuildError(f"{place}: tasks need labels, and the pretraining set has none.")
        if rows.label is not None:
            _check_label(place, rows.label, self.tasks[rows.dataset])
            if isinstance(self.tasks[rows.dataset].target, Classes):
                self.labels[rows.dataset][rows.split] |= set(np.unique(rows.label).tolist())
        self.groups[rows.dataset][rows.split] |= set(rows.group)
        if self.duplicates:
            self.rows[rows.dataset][rows.split] |= _hashes(rows.inputs)

    def finish(self) -> list[str]:
        """Check the splits against each other, and return what a reader should know, one sentence each.

        Raises:
            BuildError: a group is in two splits, or the pretraining set has a group of a test split.
        """
        pretraining = set().union(*self.groups.get(PRETRAIN, {}).values())
        for name, splits in self.groups.items():
            _check_groups(self.domain.name, name, splits)
            if name != PRETRAIN:
                shared = splits.get(TEST, set()) & pretraining
                if shared:
                    raise BuildError(
                        f"{self.domain.name}: the pretraining set has the group {short(min(shared))} of the test split "
                        f"of {name}, so an encoder would have seen it. Leave it out of pretraining."
                    )
        return [*self._missing_classes(), *self._repeated_inputs()]

    def _missing_classes(self) -> list[str]:
        notes = []
        for name, splits in self.labels.items():
            target: Any = self.tasks[name].target
            for split, seen in splits.items():
                lacking = [target.names[i] for i in range(len(target)) if i not in seen]
                if lacking:
                    notes.append(f"{name}: the {split} split has no example of {', '.join(map(str, lacking[:5]))}")
        return notes

    def _repeated_inputs(self) -> list[str]:
        notes = []
        pretraining = set().union(*self.rows.get(PRETRAIN, {}).values())
        for name, splits in self.rows.items():
            if name == PRETRAIN:
                continue
            tested = splits.get(TEST, set())
            for other, seen in ((f"its {TRAIN} split", splits.get(TRAIN, set())), ("the pretraining set", pretraining)):
                count = len(tested & seen)
                if count:
                    of = len(tested)
                    notes.append(f"{name}: {count} of {of} different test inputs are also in {other}")
        return notes


def _check_input(place: str, x: Any, spec: Spec, size: int) -> None:
    if not isinstance(x, np.ndarray) or x.shape != (size, *spec.shape):
        found = x.shape if isinstance(x, np.ndarray) else type(x).__name__
        raise BuildError(f"{place} must be an array of the shape {(size, *spec.shape)} for {size} groups, not {found}.")
    kinds = _types_of(spec)
    if x.dtype not in kinds:
        names = " or ".join(kind.name for kind in kinds)
        raise BuildError(f"{place} must be {names}, not {x.dtype}. Convert it with astype.")
    if not size:
        return
    if isinstance(spec, Tokens):
        if x.min() < 0 or x.max() >= spec.vocabulary:
            raise BuildError(f"{place} has ids from {x.min()} to {x.max()}, outside 0 to {spec.vocabulary - 1}.")
        empty = np.flatnonzero((x == spec.pad).all(axis=1))
        if len(empty):
            raise BuildError(f"{place}: row {empty[0]} is all padding. Leave such rows out.")
    elif x.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(x).reshape(size, -1).all(axis=1))
        if len(wrong):
            raise BuildError(f"{place}: row {wrong[0]} has a value that is not finite. Leave it out, or fill it in.")


def _types_of(spec: Spec) -> tuple[np.dtype[Any], ...]:
    if isinstance(spec, Tokens):
        return (np.dtype(np.int32),)
    kinds = (np.dtype(np.float32), np.dtype(np.float16))
    return (np.dtype(np.uint8), *kinds) if isinstance(spec, Image) else kinds


def _check_label(place: str, label: np.ndarray, task: Task) -> None:
    target = task.target
    wanted = (len(label), len(target)) if isinstance(target, MultiLabel) else (len(label),)
    if label.shape != wanted:
        raise BuildError(f"{place}: labels must have the shape {wanted}, not {label.shape}.")
    if isinstance(target, Scalar):
        low, high, kind = target.low, target.high, "fiu"
    else:
        low, high, kind = 0, (len(target) - 1 if isinstance(target, Classes) else 1), "iub"
    if label.dtype.kind not in kind:
        raise BuildError(f"{place}: labels of {task.name} must be numbers of another type than {label.dtype}.")
    # of a score that is stored as float32, the last digit may lie beyond its bound
    margin = 1e-6 * max(abs(low), abs(high)) if isinstance(target, Scalar) else 0
    wrong = np.flatnonzero(~((label >= low - margin) & (label <= high + margin)).reshape(len(label), -1).all(axis=1))
    if len(wrong):
        found = short(label[wrong[0]].tolist())
        raise BuildError(
            f"{place}: row {wrong[0]} has the label {found}, but {task.name} allows {low:g} to {high:g}. Correct the "
            "label or the target."
        )


def _check_groups(domain: str, dataset: str, splits: dict[str, set[str]]) -> None:
    names = sorted(splits)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            shared = splits[a] & splits[b]
            if shared:
                raise BuildError(
                    f"{domain}: the group {short(min(shared))} is in the {a} and in the {b} split of {dataset} "
                    f"({len(shared)} groups are). Split by group."
                )


def _hashes(inputs: tuple[np.ndarray, ...]) -> set[bytes]:
    columns = [np.ascontiguousarray(x).reshape(len(x), -1) for x in inputs]
    return {
        hashlib.blake2b(b"".join(x[i].tobytes() for x in columns), digest_size=8).digest()
        for i in range(len(columns[0]))
    }
