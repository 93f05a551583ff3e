"""Decoding into blocks of rows: order, labels, processes, damaged files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dabs.data.domain import PRETRAIN, BuildError
from dabs.domains.images.resize import resize
from dabs.domains.sources import decode
from dabs.domains.sources.decode import BLOCK_ITEMS, decode_rows
from dabs.domains.sources.listing import Item
from tests.helpers.paper.layouts import picture
from tests.helpers.places import ROOT
from tests.helpers.processes import marked_processes, needs_proc, wait_for


def flat(value: int, group: str, label: int | None = None) -> Item:
    """A picture of a single grey level."""
    return Item(source=np.full((4, 4, 3), value % 256, np.uint8), group=group, label=label)


def twice(item: Item) -> np.ndarray:
    """A decoder that returns two rows per item."""
    assert isinstance(item.source, np.ndarray)
    return np.stack([item.source[0, 0], 255 - item.source[0, 0]])


def test_items_decoded_in_processes_come_back_in_order_with_their_labels(monkeypatch):
    monkeypatch.setattr(decode, "SERIAL_BLOCKS", 1)
    items = [flat(i, f"g{i}", i) for i in range(4 * BLOCK_ITEMS + 7)]
    second = np.arange(len(items), dtype=np.int32)[:, None]
    blocks = list(decode_rows("shade", "train", iter(items), partial(resize, side=2), second))
    assert [len(block.group) for block in blocks] == [BLOCK_ITEMS] * 4 + [7]
    pixels = np.concatenate([block.inputs[0] for block in blocks])
    assert pixels.shape == (len(items), 3, 2, 2)
    assert pixels.dtype == np.uint8
    assert pixels[:, 0, 0, 0].tolist() == [i % 256 for i in range(len(items))]
    assert np.concatenate([block.label for block in blocks]).tolist() == list(range(len(items)))
    assert np.concatenate([block.inputs[1] for block in blocks])[:, 0].tolist() == list(range(len(items)))
    assert [group for block in blocks for group in block.group] == [item.group for item in items]


def test_both_rows_of_an_item_get_its_label_and_group_and_pretraining_has_no_label():
    items = [flat(10, "a", 0), flat(20, "b", 1)]
    (block,) = decode_rows("shade", "train", items, twice, np.array([[7], [8]]))
    assert block.group == ["a", "a", "b", "b"]
    assert block.label.tolist() == [0, 0, 1, 1]
    assert block.inputs[1][:, 0].tolist() == [7, 7, 8, 8]
    assert next(iter(decode_rows(PRETRAIN, "train", items, twice))).label is None


def test_only_a_few_blocks_are_read_ahead(monkeypatch):
    taken = 0

    def items():
        nonlocal taken
        for i in range(40 * BLOCK_ITEMS):
            taken += 1
            yield flat(i, str(i), 0)

    monkeypatch.setattr(decode, "SERIAL_BLOCKS", 1)
    monkeypatch.setattr(decode.os, "sched_getaffinity", lambda _: {0, 1})
    stream = decode_rows("shade", "train", items(), partial(resize, side=2))
    next(stream)
    assert taken <= 8 * BLOCK_ITEMS  # ImageNet must not need memory for its list, let alone its pictures
    stream.close()


@pytest.mark.parametrize("count", [1, 3 * BLOCK_ITEMS])
def test_a_damaged_file_is_named_even_by_a_worker_process(tmp_path: Path, monkeypatch, count: int):
    monkeypatch.setattr(decode, "SERIAL_BLOCKS", 1)
    path = picture(tmp_path / "cut.jpg", 200, 200)
    path.write_bytes(path.read_bytes()[:700])
    items = [*(flat(1, "g", 0) for _ in range(count)), Item(source=str(path), group="g", label=0)]
    with pytest.raises(BuildError, match=r"cut\.jpg cannot be decoded"):
        list(decode_rows("shade", "train", items, partial(resize, side=8)))


def killed(item: Item) -> np.ndarray:
    """A decoder that the system kills, as it does when memory runs out."""
    os._exit(9)


def test_a_killed_worker_is_reported(monkeypatch):
    monkeypatch.setattr(decode, "SERIAL_BLOCKS", 1)
    monkeypatch.setattr(decode.os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(BuildError, match="memory ran out"):
        list(decode_rows("shade", "train", [flat(i, str(i), 0) for i in range(3 * BLOCK_ITEMS)], killed))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BuildError, match=r"gone\.jpg cannot be decoded.*missing"):
        list(decode_rows("x", "train", [Item(source=str(tmp_path / "gone.jpg"), group="g")], partial(resize, side=8)))


DECODING = """
import sys
import time
from pathlib import Path

from dabs.domains.sources import decode
from tests.domains.sources.test_decode import flat, slow
from dabs.utils.signals import ended_by_sigterm

if __name__ == "__main__":
    decode.SERIAL_BLOCKS = 1
    with ended_by_sigterm():
        for block in decode.decode_rows("shade", "train", (flat(i, sys.argv[1], 0) for i in range(10**6)), slow):
            pass
"""


def slow(item: Item) -> np.ndarray:
    """A decoder that takes a while and says that it was called."""
    Path(item.group, "decoding").touch()
    time.sleep(0.01)
    assert isinstance(item.source, np.ndarray)
    return item.source[None, 0, 0]


@needs_proc
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core, nothing is decoded in processes")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_decoding_process_outlives_its_parent(number, tmp_path):
    (tmp_path / "decoding.py").write_text(DECODING)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DABS_TEST_MARK": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "decoding.py", tmp_path], env=environment, stderr=subprocess.DEVNULL
    ) as parent:
        wait_for(lambda: (tmp_path / "decoding").exists(), 60)
        parent.send_signal(number)
        parent.wait(timeout=20)
        wait_for(lambda: not marked_processes(f"DABS_TEST_MARK={tmp_path}"), 20)
