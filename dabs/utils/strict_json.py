"""Read JSON strictly, refusing what JSON readers disagree on."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

from dabs.errors import DabsError
from dabs.utils.files import read_text, short

MAX_JSON_BYTES = 50_000_000
MAX_JSON_DEPTH = 50  # nested levels of lists and objects
MAX_DIGITS = 18  # of an integer, so that it fits into 64 bits
REMAKE = "It may be damaged: remove it and make it again."


def read_json(path: Path, max_bytes: int = MAX_JSON_BYTES, way_out: str = REMAKE) -> Any:
    """Read a JSON file strictly, as `parse_json` does.

    Args:
        path: the file.
        max_bytes: its largest allowed size.
        way_out: what the user can do, the last sentence of an error's message.

    Raises:
        DabsError: the file is missing, unreadable, larger than `max_bytes` or not strict JSON.
    """
    return parse_json(path, read_text(path, max_bytes, way_out), way_out)


def read_object(path: Path, max_bytes: int = MAX_JSON_BYTES, way_out: str = REMAKE) -> dict[str, Any]:
    """Read a JSON file that must contain an object; see `read_json`."""
    return require_object(path, read_json(path, max_bytes, way_out), way_out)


def require_object(path: Path, value: Any, way_out: str) -> dict[str, Any]:
    """Return `value`, the parsed content of `path`, if it is an object.

    Raises:
        DabsError: it is not an object.
    """
    if not isinstance(value, dict):
        raise DabsError(f"{path} contains {short(value)}, not an object. {way_out}")
    return value


def parse_json(path: Path, text: str, way_out: str) -> Any:
    """Return the value of JSON text.

    Args:
        path: the file that the text comes from, for messages.
        text: the text.
        way_out: what the user can do, the last sentence of the error's message.

    Raises:
        DabsError: the text is not JSON, or contains what JSON readers disagree on: NaN, infinity, numbers too large for
            64 bits, half of a surrogate pair, duplicate keys, or more than `MAX_JSON_DEPTH` levels.
    """
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_parse_float,
            parse_int=_parse_int,
            object_pairs_hook=_build_object,
        )
        _check_depth_and_text(value)
    except RecursionError as error:
        raise DabsError(f"{path} is not valid JSON (it is nested too deeply). {way_out}") from error
    except ValueError as error:
        raise DabsError(f"{path} is not valid JSON ({error}). {way_out}") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it contains {name}")


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"it contains {short(text)}, which is too large for a number")
    return value


def _parse_int(text: str) -> int:
    digits = len(text.lstrip("-"))
    if digits > MAX_DIGITS:
        raise ValueError(f"it contains a number of {digits:,} digits")
    return int(text)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"duplicate key {short(key)}")
    return value


def _check_depth_and_text(value: Any) -> None:
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        for text in (one for one in level if isinstance(one, str) and not one.isascii()):
            text.encode()  # raises a ValueError if the text contains half of a surrogate pair
        lists = [one for one in level if isinstance(one, list)]
        objects = [one for one in level if isinstance(one, dict)]
        level = [item for one in lists for item in one]
        level += [item for one in objects for pair in one.items() for item in pair]
        if not level:
            return
    raise ValueError(f"it has more than {MAX_JSON_DEPTH} levels")
