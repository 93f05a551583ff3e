"""Two processes (gloo, CPU) compute the loss and gradients of one; random positions are what was asked for."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed, nn

from dabs.algorithms.contrastive import Contrastive, centred
from dabs.check.mock import KINDS as SPECS
from dabs.check.mock import TINY, Subject, synthetic_batch
from dabs.distributed import (
    count_real,
    draw_centred_half,
    draw_order,
    draw_share,
    dropout,
    gather_examples,
    independent_processes,
    own_examples,
    processes,
    rank,
    whole_batch,
)
from dabs.registry import algorithm_names, find_algorithm
from dabs.specs import Batch
from dabs.training.step import Objective, seed_all

SIZE = 64  # on one process; 32 on each of two
GATHERING = [name for name in algorithm_names() if find_algorithm(name).gathers]
CASES = [(name, kind, rate) for name in GATHERING for kind in SPECS for rate in (0.0, 0.1)]
WEIGHTS = torch.arange(24.0).reshape(3, 4, 2)
Numbers = dict[str, torch.Tensor]


def part_of(batch: Batch) -> Batch:
    mask = None if batch.mask is None else own_examples(batch.mask)
    return Batch(inputs=tuple(own_examples(x) for x in batch.inputs), mask=mask)


def numbers_of(module: nn.Module, batch: Batch) -> Numbers:
    """Return the outputs of one step, and the gradients of all parameters that have one."""
    seed_all(0, 0)
    out = module(batch)
    out["loss"].backward()
    gradients = {n.removeprefix("module."): p.grad for n, p in module.named_parameters() if p.grad is not None}
    return {name: value.detach() for name, value in out.items()} | gradients


def build(case: tuple[str, str, float]) -> tuple[Objective, Batch]:
    name, kind, rate = case
    objective = Subject(find_algorithm(name)).objective(SPECS[kind], config=replace(TINY, dropout=rate))
    return objective, synthetic_batch(SPECS[kind], SIZE, padded=True)


def work(index: int, folder: str) -> None:
    """Compute all cases in one of the two processes, and write the numbers to a file."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=index, world_size=2)
    found = {}
    for case in CASES:
        module, batch = build(case)
        wrapped = nn.parallel.DistributedDataParallel(module, find_unused_parameters=True)
        found[case] = numbers_of(wrapped, part_of(batch))
    x = torch.arange(4.0) + 4 * rank()
    with independent_processes():
        alone = gather_examples(x), own_examples(x), whole_batch(4)
    found["functions"] = processes(), rank(), gather_examples(x), own_examples(torch.arange(8)), whole_batch(4), *alone
    y = own_examples(torch.randn(4, 3, 2)).clone().requires_grad_()
    (gather_examples(y).transpose(0, 1) * WEIGHTS).sum().backward()
    found["gradient"] = y.grad
    torch.save(found, f"{folder}/{index}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> list[dict]:
    folder: Path = tmp_path_factory.mktemp("two")
    torch.multiprocessing.spawn(work, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{index}.pt") for index in range(2)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_two_processes_compute_the_loss_and_gradients_of_one(two, case):
    expected = numbers_of(*build(case))
    for found in two:
        assert found[case].keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[case][name], value, atol=1e-5, rtol=0, msg=lambda m, n=name: f"{n}: {m}")


def test_every_gathering_algorithm_has_another_loss_on_half_a_batch(two):
    """Without this, the equality above could hold because the other half of a batch has no influence."""
    for name in GATHERING:
        module, batch = build((name, "series", 0.0))
        half = Batch(inputs=tuple(x[:32] for x in batch.inputs))
        assert abs(numbers_of(module, half)["loss"] - two[0][name, "series", 0.0]["loss"]) > 1e-4


def test_the_functions_return_what_their_shapes_say(two):
    for index, found in enumerate(two):
        own = torch.arange(4.0) + 4 * index
        size, place, gathered, mine, whole, alone, alone_mine, alone_whole = found["functions"]
        assert (size, place, whole, alone_whole) == (2, index, 8, 4)
        for value, wanted in ((gathered, torch.arange(8.0)), (mine, own.long()), (alone, own), (alone_mine, own)):
            assert torch.equal(value, wanted)


def test_a_gradient_of_another_layout_reaches_its_examples(two):
    """The loss of each of the two processes is that of the whole batch, so their gradients add up to twice its own."""
    found = torch.cat([one["gradient"] for one in two])
    assert torch.equal(found, 2 * WEIGHTS.transpose(0, 1))


def test_on_one_process_everything_is_the_identity():
    x = torch.randn(4, 3, requires_grad=True)
    assert gather_examples(x) is x
    assert own_examples(x) is x
    assert (whole_batch(4), processes(), rank()) == (4, 1, 0)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.999999])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_the_mean_and_drops_its_share(p, dtype):
    torch.manual_seed(0)
    x = torch.ones(400, 499, dtype=dtype, requires_grad=True)
    y = dropout(x, p, training=True)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(gradient, y)
    scale = 1 / (1 - min(round(p * 65536), 65535) / 65536)
    assert set(y.detach().unique().tolist()) <= {0.0, torch.tensor(scale, dtype=dtype).item()}
    kept = float((y > 0).double().mean())
    assert kept == pytest.approx(1 - p, abs=5 * (p * (1 - p) / x.numel()) ** 0.5 + 1 / 65536)
    # rows and columns are independent: the shares of both vary as a binomial's
    for axis, count in ((0, 400), (1, 499)):
        expected = (p * (1 - p) / count) ** 0.5
        assert float((y > 0).double().mean(dim=axis).std()) == pytest.approx(expected, rel=0.2, abs=2e-4)


def test_dropout_follows_the_seed_and_is_off_outside_training():
    x = torch.randn(7, 5)
    torch.manual_seed(3)
    first, second = (dropout(x, 0.5, training=True) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(dropout(x, 0.5, training=True), first)
    assert not torch.equal(first, second)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def padded(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings (B, 9, 4), and a mask of so many real positions each."""
    return torch.randn(len(lengths), 9, 4), torch.arange(9) < torch.tensor(lengths)[:, None]


@given(LENGTHS)
def test_an_order_is_a_permutation_with_padding_last(lengths):
    x, mask = padded(lengths)
    order = draw_order(x, mask)
    assert torch.equal(order.sort(dim=1).values, torch.arange(9).expand(len(lengths), 9))
    for row, n in zip(order.tolist(), lengths, strict=True):
        assert set(row[:n]) == set(range(n))


@given(LENGTHS, st.floats(0.01, 1.0))
def test_a_share_is_rounded_up_and_holds_no_padding(lengths, share):
    x, mask = padded(lengths)
    drawn = draw_share(x, mask, share)
    assert not (drawn & ~mask).any()
    float32 = torch.tensor(share, dtype=torch.float32)
    assert drawn.sum(dim=1).tolist() == [math.ceil(float(float32 * n)) for n in lengths]
    assert count_real(x, mask)[:, 0].tolist() == lengths
    assert count_real(x, None)[:, 0].tolist() == [9] * len(lengths)


def test_every_position_is_drawn_as_often():
    drawn = draw_share(torch.zeros(20_000, 8, 1), None, 0.25)
    assert drawn.float().mean(dim=0) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("with_padding", [False, True])
def test_a_centred_half_is_what_contrastive_encodes(with_padding):
    x, mask = padded([9, 4, 1, 6])
    given_mask = mask if with_padding else None
    torch.manual_seed(3)
    part, part_mask, index = draw_centred_half(x, given_mask)
    torch.manual_seed(3)
    expected = Contrastive.draw(x, given_mask)
    assert torch.equal(index, expected)
    own = None if given_mask is None else given_mask.gather(1, expected)
    half = x.gather(1, expected[:, :, None].expand(-1, -1, 4))
    assert (part_mask is None) == (own is None)
    if own is not None:
        assert torch.equal(part_mask, own)
    torch.testing.assert_close(part, centred(half, own))
