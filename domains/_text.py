"""What the two text domains share: which side of the splits a group is on, and labelled texts turned into rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dabs.dataset import PRETRAIN, TEST, TRAIN, VALIDATION, Rows, Scalar, Task
from domains._tokenize import encode

_RANK = {TRAIN: 0, VALIDATION: 1, TEST: 2}
MOST = {TRAIN: 4000, VALIDATION: 800, TEST: 2000}  # rows of a task's split


@dataclass(frozen=True, kw_only=True)
class Text:
    """One example before it is encoded.

    Attributes:
        dataset: `PRETRAIN` or a task's name.
        side: the side its group is on: "train", "validation" or "test".
        text: what is encoded.
        label: class index or score; None for pretraining.
        group: what must not stand on two sides.
    """

    dataset: str
    side: str
    text: str
    label: float | None
    group: str


def assign_sides(groups: Iterable[str], test: float, validation: float, generator: Any) -> dict[str, str]:
    """Put each distinct group on one side, at random: shares `test` and `validation`, the rest on the training side."""
    names = sorted(set(groups))
    order = generator.permutation(len(names))
    ends = int(test * len(names)), int((test + validation) * len(names))
    sides = [TEST] * ends[0] + [VALIDATION] * (ends[1] - ends[0]) + [TRAIN] * (len(names) - ends[1])
    return {names[i]: side for i, side in zip(order, sides, strict=True)}


def sample(texts: list[Text], most: int, generator: Any) -> list[Text]:
    """At most `most` of the texts, in a random order."""
    return [texts[i] for i in generator.permutation(len(texts))[:most]]


def shuffled_task(texts: list[Text], generator: Any) -> list[Text]:
    """The texts of one task in a random order, each split cut to the most it may hold."""
    return [t for side in _RANK for t in sample([t for t in texts if t.side == side], MOST[side], generator)]


def text_rows(texts: list[Text], tokenizer: bytes, length: int, tasks: Iterable[Task], shortest: int) -> Iterator[Rows]:
    """Encode texts and give one block of rows a split, without repeats.

    An input that occurs on several sides stays on the side that is tested most strictly (test, then validation), in
    whatever dataset it occurs, so that no test input is trained or pretrained on; within a split it is kept once.

    Args:
        texts: of all datasets.
        tokenizer: bytes of a tokenizer.json.
        length: tokens in a row.
        tasks: the domain's tasks, for the types of their labels.
        shortest: pretraining texts of fewer tokens are left out.
    """
    ids = encode(tokenizer, (t.text for t in texts), length)
    keys = [row.tobytes() for row in ids]
    strictest: dict[bytes, int] = {}
    for key, text in zip(keys, texts, strict=True):
        strictest[key] = max(strictest.get(key, 0), _RANK[text.side])
    real = (ids != 0).sum(axis=1)
    scalar = {task.name for task in tasks if isinstance(task.target, Scalar)}
    kept: dict[tuple[str, str], dict[bytes, int]] = {}
    for i, (key, text) in enumerate(zip(keys, texts, strict=True)):
        enough = real[i] >= (shortest if text.dataset == PRETRAIN else 1)
        if enough and strictest[key] == _RANK[text.side]:
            kept.setdefault((text.dataset, text.side), {}).setdefault(key, i)
    for (dataset, side), first in kept.items():
        index = list(first.values())
        chosen = [texts[i] for i in index]
        kind = np.float32 if dataset in scalar else np.int64
        label = None if dataset == PRETRAIN else np.array([t.label for t in chosen], kind)
        yield Rows(dataset=dataset, split=side, inputs=(ids[index],), label=label, group=[t.group for t in chosen])
