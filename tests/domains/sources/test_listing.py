"""Listings: groups are held out whole; a group in two splits is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.data.domain import BuildError
from dabs.domains.sources.listing import Item, deal, hold_out, make_listing


def item(group: str, label: int) -> Item:
    """An item of a group and a class."""
    return Item(source=np.zeros((1, 1, 3), np.uint8), group=group, label=label)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=80))
def test_groups_are_held_out_whole_and_whatever_the_order(pairs: list[tuple[int, int]]):
    items = [item(f"group {group} of {label}", label) for group, label in pairs]
    rest, held_out = hold_out(items)
    assert sorted(i.group for i in rest + held_out) == sorted(i.group for i in items)
    assert not {i.group for i in rest} & {i.group for i in held_out}
    assert {i.group for i in hold_out(items[::-1])[1]} == {i.group for i in held_out}
    for label in {i.label for i in items}:
        groups = {i.group for i in items if i.label == label}
        chosen = {i.group for i in held_out if i.label == label}
        assert len(chosen) == (max(round(0.1 * len(groups)), 1) if len(groups) > 1 else 0)


def test_a_group_in_two_splits_is_refused_and_so_is_an_empty_split():
    train, test = [item(f"p{i}", 0) for i in range(20)], [item("p3", 0)]
    with pytest.raises(BuildError, match=r"1 groups are in both .* and test, e\.g\. 'p3'"):
        make_listing(train, None, test)
    with pytest.raises(BuildError, match="test split is empty"):
        make_listing(train, None, [])


def test_dealing_depends_on_the_names_of_the_groups_alone(check_disjoint):
    items = [Item(source=f"{n}.png", group=f"picture {n // 2}", label=n % 3) for n in range(200)]
    found = deal(items, 0.2, 0.1)
    check_disjoint(found)
    assert {split: len(dealt) for split, dealt in found.items()} == {"train": 140, "validation": 20, "test": 40}
    other = deal(items[::-1], 0.2, 0.1)
    assert all({i.group for i in other[s]} == {i.group for i in found[s]} for s in found)
    few = deal(items[:8], 0.2, 0.1)
    assert [len(dealt) for dealt in few.values()] == [4, 2, 2]
