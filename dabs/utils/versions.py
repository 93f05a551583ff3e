"""Files of other versions: which of the two is newer, and so what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dabs.errors import DabsError
from dabs.utils.files import short


class NewerVersionError(DabsError):
    """A file was written by a newer dabs; it may be intact, so it must not be replaced."""


def other_version(path: Path, field: str, found: Any, current: int, *, older: str, newer: str = "") -> DabsError:
    """Return the error for a file of another version of its format.

    Args:
        path: the file.
        field: where it states its version.
        found: what it states there.
        current: the version that this dabs writes.
        older: why a file of an older version is not read and what to do about it, as a sentence.
        newer: what else than upgrading helps with a file of a newer version, as a sentence.
    """
    stated = f"{path}: {field} is {short(found)}, this dabs reads {current}"
    if type(found) is int and found > current:
        upgrade = "It was written by a newer dabs: upgrade this one to read it."
        return NewerVersionError(f"{stated}. {upgrade} {newer}".rstrip())
    return DabsError(f"{stated}. {older}")
