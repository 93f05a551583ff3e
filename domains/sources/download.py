"""Resumable downloads: `NAME.part` until the file is complete, then `NAME`.

`torchvision.datasets.utils` and `pooch` start over when a connection is cut, so files of tens of gigabytes may never
arrive. All that this module adds to `requests` is the HTTP range request (RFC 9110, section 14).
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dabs.errors import DabsError
from dabs.utils.files import remove_leftovers, write_json
from dabs.utils.strict_json import read_json

CHUNK_BYTES = 1 << 16  # when a connection is cut, at most this much is downloaded again
MAX_ATTEMPTS = 5  # in a row without any new byte, before giving up
TIMEOUT_SECONDS = (15, 30)  # to connect, and between two chunks
RETRY_STATUSES = (429, 502, 503, 504)  # the server asks the client to try again later
RETRY_DELAY = 2.0  # seconds before the second attempt; doubled each time

ProgressCallback = Callable[[str, int, int], None]  # a file's name, bytes done, total bytes (0 if unknown)


class Stopped(Exception):
    """Raised when another thread failed or on Ctrl-C; the partial file stays for the next attempt."""


def download(url: str, path: Path, checksum: str, progress: ProgressCallback, stop: threading.Event) -> None:
    """Download one file to `path`, resuming from `path`.part if the server allows it.

    Args:
        url: http or https.
        path: created once the file is complete and its checksum matches.
        checksum: "md5:..." or "sha256:..."; empty if the publisher gives none.
        progress: called after each chunk.
        stop: set by another thread to end this download.

    Raises:
        DabsError: no such file, no connection, a full disk or a wrong checksum; the message says what was kept.
        Stopped: `stop` was set.
    """
    import requests
    import urllib3

    part, failures = path.with_name(f"{path.name}.part"), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(_state_path(part))
    largest = _size_of(part)
    while True:
        try:
            if _request_rest(url, part, progress, stop):
                break
            reason = f"the server cut the connection after {_size_of(part):,} bytes"
        except requests.HTTPError as error:
            if error.response.status_code not in RETRY_STATUSES:
                raise DabsError(
                    f"{url} cannot be downloaded: the server answered {error.response.status_code} "
                    f"{error.response.reason}. The file may have moved. Get {path.name} from its publisher, put it at "
                    f"{path} (or its contents into {path.parent}) and run the same command again."
                ) from error
            reason = f"the server answered {error.response.status_code}"
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full_error(path.parent, error) from error
            reason = f"{type(error).__name__}: {error}"
        # compared with the largest size so far: discarding a partial file and fetching it again is no progress
        largest, failures = (_size_of(part), 0) if _size_of(part) > largest else (largest, failures + 1)
        if failures >= MAX_ATTEMPTS:
            raise DabsError(
                f"{url} cannot be downloaded: {reason}. {_size_of(part):,} bytes are kept in {part}. Check the network "
                f"and run the same command again to resume from there, or put the file at {path} yourself."
            )
        if stop.wait(RETRY_DELAY * 2 ** (failures - 1) if failures else 0):
            raise Stopped
    _check_and_keep(url, part, path, checksum)


def _state_path(part: Path) -> Path:
    """Return the path of the JSON file that says which file `part` is a part of."""
    return part.with_name(f"{part.name}.json")


def _request_rest(url: str, part: Path, progress: ProgressCallback, stop: threading.Event) -> bool:
    """Request the file from where `part` ends, append what arrives, and return whether the file is complete."""
    import requests

    state_path, headers = _state_path(part), {"Accept-Encoding": "identity"}
    state: dict[str, Any] = read_json(state_path) if state_path.exists() else {"validator": "", "total": 0}
    start, validator = _size_of(part), state["validator"]
    if start and start == state["total"]:  # stopped between the last byte and the checksum
        return True
    if start and validator:
        # If-Range: the server sends the rest only if the file is unchanged, else the whole file
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == 416:  # nothing after the part's end, so it belongs to another file
            part.unlink()
            return False
        response.raise_for_status()
        start = start if response.status_code == 206 else 0
        length = int(response.headers.get("Content-Length") or 0)
        total = start + length if length else 0
        tag = response.headers.get("ETag", "")
        validator = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
        write_json(state_path, {"validator": validator, "total": total})
        with open(part, "ab" if start else "wb") as handle:
            done = start
            # raw bytes: servers label a .tgz as "Content-Encoding: x-gzip", and `iter_content` would unpack it
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                handle.write(chunk)
                done += len(chunk)
                progress(part.name.removesuffix(".part"), done, total)
                if stop.is_set():
                    raise Stopped
    return not total or done == total


def _check_and_keep(url: str, part: Path, path: Path, checksum: str) -> None:
    try:
        verify_checksum(
            part,
            checksum,
            f"Nothing of {url} was kept; try again. If this repeats, the publisher has changed the file.",
        )
    except DabsError:
        _discard(part)
        raise
    part.replace(path)
    _discard(part)


def verify_checksum(path: Path, checksum: str, way_out: str) -> None:
    """Compare a file with its publisher's checksum, "md5:..." or "sha256:..."; an empty one matches every file.

    Raises:
        DabsError: the checksums differ; the message ends with `way_out`.
    """
    kind, _, wanted = checksum.partition(":")
    if not wanted:
        return
    with open(path, "rb") as handle:
        found = hashlib.file_digest(handle, kind).hexdigest()
    if found != wanted:
        raise DabsError(f"{path} ({_size_of(path):,} bytes) has {kind} {found}, expected {wanted}. {way_out}")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _state_path(part).unlink(missing_ok=True)


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def check_disk_space(folder: Path, needed: int) -> None:
    """Check that the disk of `folder`, which need not exist yet, has room.

    Raises:
        DabsError: fewer than `needed` bytes are free.
    """
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise DabsError(
            f"{folder} needs {needed / 1e9:.2f} GB and its disk has {free / 1e9:.2f} GB free. Free the space, or "
            "choose another disk with --data-dir (or DABS_HOME)."
        )


def disk_full_error(folder: Path, error: Any) -> DabsError:
    """Return the error for a disk that filled up during a download or while unpacking."""
    return DabsError(
        f"the disk of {folder} is full ({error.strerror or error}). What was downloaded so far is kept. Free some "
        "space, or choose another disk with --data-dir (or DABS_HOME), and run the same command again to resume."
    )
