"""Random positions: as many as asked for, no padding among them, and the same as the published objectives draw."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dabs.algorithms.contrastive import Contrastive, centred
from dabs.draws import count_real, draw_centred_half, draw_order, draw_share

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
