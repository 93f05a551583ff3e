"""What the two text domains share: the sides of groups, labelled texts as rows, and unlabelled texts packed into rows.

Pretraining rows are packed: the tokens of consecutive texts of one document are joined and cut into rows of full
length, as for RoBERTa (Liu et al. 2019, arXiv 1907.11692). Single short texts would let an objective that tells
examples apart do so by their lengths, and a few words together say more about a text's subject than one line does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, Rows, Scalar, Task
from dabs.domains.text.tokenize import encode, encode_whole

LANGUAGES = {  # of the multilingual domains, in every suite
    "en": "English",
    "fr": "French",
    "es": "Spanish",
    "de": "German",
    "zh": "Chinese",
    "ja": "Japanese",
    "ko": "Korean",
}
_RANK = {TRAIN: 0, VALIDATION: 1, TEST: 2}
MOST = {TRAIN: 4000, VALIDATION: 800, TEST: 2000}  # rows of a task's split
GROUP_SEPARATOR = " | "  # between the groups whose texts a packed row joins


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


def shuffled_task(texts: list[Text], generator: Any) -> list[Text]:
    """The texts of one task in a random order, each split cut to the most it may hold."""
    sides = {side: [t for t in texts if t.side == side] for side in _RANK}
    return [of[i] for side, of in sides.items() for i in generator.permutation(len(of))[: MOST[side]]]


def strictest_sides(texts: list[Text], tokenizer: bytes, length: int) -> dict[bytes, int]:
    """By encoded input the strictest side it stands on in any task: 2 for test, 1 for validation, 0 for training."""
    strictest: dict[bytes, int] = {}
    for row, text in zip(encode(tokenizer, (t.text for t in texts), length), texts, strict=True):
        strictest[row.tobytes()] = max(strictest.get(row.tobytes(), 0), _RANK[text.side])
    return strictest


def task_rows(texts: list[Text], tokenizer: bytes, length: int, tasks: Iterable[Task]) -> Iterator[Rows]:
    """Encode labelled texts and give one block of rows a split, without repeats.

    An input that occurs on several sides stays on the side that is tested most strictly (test, then validation), in
    whatever task it occurs, so that no test input is trained on; within a split it is kept once.
    """
    ids = encode(tokenizer, (t.text for t in texts), length)
    strictest = strictest_sides(texts, tokenizer, length)
    kept: dict[tuple[str, str], dict[bytes, int]] = {}
    for i, text in enumerate(texts):
        key = ids[i].tobytes()
        if ids[i].any() and strictest[key] == _RANK[text.side]:
            kept.setdefault((text.dataset, text.side), {}).setdefault(key, i)
    scalar = {task.name for task in tasks if isinstance(task.target, Scalar)}
    for (dataset, side), first in kept.items():
        index = list(first.values())
        chosen = [texts[i] for i in index]
        label = np.array([t.label for t in chosen], np.float32 if dataset in scalar else np.int64)
        yield Rows(dataset=dataset, split=side, inputs=(ids[index],), label=label, group=[t.group for t in chosen])


def packed_rows(
    documents: list[list[Text]], tested: dict[bytes, int], tokenizer: bytes, length: int, most: int, generator: Any
) -> Rows:
    """Pack the texts of each document, in their order, into rows without padding; gives at most `most` of them.

    Args:
        documents: lists of pretraining texts, all on one side. What does not fill a document's last row is left out.
        tested: from `strictest_sides`; a text that a task holds on a stricter side is left out.
        tokenizer: bytes of a tokenizer.json.
        length: tokens in a row.
        most: rows, chosen at random and put in a random order.
        generator: does so.
    """
    side = documents[0][0].side
    texts = [text for document in documents for text in document]
    short = encode(tokenizer, (t.text for t in texts), length)
    free = [tested.get(row.tobytes(), 0) <= _RANK[side] for row in short]
    whole = iter(zip(encode_whole(tokenizer, (t.text for t in texts)), free, strict=True))
    rows: dict[bytes, tuple[np.ndarray, str]] = {}  # a row that documents share is kept once
    for document in documents:
        for row, group in _pack(document, [next(whole) for _ in document], length):
            rows.setdefault(row.tobytes(), (row, group))
    found = list(rows.values())
    chosen = [found[i] for i in generator.permutation(len(found))[:most]]
    ids, groups = np.stack([row for row, _ in chosen]), [group for _, group in chosen]
    return Rows(dataset=PRETRAIN, split=side, inputs=(ids,), label=None, group=groups)


def _pack(document: list[Text], tokens: list[tuple[list[int], bool]], length: int) -> Iterator[tuple[np.ndarray, str]]:
    stream = [(token, text.group) for text, (ids, free) in zip(document, tokens, strict=True) if free for token in ids]
    for start in range(0, len(stream) - length + 1, length):
        ids, groups = zip(*stream[start : start + length], strict=True)
        yield np.array(ids, np.int32), GROUP_SEPARATOR.join(dict.fromkeys(groups))
