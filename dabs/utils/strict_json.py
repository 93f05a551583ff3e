"""JSON read strictly: what readers of JSON disagree on is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from dabs.errors import DabsError
from dabs.utils.files import short, text_of

MOST_JSON = 50_000_000  # bytes
DEEPEST = 50  # levels of lists and objects in each other
LONGEST = 18  # digits of a whole number, so that it fits into 64 bits


def read_json(path: Path, most: int = MOST_JSON) -> Any:
    """Read a JSON file, strictly: what `strict_json` refuses is refused, and so is a file of over `most` bytes.

    Raises:
        DabsError: missing, unreadable, too large or not JSON; the message names the file.
    """
    way_out = "It may be damaged: remove it and make it again."
    return strict_json(path, text_of(path, most, way_out), way_out)


def read_object(path: Path, most: int = MOST_JSON) -> dict[str, Any]:
    """`read_json` of a file that must hold an object."""
    return as_object(path, read_json(path, most), "It may be damaged: remove it and make it again.")


def as_object(path: Path, value: Any, way_out: str) -> dict[str, Any]:
    """`value`, what `path` holds, when it is an object.

    Raises:
        DabsError: it is not.
    """
    if not isinstance(value, dict):
        raise DabsError(f"{path} holds {short(value)}, not an object. {way_out}")
    return value


def strict_json(path: Path, text: str, way_out: str) -> Any:
    """The value of `text`, the content of `path`.

    Raises:
        DabsError: it is not JSON, or holds what readers of JSON disagree on: NaN, infinity, numbers that are too large
            for 64 bits, half a character, a key that stands twice, or more than `DEEPEST` levels.
    """
    try:
        value = json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_not_too_long,
            object_pairs_hook=_no_duplicates,
        )
        _check_depth_and_text(value)
    except RecursionError as error:
        raise DabsError(f"{path} is not valid JSON (it is nested too deeply). {way_out}") from error
    except ValueError as error:
        raise DabsError(f"{path} is not valid JSON ({error}). {way_out}") from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"it holds {short(text)}, which is too large for a number")
    return value


def _not_too_long(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > LONGEST:
        raise ValueError(f"it holds a number of {digits:,} digits")
    return int(text)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {short(key)} stands twice")
    return value


def _check_depth_and_text(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        for text in (one for one in level if isinstance(one, str) and not one.isascii()):
            text.encode()  # raises a ValueError where a character is half of a pair
        lists = [one for one in level if isinstance(one, list)]
        objects = [one for one in level if isinstance(one, dict)]
        level = [item for one in lists for item in one]
        level += [item for one in objects for pair in one.items() for item in pair]
        if not level:
            return
    raise ValueError(f"it has more than {DEEPEST} levels")
