"""Result files on disk: `FOLDER/TASK.PROTOCOL.result.json` with its predictions beside it, validated on every read."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dabs.errors import DabsError
from dabs.results.predictions import MOST_BYTES, npz_bytes, read_npz
from dabs.results.schema import SCHEMA_VERSION, Predictions, Result
from dabs.utils.files import is_hidden, remove_leftovers, replacing, sha256_file, short, text_of, write_json
from dabs.utils.strict_json import parse_json, require_object

SUFFIX = ".result.json"
RESULT_BYTES = 5_000_000
_REMAKE = "Make the result again with `dabs eval`, or remove the file."


def predictions_record(task: str, protocol: str, predictions: Mapping[str, np.ndarray]) -> Predictions:
    """The name and hash of the file that a result's predictions are written to.

    Args:
        task, protocol: of the result.
        predictions: arrays by name, one row per test example.

    Raises:
        DabsError: an array that would need pickle.
    """
    content = npz_bytes(predictions)
    return Predictions(file=f"{task}.{protocol}.predictions.npz", sha256=hashlib.sha256(content).hexdigest())


def write_result(folder: Path, result: Result, predictions: Mapping[str, np.ndarray]) -> Path:
    """Write a result and its predictions; return the path of the result file.

    Nothing is written when anything is wrong. The predictions are written first, so that a result file always has
    them. One process at a time may write a result; what killed processes left of it is removed.

    Args:
        folder: created when it is missing; files of the same task and protocol are replaced.
        result: its `predictions` are those that `predictions_record` returned.
        predictions: arrays by name, one row per test example.

    Raises:
        DabsError: predictions other than the result names, an array that would need pickle, or a folder that cannot
            be written.
    """
    path = folder / f"{result.task}.{result.protocol}{SUFFIX}"
    content = npz_bytes(predictions)
    if result.predictions != predictions_record(result.task, result.protocol, predictions):
        raise DabsError(f"{path} was not written: its predictions are not those that the result names.")
    file = folder / result.predictions.file
    for place in (path, file):
        remove_leftovers(place)
    path.unlink(missing_ok=True)  # an old result never stands beside new predictions
    with replacing(file) as temporary:
        temporary.write_bytes(content)
    write_json(path, result.model_dump(mode="json"))
    return path


def repeatable(value: Mapping[str, Any]) -> dict[str, Any]:
    """What of a result file the same command gives again on the same CPU: all but its timings and peak memory."""
    cost = ("wall_seconds", "peak_memory_bytes")
    pretraining = {name: x for name, x in value["pretraining"].items() if name not in cost}
    return {name: x for name, x in value.items() if name != "timings"} | {"pretraining": pretraining}


def read_result(path: Path, check_predictions: bool = False) -> Result:
    """Read and validate one result file; with `check_predictions` also that its predictions are there and unchanged.

    Raises:
        DabsError: missing, over 5 MB, not JSON, of another schema version, or a field that breaks the schema.
    """
    result = _validated(path, text_of(path, RESULT_BYTES, _REMAKE), _REMAKE)
    if check_predictions:
        _checked_predictions(path, result)
    return result


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """The test predictions that belong to the result file `path`, arrays by name, after checking their hash.

    Raises:
        DabsError: the result is invalid, or its predictions are missing, changed, or need pickle.
    """
    file = _checked_predictions(path, read_result(path))
    return read_npz(file, _REMAKE)


def load_results(*roots: Path) -> list[Result]:
    """Every result file at or below `roots`, in the order suite, domain, task, protocol, algorithm, seed.

    Raises:
        DabsError: a root that is not there, an invalid file, or two files for one cell; the message names them.
    """
    return [result for _, result in load_placed(*roots)]


def load_placed(*roots: Path) -> list[tuple[Path, Result]]:
    """`load_results` with the file of each result."""
    found: dict[tuple[Any, ...], tuple[Path, Result]] = {}
    for path in result_files(roots):
        result = read_result(path)
        cell = (result.suite, result.domain, result.task, result.protocol, result.algorithm, result.seed)
        if cell in found:
            words = " ".join(map(str, cell[:5]))
            raise DabsError(
                f"{found[cell][0]} and {path} are both results of {words} seed {cell[5]}. Remove one of the two."
            )
        found[cell] = (path, result)
    return [found[cell] for cell in sorted(found)]


def result_files(roots: tuple[Path, ...]) -> Iterator[Path]:
    """Each file once, even when one root lies in another."""
    seen: set[Path] = set()
    for root in roots:
        if not root.exists():
            raise DabsError(f"there is no file or folder {root} to read results from.")
        for path in [root] if root.is_file() else sorted(root.rglob(f"*{SUFFIX}")):
            if path.resolve() not in seen and not is_hidden(path, root):
                seen.add(path.resolve())
                yield path


def _validated(path: Path, text: str, way_out: str) -> Result:
    version = require_object(path, parse_json(path, text, way_out), way_out).get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise DabsError(
            f"{path}: schema_version is {short(version)}, this dabs reads {SCHEMA_VERSION}. "
            "Use the dabs that wrote it, or make the result again."
        )
    try:
        return Result.model_validate_json(text)
    except ValidationError as error:
        raise DabsError(f"{path}: {explained(error)} {way_out}") from error


def explained(error: ValidationError) -> str:
    """The first complaint as a sentence with field and value, and how many more there are."""
    first, *others = error.errors(include_url=False)
    field = ".".join(
        name if (name := str(part)).isprintable() and len(name) <= 80 else short(name) for part in first["loc"]
    )
    message = first["msg"].removeprefix("Value error, ")
    value = f" (found {short(first['input'])})" if first["type"] != "missing" else ""
    more = f" More such problems: {len(others)}." if others else ""
    return f"{field or 'the whole'}: {message[:1].lower()}{message[1:]}{value}.{more}"


def _checked_predictions(path: Path, result: Result) -> Path:
    file = path.parent / result.predictions.file
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
            raise DabsError(f"{file} is no plain file or has more than {MOST_BYTES:,} bytes. {_REMAKE}")
        found = sha256_file(file)
    except OSError as error:
        raise DabsError(
            f"cannot read {file}, the predictions of {path}: {error.strerror or error}. {_REMAKE}"
        ) from error
    if found != result.predictions.sha256:
        raise DabsError(
            f"{file} has the sha256 {found}, but {path} says predictions.sha256 is {result.predictions.sha256}: "
            f"one of the two was changed. {_REMAKE}"
        )
    return file
