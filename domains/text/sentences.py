"""Labelled sentences and sentence pairs: official splits, and a part of train put aside to select on."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError, Rows
from dabs.domains.sources.hub import encode

SHARE, MOST = 0.1, 5000  # of train for validation: this share, but no more rows than that
BLOCK = 4096  # rows encoded at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One example: a text or a pair of texts, and its label."""

    texts: tuple[str, ...]
    label: float

    @property
    def key(self) -> str:
        """Equal for the same texts in either order, whatever their case and spaces."""
        return "\n".join(sorted(_plain(text) for text in self.texts))


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


def read_tsv(path: Path, columns: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """The rows of a tab-separated file; rows that are cut short are left out, as on the hub.

    The official files do not quote fields, and sentences hold single quotes; many copies were written again by a CSV
    writer, which doubled them: only a field that can come from nothing else is taken out of its quotes. A sentence may
    hold a lone carriage return, at which `csv` gives up, so lines are cut at tabs here. MRPC's files begin with a
    byte-order mark.

    Args:
        path: with a first line of column names, unless `columns` are given.
        columns: the names of the columns of a file without them.
    """
    with open(path, encoding="utf-8-sig", newline="") as handle:
        rows = (line.rstrip("\r").split("\t") for line in handle.read().split("\n") if line.rstrip("\r"))
    names = columns or tuple(next(rows, ()))
    for fields in rows:
        if len(fields) >= len(names):
            yield {name: _unquoted(field) for name, field in zip(names, fields, strict=False)}


def _unquoted(field: str) -> str:
    inside = field[1:-1]
    doubled = len(field) > 2 and field[0] == field[-1] == '"' and '""' in inside and '"' not in inside.replace('""', "")
    return inside.replace('""', '"') if doubled else field


def carve(sentences: list[Sentence], seed: object) -> tuple[list[Sentence], list[Sentence]]:
    """Cut a training set in two: to train on, and to select on. No text stands on both sides.

    Examples that share a text (the three hypotheses of a premise) go together; the sets are drawn in an order that
    depends on `seed` and their texts alone, so that it is the same on every machine.
    """
    together = _linked(sentences)
    room = min(int(SHARE * len(sentences)), MOST)
    aside: set[int] = set()

    def draw(members: list[int]) -> bytes:
        return hashlib.sha256(f"{seed}\n{min(sentences[i].key for i in members)}".encode()).digest()

    for members in sorted(together, key=draw):
        if len(members) <= room:
            room -= len(members)
            aside.update(members)
    return [s for i, s in enumerate(sentences) if i not in aside], [sentences[i] for i in sorted(aside)]


def _linked(sentences: list[Sentence]) -> list[list[int]]:
    """Indices of examples that share a text, directly or through others, together; each list in order."""
    parent = list(range(len(sentences)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    first: dict[str, int] = {}
    for i, sentence in enumerate(sentences):
        for text in sentence.texts:
            other = root(first.setdefault(_plain(text), i))
            parent[max(root(i), other)] = min(root(i), other)
    found: dict[int, list[int]] = defaultdict(list)
    for i in range(len(sentences)):
        found[root(i)].append(i)
    return list(found.values())


def splits_of(dataset: str, train: Iterable[Sentence], test: list[Sentence]) -> dict[str, list[Sentence]]:
    """The three splits of a task whose test split is given; what is asked in test is not trained on."""
    asked = {sentence.key for sentence in test}
    rest, selection = carve([s for s in train if s.key not in asked], dataset)
    return {TRAIN: rest, VALIDATION: selection, TEST: test}


def sentence_rows(
    dataset: str,
    splits: dict[str, list[Sentence]],
    tokenizer: Path,
    length: int,
    say: Callable[[str], None],
    *,
    scalar: bool = False,
) -> Iterator[Rows]:
    """Encoded blocks of every split; the group of a row is a hash of its texts, the label a class or a score.

    Raises:
        BuildError: a split is empty, or all of it stands in a stricter one.
    """
    seen: set[bytes] = set()  # rows of the stricter splits: other texts may become equal by the cut
    for split in (TEST, VALIDATION, TRAIN):
        sentences, shown, left = splits[split], set[bytes](), 0
        if not sentences:
            raise BuildError(f"{dataset}: its {split} split is empty. The files are not those of the whole dataset.")
        say(f"encoding {dataset} {split}, {len(sentences):,} rows")
        for start in range(0, len(sentences), BLOCK):
            block = sentences[start : start + BLOCK]
            first, *others = zip(*(s.texts for s in block), strict=True)
            ids = encode(tokenizer, first, others[0] if others else None, length)
            group = [hashlib.sha256(s.key.encode()).hexdigest()[:16] for s in block]
            label = np.array([s.label for s in block], np.float32 if scalar else np.int64)
            raw = [row.tobytes() for row in ids]
            kept = [i for i, row in enumerate(raw) if row not in seen]
            shown.update(raw)
            left += len(kept)
            if not kept:
                continue
            group = [group[i] for i in kept]
            yield Rows(dataset=dataset, split=split, inputs=(ids[kept],), label=label[kept], group=group)
        if not left:
            raise BuildError(
                f"{dataset}: all of its {split} split reads as what is tested or selected on. Get it again."
            )
        if split != TRAIN:
            seen |= shown
