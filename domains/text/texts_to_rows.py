"""Texts of the lite domains as rows: one labelled text each, or packed.

A pretraining row joins the tokens of consecutive texts of one document, as in RoBERTa (Liu et al. 2019, arXiv
1907.11692). With one short text per row, an objective that tells examples apart could do so by their lengths; and a
few texts together say more about a subject than a single one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, Rows, Scalar, Task
from dabs.domains.text.tokenize import encode, encode_whole

MAX_TASK_ROWS = {TRAIN: 4000, VALIDATION: 800, TEST: 2000}  # in each split of a task
GROUP_SEPARATOR = " | "  # between the groups of the texts that a packed row joins
_STRICTNESS = {TRAIN: 0, VALIDATION: 1, TEST: 2}


@dataclass(frozen=True, kw_only=True)
class Text:
    """One example before it is encoded.

    Attributes:
        dataset: `PRETRAIN` or a task's name.
        split: the split of its group: "train", "validation" or "test".
        text: the text to encode.
        label: class index or score; None for pretraining.
        group: what must not appear in two splits.
    """

    dataset: str
    split: str
    text: str
    label: float | None
    group: str


def assign_splits(groups: Iterable[str], test: float, validation: float, generator: Any) -> dict[str, str]:
    """Assign each distinct group to a split at random.

    Args:
        groups: the groups, with or without repeats.
        test, validation: the shares of groups in these splits; the rest trains.
        generator: draws the order.

    Returns:
        The split of each group.
    """
    names = sorted(set(groups))
    order = generator.permutation(len(names))
    ends = int(test * len(names)), int((test + validation) * len(names))
    splits = [TEST] * ends[0] + [VALIDATION] * (ends[1] - ends[0]) + [TRAIN] * (len(names) - ends[1])
    return {names[i]: split for i, split in zip(order, splits, strict=True)}


def shuffle_task(texts: list[Text], generator: Any) -> list[Text]:
    """Return the texts of one task in random order, at most `MAX_TASK_ROWS` of each split."""
    by_split = {split: [t for t in texts if t.split == split] for split in _STRICTNESS}
    return [
        members[i]
        for split, members in by_split.items()
        for i in generator.permutation(len(members))[: MAX_TASK_ROWS[split]]
    ]


def strictest_splits(texts: list[Text], tokenizer: bytes, length: int) -> dict[bytes, int]:
    """Return for each encoded input the strictest split it is in, in any task: 2 test, 1 validation, 0 train."""
    strictest: dict[bytes, int] = {}
    for row, text in zip(encode(tokenizer, (t.text for t in texts), length), texts, strict=True):
        strictest[row.tobytes()] = max(strictest.get(row.tobytes(), 0), _STRICTNESS[text.split])
    return strictest


def task_rows(texts: list[Text], tokenizer: bytes, length: int, tasks: Iterable[Task]) -> Iterator[Rows]:
    """Encode labelled texts and yield one block of rows per split, without repeats.

    An input that occurs in several splits, of one task or of several, is kept only in the strictest of them (test, then
    validation), so that no test input is trained on. Within a split it is kept once.
    """
    ids = encode(tokenizer, (t.text for t in texts), length)
    strictest = strictest_splits(texts, tokenizer, length)
    kept: dict[tuple[str, str], dict[bytes, int]] = {}
    for i, text in enumerate(texts):
        key = ids[i].tobytes()
        if ids[i].any() and strictest[key] == _STRICTNESS[text.split]:
            kept.setdefault((text.dataset, text.split), {}).setdefault(key, i)
    scalar = {task.name for task in tasks if isinstance(task.target, Scalar)}
    for (dataset, split), first in kept.items():
        index = list(first.values())
        chosen = [texts[i] for i in index]
        label = np.array([t.label for t in chosen], np.float32 if dataset in scalar else np.int64)
        yield Rows(dataset=dataset, split=split, inputs=(ids[index],), label=label, group=[t.group for t in chosen])


def packed_rows(
    documents: list[list[Text]], strictest: dict[bytes, int], tokenizer: bytes, length: int, limit: int, generator: Any
) -> Rows:
    """Pack the texts of each document, in their order, into rows without padding.

    Args:
        documents: lists of pretraining texts, all in one split. The rest of a document that fills no row is left out.
        strictest: from `strictest_splits`; a text that a task has in a stricter split is left out.
        tokenizer: the contents of a tokenizer.json.
        length: tokens in a row.
        limit: the maximum number of rows, which are chosen at random.
        generator: draws the rows and their order.
    """
    split = documents[0][0].split
    texts = [text for document in documents for text in document]
    short = encode(tokenizer, (t.text for t in texts), length)
    allowed = [strictest.get(row.tobytes(), 0) <= _STRICTNESS[split] for row in short]
    whole = iter(zip(encode_whole(tokenizer, (t.text for t in texts)), allowed, strict=True))
    rows: dict[bytes, tuple[np.ndarray, str]] = {}  # a row that several documents share is kept once
    for document in documents:
        for row, group in _pack(document, [next(whole) for _ in document], length):
            rows.setdefault(row.tobytes(), (row, group))
    found = list(rows.values())
    chosen = [found[i] for i in generator.permutation(len(found))[:limit]]
    ids, groups = np.stack([row for row, _ in chosen]), [group for _, group in chosen]
    return Rows(dataset=PRETRAIN, split=split, inputs=(ids,), label=None, group=groups)


def _pack(document: list[Text], tokens: list[tuple[list[int], bool]], length: int) -> Iterator[tuple[np.ndarray, str]]:
    """Yield the full rows of a document with their groups; `tokens` are each text's ids and whether it is allowed."""
    stream = [
        (token, text.group) for text, (ids, allowed) in zip(document, tokens, strict=True) if allowed for token in ids
    ]
    for start in range(0, len(stream) - length + 1, length):
        ids, groups = zip(*stream[start : start + length], strict=True)
        yield np.array(ids, np.int32), GROUP_SEPARATOR.join(dict.fromkeys(groups))
