"""Malicious archives are refused, and nothing of them is left in the folder."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dabs.domains.sources.unpack import unpack
from tests.helpers.refusing import refusal

ZEROS = bytes(3_000_000)


def tar_of(*members: tuple[str, bytes, bytes, str], rest: bytes = b"") -> bytes:
    """Return a .tar.gz of (name, type, content, target of a link), with `rest` behind its end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, content, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue() + rest)


def zip_of(members: dict[str, bytes], kind: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.create_system, member.external_attr, member.compress_type = 3, kind << 16, method
            archive.writestr(member, content)
    return buffer.getvalue()


def plain(name: str, content: bytes = b"1") -> tuple[str, bytes, bytes, str]:
    return name, tarfile.REGTYPE, content, ""


ELSEWHERE: dict[str, Callable[[], bytes]] = {
    "tar, above": lambda: tar_of(plain("good"), plain("../out")),
    "tar, above by a detour": lambda: tar_of(plain("good"), plain("a/../../out")),
    "tar, absolute": lambda: tar_of(plain("good"), plain("/tmp/dabs-out")),
    "tar, a link away": lambda: tar_of(plain("good"), ("a", tarfile.SYMTYPE, b"", "/etc")),
    "tar, a link inside": lambda: tar_of(plain("good"), ("a", tarfile.SYMTYPE, b"", "good")),
    "tar, a hard link": lambda: tar_of(plain("good"), ("a", tarfile.LNKTYPE, b"", "good")),
    "tar, a hard link away": lambda: tar_of(plain("good"), ("a", tarfile.LNKTYPE, b"", "../../etc/passwd")),
    "tar, a pipe": lambda: tar_of(plain("good"), ("a", tarfile.FIFOTYPE, b"", "")),
    "tar, a device": lambda: tar_of(plain("good"), ("a", tarfile.CHRTYPE, b"", "")),
    "zip, above": lambda: zip_of({"good": b"1", "../out": b"1"}),
    "zip, absolute": lambda: zip_of({"good": b"1", "/tmp/out": b"1"}),
    "zip, a link": lambda: zip_of({"good": b"1", "a": b"/etc"}, kind=0o120777),
    "zip, a pipe": lambda: zip_of({"good": b"1", "a": b""}, kind=0o010644),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_members_that_are_not_files_inside_the_folder_are_refused(tmp_path: Path, what: str) -> None:
    archive, out = tmp_path / "evil", tmp_path / "deep" / "out"
    archive.write_bytes(ELSEWHERE[what]())
    refusal(lambda: unpack(archive, out), archive, "not safe to unpack")
    assert list(out.iterdir()) == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "evil", "out"]


BOMBS: dict[str, Callable[[], bytes]] = {
    "zip, one member": lambda: zip_of({"a": ZEROS}),
    "zip, many members": lambda: zip_of({f"{i}": ZEROS[:400_000] for i in range(9)}),
    "tar, one member": lambda: tar_of(plain("a", ZEROS)),
    "tar, many members": lambda: tar_of(*(plain(f"{i}", ZEROS[:400_000]) for i in range(9))),
    "tar, behind its end": lambda: tar_of(plain("a"), rest=ZEROS),
}


@pytest.mark.parametrize("what", BOMBS)
def test_archives_that_expand_too_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    archive = tmp_path / "bomb"
    archive.write_bytes(BOMBS[what]())
    unpack(archive, tmp_path / "small enough")
    monkeypatch.setattr("dabs.domains.sources.unpack.ALWAYS_ALLOWED_BYTES", 2_000_000)
    refusal(lambda: unpack(archive, tmp_path / "out"), archive, "2,000,000")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_sparse_member_counts_with_the_size_it_claims(tmp_path: Path) -> None:
    member = tarfile.TarInfo("hole")
    member.type, member.size = tarfile.GNUTYPE_SPARSE, 0
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"%011o\0" % (10**10)  # the real size, behind the map of the stored parts
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    (tmp_path / "a.tar").write_bytes(bytes(block) + bytes(1024))
    refusal(lambda: unpack(tmp_path / "a.tar", tmp_path / "out"), tmp_path / "a.tar", "too much for an archive")


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
        archive = tmp_path / "a.tgz"
        archive.write_bytes(tar_of(("x", kind, ZEROS, ""), plain("a")))
        refusal(lambda: unpack(tmp_path / "a.tgz", tmp_path / "out"), archive, "3,000,000")


def test_a_zip_file_with_more_than_it_declares_is_refused(tmp_path: Path) -> None:
    lies = bytearray(zip_of({"a": ZEROS}))
    for place in (22, lies.rindex(b"PK\x01\x02") + 24):
        lies[place : place + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(bytes(lies))
    refusal(lambda: unpack(tmp_path / "a.zip", tmp_path / "out"), tmp_path / "a.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_file_that_asks_for_a_password_is_refused(tmp_path: Path) -> None:
    locked = bytearray(zip_of({"a": b"123"}))
    for place in (6, locked.rindex(b"PK\x01\x02") + 8):
        locked[place] |= 1
    (tmp_path / "a.zip").write_bytes(bytes(locked))
    refusal(lambda: unpack(tmp_path / "a.zip", tmp_path / "out"), tmp_path / "a.zip", "password")


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_an_inner_archive_is_checked_in_the_same_way(tmp_path: Path, kind: str) -> None:
    inner = zip_of({"../out": b"1"}) if kind == "zip" else tar_of(("a", tarfile.SYMTYPE, b"", "/etc"))
    (tmp_path / "a").write_bytes(zip_of({"inner": inner}))
    refusal(lambda: unpack(tmp_path / "a", tmp_path / "out", "inner"), tmp_path / "a")
    assert list((tmp_path / "out").iterdir()) == []
    assert not os.path.lexists(tmp_path / "out" / "a")
