"""What a builder yields is checked: shapes, types, values, labels, groups, repeated inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dabs.data.domain import PRETRAIN, BuildError, Card, Classes, Domain, MultiLabel, Rows, Scalar, Task
from dabs.data.prepare import prepare
from dabs.data.prepared import is_prepared, open_prepared
from dabs.data.validate import RowChecks
from dabs.specs import Image, Series, Tokens

CARD = Card(title="t", origin="generated", licence="MIT", citation="none", source="here", size="1 kB")
SPECS = (Series(steps=4, channels=2, segment=2),)


def task(name="t", target=None):
    return Task(name=name, question="?", target=target or Classes(names=("a", "b")), metric="accuracy", split_by="row")


def domain(specs=SPECS, target=None):
    return Domain(name="mine", suite="lite", title="Mine", specs=specs, card=CARD, tasks=(task(target=target),))


def rows(split="train", dataset="t", n=4, **changes):
    """Rows that fit `domain()`, with some changes."""
    x = np.random.default_rng(len(split)).normal(size=(n, 4, 2)).astype(np.float32)
    label = None if dataset == PRETRAIN else np.arange(n) % 2
    fields = {"inputs": (x,), "label": label, "group": [f"{dataset}-{split}-{i}" for i in range(n)]} | changes
    return Rows(dataset=dataset, split=split, **fields)


X = rows().inputs[0]
UNKNOWN = np.where(np.arange(4)[:, None, None] == 2, np.nan, X).astype(np.float32)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": (X, X)}, "has 2 inputs, but the domain has 1 specs"),
        ({"inputs": (X.transpose(0, 2, 1),)}, r"an array of the shape \(4, 4, 2\) for 4 groups, not \(4, 2, 4\)"),
        ({"inputs": (X.tolist(),)}, "not list"),
        ({"inputs": (X.astype(np.float64),)}, "must be float32 or float16, not float64. Convert it with astype"),
        ({"inputs": (UNKNOWN,)}, "row 2 has a value that is not finite"),
        ({"label": np.array([0, 1, 2, 0])}, "row 2 has the label 2, but t allows 0 to 1"),
        ({"label": np.array([0, -1, 0, 0])}, "row 1 has the label -1"),
        ({"label": np.array([0.0, 1.0, 0.0, 0.5])}, "numbers of another type than float64"),
        ({"label": np.zeros((4, 1), int)}, r"labels must have the shape \(4,\), not \(4, 1\)"),
        ({"label": np.zeros(3, int)}, "has 3 values of label for 4 rows"),
        ({"label": None}, "tasks need labels"),
        ({"cluster": ["a"]}, "has 1 values of cluster for 4 rows"),
        ({"dataset": PRETRAIN, "label": np.zeros(4, int)}, "the pretraining set has none"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_its_number(changes, said):
    with pytest.raises(BuildError, match=f"mine: .*{said}"):
        RowChecks(domain(), duplicates=True).update(rows(**changes))


@pytest.mark.parametrize(
    ("spec", "x", "said"),
    [
        (Tokens(length=3, vocabulary=5), np.array([[1, 5, 0]], np.int32), "ids from 0 to 5, outside 0 to 4"),
        (Tokens(length=3, vocabulary=5), np.array([[0, 0, 0]], np.int32), "row 0 is all padding"),
        (Tokens(length=3, vocabulary=5), np.array([[1, 2, 0]], np.int64), "must be int32, not int64"),
        (Image(height=2, width=2, channels=1, patch=2), np.zeros((1, 2, 2, 1), np.uint8), r"\(1, 1, 2, 2\)"),
    ],
)
def test_inputs_of_each_kind_are_checked(spec, x, said):
    with pytest.raises(BuildError, match=said):
        RowChecks(domain((spec,)), duplicates=False).update(rows(n=1, inputs=(x,), label=np.array([0])))


@pytest.mark.parametrize(
    ("target", "label", "said"),
    [
        (MultiLabel(names=("a", "b", "c")), np.array([[0, 1, 2]]), r"the label \[0, 1, 2\], but t allows 0 to 1"),
        (MultiLabel(names=("a", "b", "c")), np.array([[0, 1]]), r"must have the shape \(1, 3\)"),
        (Scalar(low=1, high=5), np.array([5.5], np.float32), "the label 5.5, but t allows 1 to 5"),
        (Scalar(low=1, high=5), np.array([np.nan], np.float32), "the label nan"),
    ],
)
def test_labels_of_each_kind_are_checked(target, label, said):
    with pytest.raises(BuildError, match=said):
        RowChecks(domain(target=target), duplicates=False).update(rows(n=1, inputs=(X[:1],), label=label))


def test_what_fits_passes():
    checks = RowChecks(domain(), duplicates=True)
    for split in ("train", "validation"):
        checks.update(rows(split, PRETRAIN))
    for split in ("train", "validation", "test"):
        checks.update(rows(split, inputs=(rows(split).inputs[0] + 1,)))
    assert checks.finish() == []


def test_a_group_in_two_splits_is_refused():
    checks = RowChecks(domain(), duplicates=False)
    checks.update(rows("train", group=["a", "b", "c", "d"]))
    checks.update(rows("test", group=["e", "f", "d", "c"]))
    with pytest.raises(BuildError, match=r"the group 'c' is in the test and in the train split of t \(2 groups are\)"):
        checks.finish()


def test_pretraining_on_a_group_of_the_test_split_is_refused():
    checks = RowChecks(domain(), duplicates=False)
    checks.update(rows("train", PRETRAIN, group=["a", "b", "c", "d"]))
    checks.update(rows("test", group=["d", "e", "f", "g"]))
    with pytest.raises(BuildError, match="the pretraining set has the group 'd' of the test split of t"):
        checks.finish()


def test_repeated_inputs_and_missing_classes_are_noted():
    checks = RowChecks(domain(), duplicates=True)
    checks.update(rows("train", PRETRAIN))
    checks.update(rows("train", label=np.zeros(4, int)))
    test = np.concatenate([rows("train").inputs[0][:3], rows("test").inputs[0][:1]])
    checks.update(rows("test", inputs=(test,)))
    assert checks.finish() == [
        "t: the train split has no example of b",
        "t: 3 of 4 different test inputs are also in its train split",
        "t: 3 of 4 different test inputs are also in the pretraining set",
    ]


def test_nothing_is_written_when_a_builder_is_wrong(home):
    def build(workspace):
        for split in ("train", "validation"):
            yield rows(split, PRETRAIN)
        for split in ("train", "validation", "test"):
            yield rows(split, label=np.full(4, 7))

    wrong = replace(domain(), build=build)
    with pytest.raises(BuildError, match="has the label 7"):
        prepare(wrong, lambda line: None)
    assert not is_prepared(wrong)
    assert not list(home.rglob("*.arrow"))


def test_what_is_noted_stands_in_the_manifest(home):
    def build(workspace):
        for split in ("train", "validation"):
            yield rows(split, PRETRAIN)
        for split in ("train", "validation", "test"):
            yield rows(split, inputs=rows("train").inputs)

    mine = replace(domain(), build=build)
    prepare(mine, lambda line: None)
    assert open_prepared(mine).manifest["notes"] == [
        "t: 4 of 4 different test inputs are also in its train split",
        "t: 4 of 4 different test inputs are also in the pretraining set",
    ]
