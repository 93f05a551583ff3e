"""A domain made of arrays, whose splits and pretraining set follow from groups."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dabs.data.domain import (
    PRETRAIN,
    TEST,
    TRAIN,
    VALIDATION,
    Card,
    Classes,
    Domain,
    MetricName,
    MultiLabel,
    Rows,
    Scalar,
    Target,
    Task,
    Workspace,
)
from dabs.errors import RequestError
from dabs.specs import Spec, Specs

SHARES = {TRAIN: 0.6, VALIDATION: 0.15, TEST: 0.25}  # of the groups
_METRICS: dict[type, MetricName] = {Classes: "accuracy", MultiLabel: "auroc", Scalar: "spearman"}
_LABEL_TYPES: dict[type, Any] = {Classes: np.int64, MultiLabel: np.int8, Scalar: np.float32}


@dataclass(frozen=True, kw_only=True)
class Examples:
    """All examples of a domain.

    Attributes:
        inputs: one array per spec, (n, *spec.shape): tokens int32; series float32; images uint8, or float32 from 0 to
            1.
        label: (n,) class numbers or scores, or (n, k) findings of 0 and 1.
        group: n names of what must not be in two splits, such as the person; None if every example is its own group.
    """

    inputs: tuple[np.ndarray, ...]
    label: np.ndarray
    group: Sequence[Any] | None = None


def domain_of_arrays(
    name: str,
    specs: Spec | Specs,
    load: Callable[[], Examples],
    target: Target | Sequence[str],
    *,
    question: str,
    task: str = "label",
    metric: MetricName | None = None,
    split_by: str = "example",
    card: Card | None = None,
    steps: int = 250,
    batch_size: int = 64,
) -> Domain:
    """Return a domain with one task, made of arrays.

    Whole groups are drawn for the splits, 60 % for training, 15 % for validation and 25 % for the test. Which ones
    depends on their names alone. The pretraining set has the inputs of the first two.

    Args:
        name: that of the file in which the domain stands.
        specs: of the inputs of an example.
        load: returns all examples; called once, when the data is prepared.
        target: what labels mean, or the names of classes.
        question: the question of the task, in one sentence.
        task: its name.
        metric: by default accuracy for classes, AUROC for findings and Spearman's correlation for scores.
        split_by: what a group is, such as "person".
        card: what a reader must know about the data; by default, only that it is your own.
        steps, batch_size: of pretraining.
    """
    specs = specs if isinstance(specs, tuple) else (specs,)
    target = target if isinstance(target, Classes | MultiLabel | Scalar) else Classes(names=tuple(target))
    own = Card(title=name, origin="recorded", licence="not stated", citation="none", source="your own", size="unknown")

    def build(workspace: Workspace) -> Iterator[Rows]:
        examples = load()
        group = [str(one) for one in examples.group] if examples.group is not None else None
        yield from _rows(examples, group or [str(i) for i in range(len(examples.label))], task, target)

    return Domain(
        name=name,
        suite="lite",
        title=name.replace("_", " ").capitalize(),
        specs=specs,
        card=card or own,
        tasks=(
            Task(
                name=task, question=question, target=target, metric=metric or _METRICS[type(target)], split_by=split_by
            ),
        ),
        build=build,
        steps=steps,
        batch_size=batch_size,
    )


def _rows(examples: Examples, group: list[str], task: str, target: Target) -> Iterator[Rows]:
    label = np.asarray(examples.label)
    if isinstance(target, Classes) and label.dtype.kind not in "iub":
        raise RequestError(f"labels of classes must be whole numbers from 0 to {len(target) - 1}, not {label.dtype}.")
    split_of = _splits(sorted(set(group)))
    split = np.array([split_of[one] for one in group])
    for name in SHARES:
        chosen = np.flatnonzero(split == name)
        inputs, names = tuple(x[chosen] for x in examples.inputs), [group[i] for i in chosen]
        if name != TEST:
            yield Rows(dataset=PRETRAIN, split=name, inputs=inputs, label=None, group=names)
        yield Rows(
            dataset=task, split=name, inputs=inputs, label=label[chosen].astype(_LABEL_TYPES[type(target)]), group=names
        )


def _splits(groups: list[str]) -> dict[str, str]:
    """Return the split of each group: an order that looks random, cut by `SHARES`; each split gets at least one."""
    if len(groups) < len(SHARES):
        raise RequestError(f"there are {len(groups)} groups, and each of the three splits needs one of its own.")
    order = sorted(groups, key=lambda one: hashlib.sha256(one.encode()).digest())
    tests = max(1, round(SHARES[TEST] * len(order)))
    validations = max(1, round(SHARES[VALIDATION] * len(order)))
    names = [TEST] * tests + [VALIDATION] * validations
    return {one: names[i] if i < len(names) else TRAIN for i, one in enumerate(order)}
