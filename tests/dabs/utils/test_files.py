"""Files that cannot be written: the message says what is in the way."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dabs.errors import DabsError, RequestError
from dabs.utils.files import require_writable, sole_use, write_error, write_json


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    wanted = f"{tmp_path / 'out'} is a file, not a folder"
    for attempt in (
        lambda: write_json(tmp_path / "out" / "x.json", {}),
        lambda: write_json(tmp_path / "out" / "a" / "x.json", {}),
        lambda: sole_use(tmp_path / "out" / "run").__enter__(),
        lambda: require_writable(tmp_path / "out"),
        lambda: require_writable(tmp_path / "out" / "runs"),
    ):
        with pytest.raises(DabsError, match=wanted):
            attempt()
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk of runs is full .*Free the space"),
        (errno.EDQUOT, "the disk of runs is full"),
        (errno.EROFS, "Read-only file system. Choose another folder, or get the right"),
        (errno.EACCES, "Permission denied. Choose another folder"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_the_reason_is_said_in_words(number: int, said: str) -> None:
    with pytest.raises(DabsError, match=f"cannot write runs/x: .*{said}"):
        raise write_error(Path("runs/x"), OSError(number, os.strerror(number)))


def test_a_folder_that_can_be_written_is_created_and_left_empty(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("address", ["hf://ada/runs", "s3://bucket/runs"])
def test_an_address_is_no_folder(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for attempt in (lambda: require_writable(Path(address)), lambda: sole_use(Path(address) / "seed7").__enter__()):
        with pytest.raises(RequestError, match=r"looks like an address.*dabs push"):
            attempt()
    assert list(tmp_path.iterdir()) == []
