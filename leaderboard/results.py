"""Result files on disk: `FOLDER/TASK.PROTOCOL.result.json` with its predictions beside it, validated on every read."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from pydantic import ValidationError

from dabs.errors import DabsError
from dabs.home import is_hidden, remove_leftovers, replacing, sha256_file, write_json
from leaderboard.schema import SCHEMA_VERSION, Result

SUFFIX = ".result.json"
RESULT_BYTES = 5_000_000
PREDICTION_BYTES = 500_000_000
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment a zip member can carry
_REMAKE = "Make the result again with `dabs eval`, or remove the file."


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An .npz file whose bytes depend on names and values only: sorted, uncompressed, without a clock.

    Raises:
        DabsError: an array that would need pickle.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            member.create_system, member.external_attr = 3, 0o644 << 16
            raw = io.BytesIO()
            try:
                np.lib.format.write_array(raw, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            except ValueError as error:
                kind = arrays[name].dtype
                raise DabsError(
                    f"predictions: the array {name!r} of type {kind} cannot be stored ({error})."
                ) from error
            archive.writestr(member, raw.getvalue())
    return buffer.getvalue()


def write_result(folder: Path, payload: dict[str, Any], predictions: Mapping[str, np.ndarray]) -> Path:
    """Validate a result and write it with its predictions; gives the path of the result file.

    Nothing is written when anything is wrong. The predictions go first, so that a result file is never without them.
    One process at a time: what killed ones left of this result is removed.

    Args:
        folder: made when it is not there; files of the same task and protocol are replaced.
        payload: the fields of `schema.Result`, without `predictions`, which is filled in here.
        predictions: arrays by name, one row a test example.

    Raises:
        DabsError: a field that breaks the schema, an array that would need pickle, a folder that cannot be written.
    """
    content = npz_bytes(predictions)
    stem = f"{payload.get('task')}.{payload.get('protocol')}"
    file = f"{stem}.predictions.npz"
    whole = payload | {"predictions": {"file": file, "sha256": hashlib.sha256(content).hexdigest()}}
    path = folder / f"{stem}{SUFFIX}"
    try:
        text = json.dumps(whole, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DabsError(
            f"{path} was not written: the result holds a value that JSON cannot carry ({error})."
        ) from error
    value = _validated(path, text, "Correct the code that makes the result; nothing was written.").model_dump(
        mode="json"
    )
    for place in (path, folder / file):
        remove_leftovers(place)
    path.unlink(missing_ok=True)  # an old result never stands beside new predictions
    with replacing(folder / file) as temporary:
        temporary.write_bytes(content)
    write_json(path, value)
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
    result = _validated(path, text_of(path), _REMAKE)
    if check_predictions:
        _checked_predictions(path, result)
    return result


def read_predictions(path: Path) -> dict[str, np.ndarray]:
    """The test predictions that belong to the result file `path`, arrays by name, after checking their hash.

    Raises:
        DabsError: the result is invalid, or its predictions are missing, changed, or need pickle.
    """
    file = _checked_predictions(path, read_result(path))
    try:
        with np.load(file, allow_pickle=False) as archive:
            return dict(archive)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DabsError(f"{file} cannot be read as arrays ({error}). {_REMAKE}") from error


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


def text_of(path: Path) -> str:
    """The content of a file of at most 5 MB."""
    try:
        size = path.stat().st_size
        if size > RESULT_BYTES:
            raise DabsError(f"{path} has {size:,} bytes; a result file has at most {RESULT_BYTES:,}. {_REMAKE}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DabsError(f"cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DabsError(f"{path} is not UTF-8 text ({error}). {_REMAKE}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} stands twice")
    return value


def strict_json(path: Path, text: str, way_out: str) -> dict[str, Any]:
    """The object that `text`, the content of `path`, holds.

    Raises:
        DabsError: it is not JSON, holds NaN or infinity, names a key twice, or is not an object.
    """
    try:
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise DabsError(f"{path} is not valid JSON ({error}). {way_out}") from error
    if not isinstance(value, dict):
        raise DabsError(f"{path} holds {_short(value)}, not an object. {way_out}")
    return value


def _validated(path: Path, text: str, way_out: str) -> Result:
    value = strict_json(path, text, way_out)
    version = value.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise DabsError(
            f"{path}: schema_version is {_short(version)}, this dabs reads {SCHEMA_VERSION}. "
            "Use the dabs that wrote it, or make the result again."
        )
    try:
        return Result.model_validate_json(text)
    except ValidationError as error:
        raise DabsError(f"{path}: {explained(error)} {way_out}") from error


def explained(error: ValidationError) -> str:
    """The first complaint as a sentence with field and value, and how many more there are."""
    first, *others = error.errors(include_url=False)
    field = ".".join(map(str, first["loc"])) or "the whole"
    message = first["msg"].removeprefix("Value error, ")
    value = f" (found {_short(first['input'])})" if first["type"] != "missing" else ""
    more = f" There are {len(others)} more such problems." if others else ""
    return f"{field}: {message[:1].lower()}{message[1:]}{value}.{more}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _checked_predictions(path: Path, result: Result) -> Path:
    file = path.parent / result.predictions.file
    try:
        if file.stat().st_size > PREDICTION_BYTES:
            raise DabsError(f"{file} has more than {PREDICTION_BYTES:,} bytes. {_REMAKE}")
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
