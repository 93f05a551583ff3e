"""Read and write result files, which are validated on every read.

A result is `FOLDER/TASK.PROTOCOL.result.json`, with its predictions beside it.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dabs.errors import DabsError
from dabs.results.migrations import REFUSED_RESULTS, RESULTS, migrate
from dabs.results.predictions import MAX_PREDICTIONS_BYTES, npz_bytes, read_npz
from dabs.results.schema import SCHEMA_VERSION, Predictions, Result
from dabs.results.scores import find_wrong_score
from dabs.utils.files import is_hidden, read_text, remove_leftovers, replacing, sha256_file, short, write_json
from dabs.utils.strict_json import parse_json, require_object

RESULT_SUFFIX = ".result.json"
MAX_RESULT_BYTES = 5_000_000
_WAY_OUT = "Make the result again with `dabs eval`, or remove the file."


def predictions_record(task: str, protocol: str, predictions: Mapping[str, np.ndarray]) -> Predictions:
    """Return the name and hash of the file that a result's predictions are written to.

    Args:
        task: of the result.
        protocol: of the result.
        predictions: arrays by name, one row per test example.

    Raises:
        DabsError: an array would need pickle.
    """
    return _record_of(task, protocol, npz_bytes(predictions))


def _record_of(task: str, protocol: str, content: bytes) -> Predictions:
    return Predictions(file=f"{task}.{protocol}.predictions.npz", sha256=hashlib.sha256(content).hexdigest())


def write_result(folder: Path, result: Result, predictions: Mapping[str, np.ndarray]) -> Path:
    """Write a result and its predictions, and return the path of the result file.

    Nothing is written if anything is wrong. The predictions are written first, so that every result file has its
    predictions; where they are the same as before, the old result stays until the new one replaces it. Only one process
    at a time may write a result; what killed processes left of it is removed.

    Args:
        folder: created if it does not exist; files of the same task and protocol are replaced.
        result: its `predictions` is what `predictions_record` returned.
        predictions: arrays by name, one row per test example.

    Raises:
        DabsError: the predictions are not those that the result names, an array would need pickle, or the folder cannot
            be written.
    """
    path = folder / f"{result.task}.{result.protocol}{RESULT_SUFFIX}"
    content = npz_bytes(predictions)
    if result.predictions != _record_of(result.task, result.protocol, content):
        raise DabsError(f"{path} was not written: its predictions are not those that the result names.")
    file = folder / result.predictions.file
    for place in (path, file):
        remove_leftovers(place)
    if not (file.is_file() and file.read_bytes() == content):
        path.unlink(missing_ok=True)  # so that an old result is never beside new predictions
        with replacing(file) as temporary:
            temporary.write_bytes(content)
    write_json(path, result.model_dump(mode="json"))
    return path


def reproducible_part(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a result that the same command reproduces on one CPU: all but its timings and peak memory."""
    cost = ("wall_seconds", "peak_memory_bytes")
    pretraining = {name: x for name, x in value["pretraining"].items() if name not in cost}
    return {name: x for name, x in value.items() if name != "timings"} | {"pretraining": pretraining}


def read_result(path: Path, check_predictions: bool = False) -> Result:
    """Read and validate a result file.

    Args:
        path: the file.
        check_predictions: whether to check also that its predictions exist and are unchanged.

    Raises:
        DabsError: the file is missing, larger than 5 MB, not JSON, of another schema version or breaks the schema.
    """
    result = _validate(path, read_text(path, MAX_RESULT_BYTES, _WAY_OUT))
    if check_predictions:
        _check_predictions(path, result)
    return result


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """Return the test predictions of the result file `path`, arrays by name, after checking their hash.

    Raises:
        DabsError: the result is invalid, or its predictions are missing, changed or need pickle.
    """
    file = _check_predictions(path, read_result(path))
    return read_npz(file, _WAY_OUT)


def read_scored_predictions(path: Path, result: Result) -> dict[str, np.ndarray]:
    """Return the test predictions of a result that was read from `path`, after checking their hash and the score.

    Raises:
        DabsError: the predictions are missing, changed or need pickle, or the score does not follow from them.
    """
    arrays = read_npz(_check_predictions(path, result), _WAY_OUT)
    wrong = find_wrong_score(result, arrays)
    if wrong:
        raise DabsError(f"{path}: {wrong}. {_WAY_OUT}")
    return arrays


def read_checked_result(path: Path) -> Result:
    """Read a result file as tables do: its score must follow from its predictions, if they are beside it.

    Raises:
        DabsError: as `read_result` and `read_scored_predictions` do.
    """
    result = read_result(path)
    if (path.parent / result.predictions.file).exists():
        read_scored_predictions(path, result)
    return result


def load_results(*roots: Path) -> list[Result]:
    """Return all results at or below `roots`, sorted by suite, domain, task, protocol, algorithm and seed.

    Raises:
        DabsError: a root does not exist, a file is invalid, or two files are results of the same cell.
    """
    return [result for _, result in load_placed(*roots)]


def load_placed(*roots: Path) -> list[tuple[Path, Result]]:
    """Return what `load_results` returns, with the file of each result."""
    return arrange([(path, read_result(path)) for path in result_files(roots)])


def arrange(placed: Iterable[tuple[Path, Result]]) -> list[tuple[Path, Result]]:
    """Return results with their files, sorted by suite, domain, task, protocol, algorithm and seed.

    Raises:
        DabsError: two files are results of the same cell.
    """
    found: dict[tuple[Any, ...], tuple[Path, Result]] = {}
    for path, result in placed:
        cell = (result.suite, result.domain, result.task, result.protocol, result.algorithm, result.seed)
        if cell in found:
            words = " ".join(map(str, cell[:5]))
            raise DabsError(
                f"{found[cell][0]} and {path} are both results of {words} seed {cell[5]}. Remove one of the two, or "
                "name a folder that contains only one of them."
            )
        found[cell] = (path, result)
    return [found[cell] for cell in sorted(found)]


def result_files(roots: tuple[Path, ...]) -> Iterator[Path]:
    """Yield the result files at or below `roots`, each once, even if one root contains another."""
    seen: set[Path] = set()
    for root in roots:
        if not root.exists():
            raise DabsError(f"there are no results in {root}, which does not exist. Name another, or use `dabs run`.")
        for path in [root] if root.is_file() else sorted(root.rglob(f"*{RESULT_SUFFIX}")):
            if path.resolve() not in seen and not is_hidden(path, root):
                seen.add(path.resolve())
                yield path


def _validate(path: Path, text: str) -> Result:
    value = require_object(path, parse_json(path, text, _WAY_OUT), _WAY_OUT)
    current = migrate(path, value, "schema_version", SCHEMA_VERSION, RESULTS, REFUSED_RESULTS)
    if current is not value:
        text = json.dumps(current)
    try:
        return Result.model_validate_json(text)
    except ValidationError as error:
        raise DabsError(f"{path}: {explain(error)} {_WAY_OUT}") from error


def explain(error: ValidationError) -> str:
    """Return the first problem as a sentence with the field and its value, and the number of other problems."""
    first, *others = error.errors(include_url=False)
    field = ".".join(
        name if (name := str(part)).isprintable() and len(name) <= 80 else short(name) for part in first["loc"]
    )
    message = first["msg"].removeprefix("Value error, ")
    value = f" (found {short(first['input'])})" if first["type"] != "missing" else ""
    more = f" Other problems: {len(others)}." if others else ""
    return f"{field or 'the whole record'}: {message[:1].lower()}{message[1:]}{value}.{more}"


def _check_predictions(path: Path, result: Result) -> Path:
    """Return the file of a result's predictions after checking its hash."""
    file = path.parent / result.predictions.file
    try:
        about = file.stat()
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_PREDICTIONS_BYTES:
            raise DabsError(f"{file} is not a plain file or has more than {MAX_PREDICTIONS_BYTES:,} bytes. {_WAY_OUT}")
        found = sha256_file(file)
    except OSError as error:
        raise DabsError(
            f"cannot read {file}, the predictions of {path}: {error.strerror or error}. {_WAY_OUT}"
        ) from error
    if found != result.predictions.sha256:
        raise DabsError(
            f"{file} has the sha256 {found}, but {path} says predictions.sha256 is {result.predictions.sha256}: "
            f"one of the two was changed. {_WAY_OUT}"
        )
    return file
