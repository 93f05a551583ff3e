"""A domain of arrays: whole groups in one split, and the same ones on every machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.data.arrays import SHARES, Examples, domain_of_arrays
from dabs.data.domain import PRETRAIN, Classes, MultiLabel, Scalar, Workspace
from dabs.errors import RequestError
from dabs.specs import Series

SPEC = Series(steps=4, channels=1, segment=2)


def built(label, group=None, target=("a", "b")):
    x = np.arange(len(label) * 4, dtype=np.float32).reshape(-1, 4, 1)
    domain = domain_of_arrays(
        "mine", SPEC, lambda: Examples(inputs=(x,), label=label, group=group), target, question="Which?"
    )
    assert domain.build is not None
    return domain, {(r.dataset, r.split): r for r in domain.build(Workspace(sources={}, say=print))}


@given(st.lists(st.integers(0, 20), min_size=30, max_size=200).filter(lambda x: len(set(x)) >= 3))
def test_every_example_is_used_once_and_groups_stay_together(group):
    _, rows = built(np.zeros(len(group), int), group)
    seen = {split: rows["label", split] for split in SHARES}
    assert sum(len(r.group) for r in seen.values()) == len(group)
    assert set.union(*(set(r.group) for r in seen.values())) == {str(one) for one in group}
    assert sum(len(set(r.group)) for r in seen.values()) == len(set(group))
    starts = sorted(x[0, 0] for r in seen.values() for x in r.inputs[0])
    assert starts == [4.0 * i for i in range(len(group))]
    for split in ("train", "validation"):
        np.testing.assert_array_equal(rows[PRETRAIN, split].inputs[0], seen[split].inputs[0])
        assert rows[PRETRAIN, split].label is None
    assert (PRETRAIN, "test") not in rows


def test_the_shares_are_kept_and_do_not_depend_on_the_order():
    group = [f"person {i}" for i in range(200)]
    _, rows = built(np.zeros(200, int), group)
    assert [len(rows["label", split].group) for split in SHARES] == [120, 30, 50]
    _, again = built(np.zeros(200, int), group[::-1])
    assert {*again["label", "test"].group} == {*rows["label", "test"].group}
    assert rows["label", "test"].group != sorted(group)[-50:], "neighbours in the alphabet are spread"


@pytest.mark.parametrize(
    ("target", "metric", "label", "kind"),
    [
        (("a", "b"), "accuracy", np.array([0, 1] * 10), np.int64),
        (Classes(names=("a", "b")), "accuracy", np.array([False, True] * 10), np.int64),
        (MultiLabel(names=("a", "b")), "auroc", np.ones((20, 2)), np.int8),
        (Scalar(low=0, high=1), "spearman", np.linspace(0, 1, 20), np.float32),
    ],
)
def test_the_metric_and_the_type_of_labels_follow_the_target(target, metric, label, kind):
    domain, rows = built(label, target=target)
    assert domain.tasks[0].metric == metric
    assert rows["label", "train"].label.dtype == kind


def test_class_numbers_that_are_no_whole_numbers_are_refused():
    with pytest.raises(RequestError, match="whole numbers from 0 to 1, not float64"):
        built(np.array([0.5] * 20))


def test_too_few_groups_are_refused():
    with pytest.raises(RequestError, match="there are 2 groups"):
        built(np.zeros(20, int), ["x", "y"] * 10)
