"""The examples of a dataset by split, before anything is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError, Workspace

VALIDATION_SHARE = 0.1  # of the training groups, held out where the publisher has no validation split


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One example before it is decoded.

    Attributes:
        source: the path of its file; or its pixels, uint8 (height, width, 3), where many examples share a file.
        group: what must not appear in two splits, e.g. a patient.
        label: a class, or a 0 or 1 for each finding; None where only pretraining uses the example.
        box: left, upper, right and lower (exclusive) pixel of the crop, where the dataset says where the object is.
        text: what accompanies a picture: a caption, or a question and its answers.
    """

    source: str | np.ndarray
    group: str
    label: int | tuple[int, ...] | None = None
    box: tuple[int, int, int, int] | None = None
    text: tuple[str, ...] = ()


Listing = dict[str, list[Item]]  # by split


def hold_out(items: Sequence[Item], share: float = VALIDATION_SHARE) -> tuple[list[Item], list[Item]]:
    """Return the items that stay and those held out, both in their original order.

    Whole groups are held out: of each class a `share` of its groups, and at least one if the class has two or more.
    They are the groups whose names have the lowest hashes, so the choice is the same on every machine. Items with
    several findings, or without a label, count as one class.
    """
    by_class: dict[object, set[str]] = {}
    for item in items:
        by_class.setdefault(item.label if isinstance(item.label, int) else None, set()).add(item.group)
    held_out: set[str] = set()
    for groups in by_class.values():
        ordered = sorted(groups, key=lambda group: sha256(group.encode()).digest())
        count = max(round(share * len(ordered)), 1) if len(ordered) > 1 else 0
        held_out.update(ordered[:count])
    return [i for i in items if i.group not in held_out], [i for i in items if i.group in held_out]


def deal(items: Sequence[Item], test: float, validation: float) -> Listing:
    """Deal items into the three splits where the publisher has none.

    Whole groups are dealt, in the order of the hashes of their names, whatever their classes; `test` and `validation`
    are the shares of the groups in these splits, each of which gets at least one.
    """
    groups = sorted({item.group for item in items}, key=lambda group: sha256(group.encode()).digest())
    first = max(round(test * len(groups)), 1)
    last = first + max(round(validation * len(groups)), 1)
    held_out = dict.fromkeys(groups[:first], TEST) | dict.fromkeys(groups[first:last], VALIDATION)
    found: Listing = {TRAIN: [], VALIDATION: [], TEST: []}
    for item in items:
        found[held_out.get(item.group, TRAIN)].append(item)
    return make_listing(found[TRAIN], found[VALIDATION], found[TEST])


def make_listing(train: Sequence[Item], validation: Sequence[Item] | None, test: Sequence[Item]) -> Listing:
    """Return the splits of a task, after checking that no test group appears in another split.

    Args:
        train: the training items.
        validation: the validation items; None to hold out a part of `train`.
        test: the test items.

    Raises:
        BuildError: a split is empty, or a group of the test split is also in another split.
    """
    parts = hold_out(train) if validation is None else (train, validation)
    found = dict(zip((TRAIN, VALIDATION, TEST), map(list, (*parts, test)), strict=True))
    for split, items in found.items():
        if not items:
            raise BuildError(f"the {split} split is empty: its files or its list are missing or cut short.")
    test_groups = {item.group for item in found[TEST]}
    for split in (TRAIN, VALIDATION):
        shared = test_groups & {item.group for item in found[split]}
        if shared:
            raise BuildError(f"{len(shared)} groups are in both {split} and test, e.g. {min(shared)!r}.")
    return found


def check_count(workspace: Workspace, found: int, published: int) -> None:
    """Note in the workspace when a copy has another number of files than its publisher gives."""
    if found != published:
        workspace.notes.append(
            f"this copy has {found:,} of the publisher's {published:,} files; scores hold for this copy only."
        )
