"""Archives made for tests, and what is left of them on disk."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

NOISE = os.urandom(3 << 20)  # does not compress, and takes more than one chunk to download


def tar_of(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Return a .tar.gz of some files (name -> content) and symbolic links (name -> target)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def zip_of(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Return a .zip of some files (name -> content) and symbolic links (name -> target)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for name, target in (links or {}).items():
            member = zipfile.ZipInfo(name)
            member.create_system, member.external_attr = 3, 0o120777 << 16
            archive.writestr(member, target)
    return buffer.getvalue()


def files_below(folder: Path) -> set[str]:
    """Return the relative paths of all files in a folder, except locks."""
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".lock")}
