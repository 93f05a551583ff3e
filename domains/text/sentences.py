"""Labelled sentences and pairs of sentences, read, split and encoded."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError, Rows
from dabs.domains.sources.hub import encode

VALIDATION_SHARE, MAX_VALIDATION_ROWS = 0.1, 5000  # how much of train is held out for validation
BLOCK_ROWS = 4096  # encoded at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One example: a text or a pair of texts, and its label."""

    texts: tuple[str, ...]
    label: float

    @property
    def key(self) -> str:
        """A key that is equal for the same texts in either order, whatever their case and spaces."""
        return "\n".join(sorted(_normalised(text) for text in self.texts))


def _normalised(text: str) -> str:
    return " ".join(text.lower().split())


def read_tsv(path: Path, columns: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Yield the rows of a tab-separated file; rows with too few fields are left out, as on the hub.

    The official files do not quote fields, although sentences contain single quotation marks. Many copies were
    rewritten by a CSV writer, which quotes such fields and doubles the marks. So a field is unquoted only if it cannot
    be anything but the output of a CSV writer. The `csv` module is not used, because it fails on a lone carriage
    return, which a sentence may contain. MRPC's files begin with a byte-order mark.

    Args:
        path: a file whose first line has the column names, unless `columns` is given.
        columns: the column names of a file without a header.
    """
    with open(path, encoding="utf-8-sig", newline="") as handle:
        rows = (line.rstrip("\r").split("\t") for line in handle.read().split("\n") if line.rstrip("\r"))
    names = columns or tuple(next(rows, ()))
    for fields in rows:
        if len(fields) >= len(names):
            yield {name: _unquote(field) for name, field in zip(names, fields, strict=False)}


def _unquote(field: str) -> str:
    inside = field[1:-1]
    doubled = len(field) > 2 and field[0] == field[-1] == '"' and '""' in inside and '"' not in inside.replace('""', "")
    return inside.replace('""', '"') if doubled else field


def hold_out_sentences(sentences: list[Sentence], seed: object) -> tuple[list[Sentence], list[Sentence]]:
    """Hold a part of a training set out for validation, so that no text is in both parts.

    Examples that share a text, such as the three hypotheses of a premise, stay together. Which are held out depends
    only on `seed` and their texts, so it is the same on every machine.

    Returns:
        The sentences to train on, and those held out.
    """
    groups = _group_linked(sentences)
    room = min(int(VALIDATION_SHARE * len(sentences)), MAX_VALIDATION_ROWS)
    held_out: set[int] = set()

    def rank(members: list[int]) -> bytes:
        return hashlib.sha256(f"{seed}\n{min(sentences[i].key for i in members)}".encode()).digest()

    for members in sorted(groups, key=rank):
        if len(members) <= room:
            room -= len(members)
            held_out.update(members)
    return [s for i, s in enumerate(sentences) if i not in held_out], [sentences[i] for i in sorted(held_out)]


def _group_linked(sentences: list[Sentence]) -> list[list[int]]:
    """Return lists of the indices of examples that share a text, directly or through others; each list is sorted."""
    parent = list(range(len(sentences)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    first: dict[str, int] = {}
    for i, sentence in enumerate(sentences):
        for text in sentence.texts:
            other = root(first.setdefault(_normalised(text), i))
            parent[max(root(i), other)] = min(root(i), other)
    found: dict[int, list[int]] = defaultdict(list)
    for i in range(len(sentences)):
        found[root(i)].append(i)
    return list(found.values())


def splits_of(dataset: str, train: Iterable[Sentence], test: list[Sentence]) -> dict[str, list[Sentence]]:
    """Return the splits of a task whose test split is given; test examples are removed from train."""
    tested = {sentence.key for sentence in test}
    rest, validation = hold_out_sentences([s for s in train if s.key not in tested], dataset)
    return {TRAIN: rest, VALIDATION: validation, TEST: test}


def sentence_rows(
    dataset: str,
    splits: dict[str, list[Sentence]],
    tokenizer: Path,
    length: int,
    say: Callable[[str], None],
    *,
    scalar: bool = False,
) -> Iterator[Rows]:
    """Encode sentences and yield blocks of every split; the group of a row is a hash of its texts.

    Args:
        dataset: the task's name.
        splits: the sentences of each split.
        tokenizer: path of a tokenizer.json.
        length: tokens in a row.
        say: prints one line of progress.
        scalar: whether labels are scores instead of classes.

    Raises:
        BuildError: a split is empty, or all of its rows are also in a stricter split.
    """
    seen: set[bytes] = set()  # rows of the stricter splits; different texts may become equal when truncated
    for split in (TEST, VALIDATION, TRAIN):
        sentences, in_split, count = splits[split], set[bytes](), 0
        if not sentences:
            raise BuildError(f"{dataset}: its {split} split is empty. The files are not those of the complete dataset.")
        say(f"encoding {dataset} {split}, {len(sentences):,} rows")
        for start in range(0, len(sentences), BLOCK_ROWS):
            block = sentences[start : start + BLOCK_ROWS]
            first, *others = zip(*(s.texts for s in block), strict=True)
            ids = encode(tokenizer, first, others[0] if others else None, length)
            group = [hashlib.sha256(s.key.encode()).hexdigest()[:16] for s in block]
            label = np.array([s.label for s in block], np.float32 if scalar else np.int64)
            raw = [row.tobytes() for row in ids]
            kept = [i for i, row in enumerate(raw) if row not in seen]
            in_split.update(raw)
            count += len(kept)
            if not kept:
                continue
            group = [group[i] for i in kept]
            yield Rows(dataset=dataset, split=split, inputs=(ids[kept],), label=label[kept], group=group)
        if not count:
            raise BuildError(
                f"{dataset}: every row of its {split} split is also in a stricter split. Download it again."
            )
        if split != TRAIN:
            seen |= in_split
