"""Downloads that go on where they stopped: a file under its name is whole and checked, `NAME.part` is not.

`torchvision.datasets.utils` and `pooch` start again from nothing when a connection is cut, which with files of tens of
gigabytes never ends; what is written here on top of `requests` is the HTTP range request (RFC 9110, section 14) alone.
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

CHUNK = 1 << 16  # bytes; of a cut connection at most so many are asked for again
ATTEMPTS = 5  # times in a row that nothing came before giving up
TIMEOUT = (15, 30)  # seconds to connect, and between two pieces
BUSY = (429, 502, 503, 504)  # the server asks to come back later
WAIT = 2.0  # seconds before the second attempt, doubled each time

Progress = Callable[[str, int, int], None]  # a file's name, bytes done, bytes in all (0 where unknown)


class Stopped(Exception):
    """Another thread failed, or Ctrl-C came: the part stays for the next time."""


def download(url: str, path: Path, checksum: str, progress: Progress, stop: threading.Event) -> None:
    """Bring one file to `path`, going on from `path`.part where the server allows.

    Args:
        url: http or https.
        path: taken when the file is whole and its checksum agrees.
        checksum: "md5:..." or "sha256:..."; empty where the publisher gives none.
        progress: called after each piece.
        stop: set by others to end this download.

    Raises:
        DabsError: no such file, no connection, a full disk, another checksum; the message says what was kept.
        Stopped: `stop` was set.
    """
    import requests
    import urllib3

    part, failures = path.with_name(f"{path.name}.part"), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(_note(part))
    most = _size(part)
    while True:
        try:
            if _receive(url, part, progress, stop):
                break
            reason = f"the server cut the connection after {_size(part):,} bytes"
        except requests.HTTPError as error:
            if error.response.status_code not in BUSY:
                raise DabsError(
                    f"{url} cannot be downloaded: the server answers {error.response.status_code} "
                    f"{error.response.reason}. The file may have moved; look for {path.name} at its publisher, put it "
                    f"at {path} (or what is in it into {path.parent}) and run the same command again."
                ) from error
            reason = f"the server answers {error.response.status_code}"
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise full_disk(path.parent, error) from error
            reason = f"{type(error).__name__}: {error}"
        # more than ever, so that a part that is refused and fetched again counts as no progress
        most, failures = (_size(part), 0) if _size(part) > most else (most, failures + 1)
        if failures >= ATTEMPTS:
            raise DabsError(
                f"{url} cannot be downloaded: {reason}. {_size(part):,} bytes are kept in {part}; check the network "
                f"and run the same command again to go on from there, or put the file at {path} yourself."
            )
        if stop.wait(WAIT * 2 ** (failures - 1) if failures else 0):
            raise Stopped
    _accept(url, part, path, checksum)


def _note(part: Path) -> Path:
    """What is known of the file that a part is of."""
    return part.with_name(f"{part.name}.json")


def _receive(url: str, part: Path, progress: Progress, stop: threading.Event) -> bool:
    """One request, from where the part ends; gives whether the file is whole."""
    import requests

    note, headers = _note(part), {"Accept-Encoding": "identity"}
    begun: dict[str, Any] = read_json(note) if note.exists() else {"validator": "", "total": 0}
    start, validator = _size(part), begun["validator"]
    if start and start == begun["total"]:  # stopped between the last byte and the checksum
        return True
    if start and validator:
        # If-Range: the server gives the rest only when the file is still the one that was begun, else all of it
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # there is nothing after the part's end: the part is not of this file
            part.unlink()
            return False
        answer.raise_for_status()
        start = start if answer.status_code == 206 else 0
        length = int(answer.headers.get("Content-Length") or 0)
        total = start + length if length else 0
        tag = answer.headers.get("ETag", "")
        validator = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
        write_json(note, {"validator": validator, "total": total})
        with open(part, "ab" if start else "wb") as handle:
            done = start
            # as sent: servers label a .tgz as "Content-Encoding: x-gzip", and `iter_content` would unpack it
            for piece in answer.raw.stream(CHUNK, decode_content=False):
                handle.write(piece)
                done += len(piece)
                progress(part.name.removesuffix(".part"), done, total)
                if stop.is_set():
                    raise Stopped
    return not total or done == total


def _accept(url: str, part: Path, path: Path, checksum: str) -> None:
    try:
        check_sum(
            part, checksum, f"Nothing of {url} was kept; try again. If it happens twice, the publisher has changed it."
        )
    except DabsError:
        _remove(part)
        raise
    part.replace(path)
    _remove(part)


def check_sum(path: Path, checksum: str, way_out: str) -> None:
    """Compare a file with its publisher's "md5:..." or "sha256:...", where there is one.

    Raises:
        DabsError: they differ; `way_out` ends the message.
    """
    kind, _, wanted = checksum.partition(":")
    if not wanted:
        return
    with open(path, "rb") as handle:
        found = hashlib.file_digest(handle, kind).hexdigest()
    if found != wanted:
        raise DabsError(f"{path} ({_size(path):,} bytes) has {kind} {found}, expected {wanted}. {way_out}")


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def check_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        DabsError: fewer than `needed` bytes are free.
    """
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise DabsError(
            f"{folder} needs {needed / 1e9:.2f} GB and its disk has {free / 1e9:.2f} GB free. Free the space, or "
            "choose another disk with --data-dir (or DABS_HOME)."
        )


def full_disk(folder: Path, error: Any) -> DabsError:
    """The error for a disk that got full on the way."""
    return DabsError(
        f"the disk of {folder} is full ({error.strerror or error}). What was downloaded so far is kept. Free some "
        "space, or choose another disk with --data-dir (or DABS_HOME), and run the same command again to go on."
    )
