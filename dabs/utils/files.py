"""Where things live on disk, and writing that leaves either the old file or the whole new one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dabs.errors import DabsError


def data_home() -> Path:
    """`$DABS_HOME`, or the user's cache folder for dabs: downloaded sources and prepared data."""
    from platformdirs import user_cache_path

    given = os.environ.get("DABS_HOME")
    return Path(given).expanduser() if given else user_cache_path("dabs")


def raw_home() -> Path:
    """`$DABS_DATA_DIR`, or `raw` in `data_home()`: a folder a dataset, each in the layout its publisher gives it."""
    given = os.environ.get("DABS_DATA_DIR")
    return Path(given).expanduser() if given else data_home() / "raw"


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


@contextmanager
def replacing(path: Path, *, over: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well and is removed when it does not.

    Args:
        path: a file or a folder.
        over: whether a folder that is there already is replaced.

    Raises:
        DabsError: the folder cannot be written, or the block cannot read a file elsewhere; it says which.
    """
    temporary, before = _temporary(path), _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _on_disk(temporary)
        if over and temporary.is_dir() and path.is_dir():
            os.replace(path, before)  # a folder that is removed where it lies would for a while be half of one
        os.replace(temporary, path)
        with suppress(OSError):  # it has its name; a folder that may not be read cannot be waited for
            _on_disk(path.parent, deep=False)
    except OSError as error:
        if _of_another_file(error, path, temporary):
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise DabsError(f"while {path} was made, a file could not be read: {what}.") from error
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise DabsError(f"{path} is there already; another process made it meanwhile.") from error
        raise DabsError(f"cannot write {path}: {error}. Free the space, or choose another folder.") from error
    finally:
        _remove(temporary)
        _remove(before)


def _on_disk(path: Path, *, deep: bool = True) -> None:
    """Wait until a file, or a folder with (if `deep`) all that is in it, has reached the disk."""
    inside = path.rglob("*") if deep and path.is_dir() else ()
    for found in (*inside, path):
        number = os.open(found, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def discard(path: Path) -> None:
    """Remove a folder so that at no moment half of it lies under its name."""
    aside = _temporary(path)
    with suppress(OSError):
        os.replace(path, aside)
        _remove(aside)


def _of_another_file(error: OSError, path: Path, temporary: Path) -> bool:
    """Whether an error names a file that is not being written; pyarrow says only in words that one is not there."""
    if isinstance(error.filename, str):
        named = Path(error.filename)
        return temporary not in (named, *named.parents) and named not in (path, *path.parents)
    return isinstance(error, FileNotFoundError) and str(temporary) not in str(error)


def remove_leftovers(path: Path) -> None:
    """Remove what `replacing(path)` left when its process was killed; only for who holds `path` for himself."""
    for left in path.parent.glob(f".{path.name}.????????.tmp"):
        _remove(left)


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` for who holds `path` for himself; what killed processes left goes first."""
    remove_leftovers(path)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        _remove(temporary)


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):  # not there, or in a folder that is none; an error on the way here says more
            temporary.unlink()


@contextmanager
def sole_use(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes, also those of other machines, from working on a file or folder at the same time.

    The lock is a file beside `path` that the operating system lets go when the process ends, however it ends. A process
    that holds it may take it again.

    Raises:
        DabsError: another process holds it and `wait` is false, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        place = path.with_name(f".{path.name}.lock").absolute()
        place.touch()  # fails at once where nothing can be written, which the lock would take for a busy moment
        lock = FileLock(place, is_singleton=True)
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise DabsError(
            f"another process is working on {path}. Wait until it ends, or choose another folder."
        ) from error
    except OSError as error:
        raise DabsError(f"cannot write {path}: {error}. Free the space, or choose another folder.") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing_alone(path: Path, *, over: bool = True) -> Iterator[Path]:
    """`replacing` for a path that no lock guards yet: one process at a time, which removes what killed ones left."""
    with sole_use(path, wait=True):
        remove_leftovers(path)
        with replacing(path, over=over) as temporary:
            yield temporary


def is_hidden(path: Path, root: Path) -> bool:
    """Whether a path lies, below `root`, in what is not whole yet or never will be: temporary files and folders."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as sorted, indented JSON, atomically; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def text_of(path: Path, most: int, way_out: str) -> str:
    """The text of a plain file of at most `most` bytes. Not more is read, whatever the file says of its size.

    Raises:
        DabsError: missing, unreadable, no plain file, too large or not UTF-8; the message ends with `way_out`.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise DabsError(f"{path} is not a plain file. {way_out}")
            content = handle.read(most + 1)
    except FileNotFoundError as error:
        raise DabsError(f"there is no file {path}.") from error
    except OSError as error:
        raise DabsError(f"cannot read {path}: {error.strerror or error}.") from error
    if len(content) > most:
        raise DabsError(f"{path} is too large: a file of its kind has at most {most:,} bytes. {way_out}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DabsError(f"{path} is not UTF-8 text (byte {error.start:,} is {error.reason}). {way_out}") from error


def _without_waiting(path: str, flags: int) -> int:
    """A named pipe would else keep the reader waiting for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def short(value: Any) -> str:
    """A value as an error shows it: on one line, of at most 80 characters, without what would steer a terminal."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
