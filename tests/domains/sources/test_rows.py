"""Blocks of rows from a list of files: order, labels, worker processes, damaged files; carving and leaks."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.data.domain import PRETRAIN, BuildError
from dabs.domains.images.pictures import resized
from dabs.domains.sources import rows as _rows
from dabs.domains.sources.rows import BLOCK, Item, carve, listing, rows
from tests.helpers.paper.layouts import picture


def flat(value: int, group: str, label: int | None = None) -> Item:
    """A picture of one grey level."""
    return Item(source=np.full((4, 4, 3), value % 256, np.uint8), group=group, label=label)


def twice(item: Item) -> np.ndarray:
    """A decoder that gives two rows of an item."""
    assert isinstance(item.source, np.ndarray)
    return np.stack([item.source[0, 0], 255 - item.source[0, 0]])


def test_many_items_go_through_processes_and_come_back_in_order_with_their_labels(monkeypatch):
    monkeypatch.setattr(_rows, "FEW", 1)
    items = [flat(i, f"g{i}", i) for i in range(4 * BLOCK + 7)]
    beside = np.arange(len(items), dtype=np.int32)[:, None]
    blocks = list(rows("shade", "train", iter(items), partial(resized, side=2), beside))
    assert [len(block.group) for block in blocks] == [BLOCK] * 4 + [7]
    pixels = np.concatenate([block.inputs[0] for block in blocks])
    assert pixels.shape == (len(items), 3, 2, 2)
    assert pixels.dtype == np.uint8
    assert pixels[:, 0, 0, 0].tolist() == [i % 256 for i in range(len(items))]
    assert np.concatenate([block.label for block in blocks]).tolist() == list(range(len(items)))
    assert np.concatenate([block.inputs[1] for block in blocks])[:, 0].tolist() == list(range(len(items)))
    assert [group for block in blocks for group in block.group] == [item.group for item in items]


def test_an_item_of_two_rows_gives_its_label_and_group_twice_and_pretraining_has_no_label():
    items = [flat(10, "a", 0), flat(20, "b", 1)]
    (block,) = rows("shade", "train", items, twice, np.array([[7], [8]]))
    assert block.group == ["a", "a", "b", "b"]
    assert block.label.tolist() == [0, 0, 1, 1]
    assert block.inputs[1][:, 0].tolist() == [7, 7, 8, 8]
    assert next(iter(rows(PRETRAIN, "train", items, twice))).label is None


def test_no_more_than_a_few_blocks_are_read_ahead(monkeypatch):
    taken = 0

    def items():
        nonlocal taken
        for i in range(40 * BLOCK):
            taken += 1
            yield flat(i, str(i), 0)

    monkeypatch.setattr(_rows, "FEW", 1)
    monkeypatch.setattr(_rows.os, "sched_getaffinity", lambda _: {0, 1})
    stream = rows("shade", "train", items(), partial(resized, side=2))
    next(stream)
    assert taken <= 8 * BLOCK  # ImageNet must not need memory for its list, let alone its pictures
    stream.close()


@pytest.mark.parametrize("count", [1, 3 * BLOCK])
def test_a_damaged_file_is_named_also_from_a_worker_process(tmp_path: Path, monkeypatch, count: int):
    monkeypatch.setattr(_rows, "FEW", 1)
    path = picture(tmp_path / "cut.jpg", 200, 200)
    path.write_bytes(path.read_bytes()[:700])
    items = [*(flat(1, "g", 0) for _ in range(count)), Item(source=str(path), group="g", label=0)]
    with pytest.raises(BuildError, match=r"cut\.jpg cannot be decoded"):
        list(rows("shade", "train", items, partial(resized, side=8)))


def killed(item: Item) -> np.ndarray:
    """A decoder that the system ends, as it does for want of memory."""
    os._exit(9)


def test_a_killed_process_is_said(monkeypatch):
    monkeypatch.setattr(_rows, "FEW", 1)
    monkeypatch.setattr(_rows.os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(BuildError, match="want of memory"):
        list(rows("shade", "train", [flat(i, str(i), 0) for i in range(3 * BLOCK)], killed))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BuildError, match=r"gone\.jpg cannot be decoded.*missing"):
        list(rows("x", "train", [Item(source=str(tmp_path / "gone.jpg"), group="g")], partial(resized, side=8)))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=80))
def test_carving_keeps_units_whole_and_does_not_depend_on_order(pairs: list[tuple[int, int]]):
    items = [flat(0, f"unit {unit} of {label}", label) for unit, label in pairs]
    rest, aside = carve(items)
    assert sorted(i.group for i in rest + aside) == sorted(i.group for i in items)
    assert not {i.group for i in rest} & {i.group for i in aside}
    assert {i.group for i in carve(items[::-1])[1]} == {i.group for i in aside}
    for label in {i.label for i in items}:
        units = {i.group for i in items if i.label == label}
        chosen = {i.group for i in aside if i.label == label}
        assert len(chosen) == (max(round(0.1 * len(units)), 1) if len(units) > 1 else 0)


def test_a_unit_on_two_sides_is_refused_and_so_is_an_empty_split():
    train, test = [flat(0, f"p{i}", 0) for i in range(20)], [flat(0, "p3", 0)]
    with pytest.raises(BuildError, match=r"1 units stand in .* and in test, e\.g\. 'p3'"):
        listing(train, None, test)
    with pytest.raises(BuildError, match="test split is empty"):
        listing(train, None, [])
