"""Files and sentences of the made samples."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

LETTERS = {
    "ko": "가나다라마바사아자차카타파하",
    "ja": "あいうえおかきくけこさしすせそ",
    "zh": "的一是在不了有和人这中大为上个",
}


def make_speaker(seed: int, language: str = "en") -> Callable[[int], str]:
    """Return a function that returns a new sentence of so many words."""
    random = np.random.default_rng([seed, *language.encode()])
    if language in LETTERS:
        letters = list(LETTERS[language])
        words = ["".join(random.choice(letters, 3)) for _ in range(100)]
    else:
        words = [
            "".join(random.choice(list(part)) for part in ("bcdfghjklm", "aeiou", "npqrstvwxyz")) for _ in range(200)
        ]
    return lambda count: " ".join(random.choice(words, count)).capitalize() + " ."


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a text file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_table(path: Path, rows: Sequence[Mapping[str, object]], columns: list[str] | None = None) -> None:
    """Write a csv file; a cell without a value is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, columns or list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
