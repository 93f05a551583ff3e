"""Archives taken apart beside their place and moved in when whole; a member that would land elsewhere is refused."""

from __future__ import annotations

import errno
import gzip
import lzma
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

from dabs.errors import DabsError
from domains.paper._download import check_space, full_disk

UNPACKING = ".unpack-"  # begins the name of the folder in which an archive is taken apart
# what the libraries raise on damaged bytes; BadGzipFile is an OSError too
DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    NotImplementedError,
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
        DabsError: not an archive, damaged, a member that is a link or lands outside the folder, or a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNPACKING) as temporary:
        place = Path(temporary)
        try:
            _extract(archive, place)
            if inner:
                _extract(place / inner, (place / inner).parent)
                (place / inner).unlink()
        except (tarfile.FilterError, ValueError) as error:
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
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_members(members, folder)
            check_space(folder, sum(member.file_size for member in members))
            opened.extractall(folder)  # noqa: S202  the members were checked
    else:
        with tarfile.open(archive) as opened_tar:
            opened_tar.extractall(folder, filter="data")
            while opened_tar.fileobj and opened_tar.fileobj.read(1 << 20):
                pass  # gzip compares its checksum at its end, which lies behind the end of the tar file


def _check_members(members: list[zipfile.ZipInfo], folder: Path) -> None:
    """For zip what the data filter is for tar: `extractall` alone would quietly put `../a` somewhere else."""
    root = folder.resolve()
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{member.filename!r} is a link or a special file")
        if not (root / member.filename).resolve().is_relative_to(root):
            raise ValueError(f"{member.filename!r} would land outside of the folder")


def _merge(source: Path, target: Path) -> None:
    """Move a tree into another of the same disk; folders that both have are merged."""
    for entry in sorted(source.iterdir()):
        place = target / entry.name
        if entry.is_dir() and not entry.is_symlink() and place.is_dir():
            _merge(entry, place)
        else:
            entry.replace(place)
