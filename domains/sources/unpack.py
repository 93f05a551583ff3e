"""Safe unpacking of zip and tar files, all of an archive or nothing.

Links, members that would land outside the folder and archives that expand far too much are refused.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any, Self

from dabs.domains.sources.download import check_disk_space, disk_full_error
from dabs.errors import DabsError
from dabs.utils.files import is_full_disk

MAX_EXPANSION = 200  # an archive may unpack to this many times its own size, ...
ALWAYS_ALLOWED_BYTES = 1_000_000_000  # ... and to this in any case; text shrinks to a tenth, a bomb to a thousandth
MAX_HEADER_BYTES = 1_000_000  # of a tar member's long name or attributes
TEMPORARY_PREFIX = ".unpack-"  # of the folder that an archive is unpacked into before it is moved
# what the libraries raise on damaged bytes; BadGzipFile is also an OSError, so these are caught first
DAMAGE_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,
    EOFError,
    FileNotFoundError,
)


def unpack(archive: Path, folder: Path, inner: str = "", *, marker: Path | None = None) -> None:
    """Unpack a zip or tar file into `folder`, all of it or nothing.

    Args:
        archive: the file; it is kept.
        folder: created if it does not exist; existing files of the same names are replaced.
        inner: a member that is an archive too; it is unpacked into its own folder and removed.
        marker: an empty file created before the first member is moved into `folder`; the caller deletes it.

    Raises:
        DabsError: not an archive, a damaged archive, a member that is a link or lands outside the folder, more bytes
            than an archive of this size may hold, or a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY_PREFIX) as temporary:
        place = Path(temporary)
        try:
            _extract(archive, place)
            if inner:
                _extract(place / inner, (place / inner).parent)
                (place / inner).unlink()
        except ValueError as error:
            raise DabsError(
                f"{archive} is not safe to unpack: {error}. Nothing of it was unpacked. Delete it and get the "
                "publisher's own file."
            ) from error
        except DAMAGE_ERRORS as error:
            raise DabsError(
                f"{archive} cannot be unpacked ({type(error).__name__}: {error}): it is damaged or incomplete. Delete "
                "it and run the same command again."
            ) from error
        except OSError as error:
            if is_full_disk(error):
                raise disk_full_error(folder, error) from error
            raise DabsError(f"{archive} cannot be unpacked into {folder}: {error}.") from error
        if marker:
            marker.parent.mkdir(exist_ok=True)
            marker.touch()
        _merge(place, folder)


def _extract(archive: Path, folder: Path) -> None:
    limit = max(MAX_EXPANSION * archive.stat().st_size, ALWAYS_ALLOWED_BYTES)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                _check_zip_member(member, folder)
            size = sum(member.file_size for member in members)  # extraction stops at this size, whatever is stored
            _check_expansion(size, limit)
            check_disk_space(folder, size)
            opened.extractall(folder)  # noqa: S202  the members were checked
    else:
        with tarfile.open(archive, tarinfo=_LimitedHeader) as opened_tar:
            _extract_tar(opened_tar, folder, limit)


def _extract_tar(opened: tarfile.TarFile, folder: Path, limit: int) -> None:
    """Write folders and files without owners, modes or times; some versions of Python 3.11 lack `filter="data"`."""
    size = 0  # sparse members count with the size they claim to have
    for member in opened:
        place = _path_inside(folder, member.name)
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        source = opened.extractfile(member) if member.isreg() else None
        if source is None:
            raise ValueError(f"{member.name!r} is a link or a special file")
        size += member.size
        _check_expansion(size, limit)
        place.parent.mkdir(parents=True, exist_ok=True)
        with source, open(place, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    # read to the end of the gzip stream, behind the end of the tar file, where its checksum is verified
    while opened.fileobj and (rest := opened.fileobj.read(1 << 20)):
        size += len(rest)
        _check_expansion(size, limit)


def _check_expansion(size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(f"it would unpack to more than {limit:,} bytes, too much for an archive of its size")


def _path_inside(folder: Path, name: str) -> Path:
    """Return where a member belongs; raise ValueError if its name is absolute or leads out of the folder."""
    root = folder.resolve()
    if name.startswith("/") or not (root / name).resolve().is_relative_to(root):
        raise ValueError(f"{name!r} would land outside the folder")
    return folder / name


def _check_zip_member(member: zipfile.ZipInfo, folder: Path) -> None:
    """Raise ValueError for a name or type that is not allowed; `extractall` would silently write `../a` elsewhere."""
    _path_inside(folder, member.filename)
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"{member.filename!r} is a link or a special file")


class _LimitedHeader(tarfile.TarInfo):
    """A tar member whose extended header, which `tarfile` reads into memory at once, is limited in length."""

    @classmethod
    def frombuf(cls, *arguments: Any, **options: Any) -> Self:
        """Parse a header block; raise ValueError if it announces an extended header over `MAX_HEADER_BYTES`."""
        member = super().frombuf(*arguments, **options)
        if member.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE) and member.size > MAX_HEADER_BYTES:
            raise ValueError(f"a member has an extended header of {member.size:,} bytes")
        return member


def _merge(source: Path, target: Path) -> None:
    """Move a tree into another on the same disk, merging folders that exist in both."""
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and place.is_dir():
            _merge(entry, place)
        else:
            entry.replace(place)
