"""Archives taken apart beside their place and moved in when whole; a member that would land elsewhere is refused."""

from __future__ import annotations

import errno
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

from dabs.domains.sources.download import check_space, full_disk
from dabs.errors import DabsError

MOST_TIMES = 200  # an archive may unpack to so many times its own bytes, ...
ALWAYS = 1_000_000_000  # ... and to so many bytes in any case; text shrinks to a tenth, a bomb to a thousandth
MOST_HEADER = 1_000_000  # bytes of a tar member's long name or attributes
UNPACKING = ".unpack-"  # begins the name of the folder in which an archive is taken apart
# what the libraries raise on damaged bytes; BadGzipFile is an OSError too
DAMAGED = (
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


def unpack(archive: Path, folder: Path, inner: str = "", *, note: Path | None = None) -> None:
    """Take a zip or tar file apart into `folder`, all of it or nothing.

    Args:
        archive: kept as it is.
        folder: made where it is not; files of the same name are replaced.
        inner: a member that is an archive too and is taken apart in the place where it lies.
        note: an empty file that is made before the first member is moved in; the caller removes it.

    Raises:
        DabsError: not an archive, damaged, a member that is a link or lands outside the folder, far more bytes than
            an archive of its size holds, or a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNPACKING) as temporary:
        place = Path(temporary)
        try:
            _extract(archive, place)
            if inner:
                _extract(place / inner, (place / inner).parent)
                (place / inner).unlink()
        except ValueError as error:
            raise DabsError(
                f"{archive} holds a member that is not safe to unpack: {error}. Nothing of it was unpacked. Delete it "
                "and get the publisher's own file."
            ) from error
        except DAMAGED as error:
            raise DabsError(
                f"{archive} cannot be unpacked ({type(error).__name__}: {error}); it is damaged or cut short. Delete "
                "it and run the same command again."
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise full_disk(folder, error) from error
            raise DabsError(f"{archive} cannot be unpacked into {folder}: {error}.") from error
        if note:
            note.parent.mkdir(exist_ok=True)
            note.touch()
        _merge(place, folder)


def _extract(archive: Path, folder: Path) -> None:
    most = max(MOST_TIMES * archive.stat().st_size, ALWAYS)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                _check_zip_member(member, folder)
            size = sum(member.file_size for member in members)  # extracting never gives more of a member than this
            _refuse_bomb(size, most)
            check_space(folder, size)
            opened.extractall(folder)  # noqa: S202  the members were checked
    else:
        with tarfile.open(archive, tarinfo=_ShortHeaders) as opened_tar:
            _extract_tar(opened_tar, folder, most)


def _extract_tar(opened: tarfile.TarFile, folder: Path, most: int) -> None:
    """Write folders and files, without owners, modes or times; `filter="data"` is not in every Python 3.11."""
    size = 0  # sparse members count with the size that they claim
    for member in opened:
        place = _inside(folder, member.name)
        if member.isdir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        source = opened.extractfile(member) if member.isreg() else None
        if source is None:
            raise ValueError(f"{member.name!r} is a link or a special file")
        size += member.size
        _refuse_bomb(size, most)
        place.parent.mkdir(parents=True, exist_ok=True)
        with source, open(place, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    # gzip compares its checksum at its end, which lies behind the end of the tar file
    while opened.fileobj and (rest := opened.fileobj.read(1 << 20)):
        size += len(rest)
        _refuse_bomb(size, most)


def _refuse_bomb(size: int, most: int) -> None:
    if size > most:
        raise ValueError(f"unpacked it would have over {most:,} bytes, which for its own size is too much")


def _inside(folder: Path, name: str) -> Path:
    """Where a member belongs; ValueError when its name is absolute or leads elsewhere."""
    root = folder.resolve()
    if name.startswith("/") or not (root / name).resolve().is_relative_to(root):
        raise ValueError(f"{name!r} would land outside of the folder")
    return folder / name


def _check_zip_member(member: zipfile.ZipInfo, folder: Path) -> None:
    """`extractall` alone would quietly put `../a` somewhere else."""
    _inside(folder, member.filename)
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(f"{member.filename!r} is a link or a special file")


class _ShortHeaders(tarfile.TarInfo):
    """A member whose long name and attributes, which are read into memory whole, are not as long as they please."""

    @classmethod
    def frombuf(cls, *arguments: Any, **options: Any) -> Self:
        """A member from its header block; ValueError when what it announces is no header of a reasonable length."""
        member = super().frombuf(*arguments, **options)
        if member.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE) and member.size > MOST_HEADER:
            raise ValueError(f"a header of {member.size:,} bytes stands before a member")
        return member


def _merge(source: Path, target: Path) -> None:
    """Move a tree into another of the same disk; folders that both have are merged."""
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and place.is_dir():
            _merge(entry, place)
        else:
            entry.replace(place)
