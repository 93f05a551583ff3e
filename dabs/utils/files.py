"""Folders on disk, locks, and writing that cannot leave half a file.

A file or folder is written under a temporary name and renamed when it is complete, so its own name always refers to the
old version or the whole new one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dabs.errors import DabsError, RequestError


def data_home() -> Path:
    """Return the folder of downloaded sources and prepared data: `$DABS_HOME`, or dabs in the user's cache folder."""
    from platformdirs import user_cache_path

    given = os.environ.get("DABS_HOME")
    return Path(given).expanduser() if given else user_cache_path("dabs")


def raw_home() -> Path:
    """Return the folder of raw datasets in their publishers' layouts: `$DABS_DATA_DIR`, or `raw` in `data_home()`."""
    given = os.environ.get("DABS_DATA_DIR")
    return Path(given).expanduser() if given else data_home() / "raw"


def temporary_path(path: Path) -> Path:
    """Return a new hidden name beside `path`, which `remove_leftovers(path)` recognises."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


@contextmanager
def replacing(path: Path, *, over: bool = True) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` when the block succeeds and removed when it fails.

    Args:
        path: a file or a folder.
        over: whether to replace a folder that exists.

    Raises:
        DabsError: `path` cannot be written, or the block cannot read another file; the message says which.
    """
    temporary, before = temporary_path(path), temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        _flush_to_disk(temporary)
        if over and temporary.is_dir() and path.is_dir():
            os.replace(path, before)  # removing the folder in place would leave half of it there for a while
        os.replace(temporary, path)
        with suppress(OSError):  # the new file is in place; a folder that may not be read cannot be flushed
            _flush_to_disk(path.parent, deep=False)
    except OSError as error:
        if _concerns_another_file(error, path, temporary):
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise DabsError(f"while {path} was being written, a file could not be read: {what}.") from error
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and path.is_dir():
            raise DabsError(f"{path} is there already: another process has just written it.") from error
        raise write_error(path, error) from error
    finally:
        _remove(temporary)
        _remove(before)


def write_error(path: Path, error: OSError) -> DabsError:
    """Return the error for the user when `path` cannot be written: what is in the way, and what to do about it."""
    file = next((one for one in (path, *path.parents) if one.is_file()), None)
    if file is not None and error.errno in (errno.EEXIST, errno.ENOTDIR):
        reason = f"{file} is a file, not a folder. Move it away, or choose another folder."
    elif is_full_disk(error):
        said = error.strerror or error
        reason = f"the disk of {path.parent} is full ({said}). Free the space, or choose another folder."
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        reason = f"{error.strerror}. Choose another folder, or get the right to write there."
    else:
        reason = f"{error}. Free the space, or choose another folder."
    return DabsError(f"cannot write {path}: {reason}")


def is_full_disk(error: OSError) -> bool:
    """Return whether an error means that a disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


def require_writable(folder: Path) -> None:
    """Create a folder if it does not exist, and make sure that files can be written there.

    Raises:
        DabsError: they cannot; the message says why.
    """
    _refuse_address(folder)
    probe = temporary_path(folder / "probe")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"dabs")
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        _remove(probe)


def _refuse_address(path: Path) -> None:
    """Raise a RequestError for `hf://...` or `s3://...`, which `Path` would turn into a folder of that name."""
    if re.match(r"[a-z][a-z0-9+.-]+:/", str(path)):
        raise RequestError(
            f"{path} looks like an address, but files are written to a folder. `dabs push` uploads a run to the hub, "
            "and `dabs run --store` mirrors a grid."
        )


def _flush_to_disk(path: Path, *, deep: bool = True) -> None:
    """Wait until a file or folder is on the disk, with everything in the folder if `deep`."""
    inside = path.rglob("*") if deep and path.is_dir() else ()
    for found in (*inside, path):
        number = os.open(found, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def discard(path: Path) -> None:
    """Remove a folder so that its name never refers to half of it."""
    aside = temporary_path(path)
    with suppress(OSError):
        os.replace(path, aside)
        _remove(aside)


def _concerns_another_file(error: OSError, path: Path, temporary: Path) -> bool:
    """Return whether an error is about a file other than the one being written.

    pyarrow names a missing file only in its message.
    """
    if isinstance(error.filename, str):
        named = Path(error.filename)
        return temporary not in (named, *named.parents) and named not in (path, *path.parents)
    return isinstance(error, FileNotFoundError) and str(temporary) not in str(error)


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes left of `replacing(path)`; the caller must hold the lock on `path`."""
    for left in path.parent.glob(f".{path.name}.????????.tmp"):
        _remove(left)


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which is removed at the end; the caller must hold the lock on `path`.

    What killed processes left of such folders is removed first.
    """
    remove_leftovers(path)
    temporary = temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        _remove(temporary)


def _remove(temporary: Path) -> None:
    if temporary.is_dir():
        shutil.rmtree(temporary, ignore_errors=True)
    else:
        with suppress(OSError):  # it may not exist, and an earlier error says more than one from here would
            temporary.unlink()


@contextmanager
def sole_use(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock on a file or folder, so that no other process on this or another machine works on it meanwhile.

    The lock is a file beside `path`. The operating system releases it when the process ends, however it ends. A process
    that holds the lock may take it again.

    Args:
        path: the file or folder, which need not exist.
        wait: whether to wait while another process holds the lock.

    Raises:
        DabsError: another process holds the lock and `wait` is false, or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    _refuse_address(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        place = path.with_name(f".{path.name}.lock").absolute()
        place.touch()  # fails at once if the folder is not writable; the lock would keep retrying
        lock = FileLock(place, is_singleton=True)
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise DabsError(
            f"another process is working on {path}. Wait until it ends, or choose another folder."
        ) from error
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing_with_lock(path: Path, *, over: bool = True) -> Iterator[Path]:
    """Take the lock on `path`, remove what killed processes left of it, and replace it as `replacing` does."""
    with sole_use(path, wait=True):
        remove_leftovers(path)
        with replacing(path, over=over) as temporary:
            yield temporary


def is_hidden(path: Path, root: Path) -> bool:
    """Return whether a path is, or is inside, a temporary file or folder below `root`, whose name starts with a dot."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def json_text(value: Any) -> str:
    """Return `value` as sorted, indented JSON. NaN and infinity raise a ValueError."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write `value` atomically as `json_text` returns it."""
    text = json_text(value)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: Path, max_bytes: int, way_out: str) -> str:
    """Return the text of a plain file. At most `max_bytes` are read, whatever size the file claims to have.

    Args:
        path: the file.
        max_bytes: its largest allowed size.
        way_out: what the user can do, the last sentence of the error's message.

    Raises:
        DabsError: the file is missing, unreadable, not a plain file, too large or not UTF-8.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as handle:
            if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
                raise DabsError(f"{path} is not a plain file. {way_out}")
            content = handle.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise DabsError(f"there is no file {path}.") from error
    except OSError as error:
        raise DabsError(f"cannot read {path}: {error.strerror or error}.") from error
    if len(content) > max_bytes:
        raise DabsError(f"{path} is too large: a file of its kind has at most {max_bytes:,} bytes. {way_out}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DabsError(f"{path} is not UTF-8 text (byte {error.start:,} is {error.reason}). {way_out}") from error


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file without blocking; opening a named pipe would otherwise wait for a writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def short(value: Any) -> str:
    """Return a value as error messages show it: on one line of at most 80 characters, without control characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def free_space(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder, which need not exist yet."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(existing).free
