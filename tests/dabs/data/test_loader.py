"""How batches reach a run: stored types, mapped files, reading ahead, waiting time."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dabs.bench.synthetic import synthetic_domain
from dabs.check.mock import KINDS
from dabs.config import PretrainConfig
from dabs.data.domain import TRAIN
from dabs.data.loader import Loader, read_ahead, read_batches
from dabs.data.prepared import open_prepared
from dabs.data.split import Split, decode
from dabs.specs import Batch, Image

CPU = torch.device("cpu")
ROWS = 9000  # more than two blocks of a file


@pytest.fixture(scope="module", params=KINDS)
def domain(request):
    with synthetic_domain(KINDS[request.param], ROWS) as domain:
        yield domain


def test_a_mapped_file_and_memory_have_the_same_rows(domain):
    held, mapped = (
        Split(open_prepared(domain, "task"), TRAIN, labels=True, in_memory=where) for where in (True, False)
    )
    index = np.array([0, ROWS - 1, 4095, 4096, 8191, 8192, 17, 17])
    one, other = held.stored(index), mapped.stored(index)
    for a, b in zip((*one.inputs, one.label), (*other.inputs, other.label), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)


def test_images_and_ids_keep_their_small_types_until_they_are_on_the_device(domain):
    stored = Split(open_prepared(domain), TRAIN, labels=False).stored(np.arange(4))
    assert stored.mask is None
    found = {type(spec).__name__: x.dtype for spec, x in zip(domain.specs, stored.inputs, strict=True)}
    wanted = {"Tokens": torch.int32, "Image": torch.uint8, "Series": torch.float32}
    assert found == {name: wanted[name] for name in found}


@pytest.mark.parametrize("row", [-1, ROWS])
def test_a_row_out_of_range_is_refused(domain, row):
    with pytest.raises(IndexError, match=str(row)):
        Split(open_prepared(domain), TRAIN, labels=False, in_memory=False).stored(np.array([0, row]))


def test_pixels_are_decoded_by_division():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    spec = Image(height=16, width=16, channels=1, patch=4)
    assert torch.equal(decode(Batch(inputs=(pixels,)), (spec,)).inputs[0], pixels.float() / 255)
    assert pixels[0, 0, 0, 1] == 1


def test_a_split_is_read_in_order(domain):
    split = Split(open_prepared(domain), TRAIN, labels=False)
    both = zip(read_batches(split, split.in_order(4000), CPU), split.batches(4000), strict=True)
    assert [torch.equal(one.inputs[-1], other.inputs[-1]) for one, other in both] == [True] * 3


@given(st.lists(st.integers(), max_size=20), st.integers(1, 6))
@settings(deadline=None, max_examples=30)
def test_reading_ahead_keeps_all_items_in_order(items, count):
    assert list(read_ahead(iter(items), count)) == items


def test_reading_ahead_is_ahead_and_ends_its_thread():
    made: list[int] = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    running = read_ahead(items(), 3)
    next(running)
    for _ in range(100):
        if len(made) >= 4:
            break
        time.sleep(0.01)
    assert len(made) == 4  # the one in use and three more
    running.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_an_error_while_reading_ahead_is_raised_at_its_item():
    def items():
        yield 1
        raise ValueError("damaged")

    running = read_ahead(items())
    assert next(running) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(running)


def test_the_loader_counts_waiting_time_and_not_the_time_of_steps(domain):
    config = PretrainConfig(algorithm="shed", domain="made_up", batch_size=8, steps=5)
    loader = Loader(Split(open_prepared(domain), TRAIN, labels=False), config, 2, CPU)
    sizes = []
    begun = time.perf_counter()
    for batch in loader:
        sizes.append(len(batch))
        time.sleep(0.05)
    assert sizes == [8, 8, 8]
    assert 0 < loader.waited <= time.perf_counter() - begun - 3 * 0.05
