"""Resumable downloads: `NAME.part` until the file is complete, then `NAME`.

`torchvision.datasets.utils` and `pooch` start over when a connection is cut, so files of tens of gigabytes may never
arrive. All that this module adds to `requests` is the HTTP range request (RFC 9110, section 14).
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dabs.errors import DabsError
from dabs.utils.files import free_space, is_full_disk, remove_leftovers, write_json
from dabs.utils.strict_json import read_json

CHUNK_BYTES = 1 << 16  # when a connection is cut, at most this much is downloaded again
MAX_ATTEMPTS = 5  # in a row without any new byte, before giving up
TIMEOUT_SECONDS = (15, 30)  # to connect, and between two chunks
RETRY_STATUSES = (429, 502, 503, 504)  # the server asks the client to try again later
RETRY_DELAY = 2.0  # seconds before the second attempt; doubled each time
MAX_RETRY_AFTER = 600.0  # seconds; a server that asks for a longer pause is given up
MAX_PER_HOST = 4  # downloads from one host at a time, of all datasets together

ProgressCallback = Callable[[str, int, int], None]  # a file's name, bytes done, total bytes (0 if unknown)


class Stopped(Exception):
    """Raised when another thread failed or on Ctrl-C; the partial file stays for the next attempt."""


_host_slots: defaultdict[str, threading.BoundedSemaphore] = defaultdict(
    lambda: threading.BoundedSemaphore(MAX_PER_HOST)
)


@contextmanager
def _slot_of(url: str, stop: threading.Event) -> Iterator[None]:
    """Wait until fewer than `MAX_PER_HOST` downloads from the host of `url` are running, and count as one of them."""
    slot = _host_slots[urlsplit(url).netloc]
    while not slot.acquire(timeout=0.2):
        if stop.is_set():
            raise Stopped
    try:
        yield
    finally:
        slot.release()


def download(url: str, path: Path, checksum: str, progress: ProgressCallback, stop: threading.Event) -> None:
    """Download one file to `path`, resuming from `path`.part if the server allows it.

    No host is asked for more than `MAX_PER_HOST` files at a time. A server that answers 429 or 503 with Retry-After is
    left alone for as long as it asks.

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
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(_state_path(part))
    with _slot_of(url, stop):
        _request_all(url, part, path, progress, stop)
    _check_and_keep(url, part, path, checksum)


def _request_all(url: str, part: Path, path: Path, progress: ProgressCallback, stop: threading.Event) -> None:
    """Request the rest of a file again and again until `part` is all of it."""
    import requests
    import urllib3

    largest, failures = _size_of(part), 0
    while True:
        pause = 0.0
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
            pause = _requested_pause(error.response.headers.get("Retry-After", ""))
            if pause > MAX_RETRY_AFTER:
                raise DabsError(
                    f"{url} cannot be downloaded now: {reason} and asks to wait {pause / 60:.0f} minutes. "
                    f"{_size_of(part):,} bytes are kept in {part}; run the same command again after that."
                ) from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, OSError) and is_full_disk(error):
                raise disk_full_error(path.parent, error) from error
            reason = f"{type(error).__name__}: {error}"
        # compared with the largest size so far: discarding a partial file and fetching it again is no progress
        largest, failures = (_size_of(part), 0) if _size_of(part) > largest else (largest, failures + 1)
        if failures >= MAX_ATTEMPTS:
            raise DabsError(
                f"{url} cannot be downloaded: {reason}. {_size_of(part):,} bytes are kept in {part}. Check the network "
                f"and run the same command again to resume from there, or put the file at {path} yourself."
            )
        if stop.wait(max(pause, RETRY_DELAY * 2 ** (failures - 1) if failures else 0)):
            raise Stopped


def _requested_pause(retry_after: str) -> float:
    """Return the seconds that a Retry-After header asks for, a number or a date; 0 if it cannot be read."""
    if retry_after.strip().isdigit():
        return float(retry_after)
    with suppress(ValueError, TypeError):
        until = parsedate_to_datetime(retry_after)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    return 0.0


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
        if response.status_code == 206:
            begin, total = _content_range(response.headers.get("Content-Range", ""))
            if begin != start or (total and state["total"] and total != state["total"]):
                _discard(part)  # it would be completed with other bytes; the next request asks for the whole file
                return False
        else:
            start, total = 0, int(response.headers.get("Content-Length") or 0)
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


def _content_range(header: str) -> tuple[int, int]:
    """Return where the bytes of a 206 response begin, -1 if it does not say so, and the whole file's size or 0."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", header.strip())
    if not found:
        return -1, 0
    return int(found[1]), int(found[2]) if found[2] != "*" else 0


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
    free = free_space(folder)
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
