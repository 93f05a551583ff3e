"""Published hashes: written, compared with prepared data, and shown by commands."""

from __future__ import annotations

import json

import pytest

from dabs.cli.data import main as data
from dabs.data import published
from dabs.data.prepared import folder_of, units_of
from dabs.data.published import check_published, publish, read_published
from dabs.errors import DabsError

OFFICIAL = {"lite": {"toy": ("shade", "findings", "length")}}


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The file of published hashes, which belongs to the test; it has an entry of another domain."""
    path = tmp_path / "published_hashes.json"
    path.write_text(
        json.dumps({"lite/gone/pretrain/train": {"version": 1, "rows": 1, "sha256": "", "split_sha256": ""}})
    )
    monkeypatch.setattr(published, "PATH", path)
    return path


def change(path, key, **values):
    entries = json.loads(path.read_text())
    entries[key] |= values
    path.write_text(json.dumps(entries))


def test_every_split_is_published_with_its_version_and_hashes(toy, file):
    changes = publish([toy], OFFICIAL)
    assert changes == sorted(f"lite/toy/{key}" for key in units_of(toy)[0].splits)
    entry = read_published()["lite/toy/shade/test"]
    assert set(entry) == {"version", "rows", "sha256", "split_sha256"}
    assert (entry["version"], entry["rows"]) == (1, 60)
    assert publish([toy], OFFICIAL) == []


def test_entries_of_no_official_task_are_dropped_and_others_stay(toy, file):
    publish([toy], OFFICIAL | {"lite": OFFICIAL["lite"] | {"gone": ()}})
    assert "lite/gone/pretrain/train" in read_published()
    publish([], {"lite": {"toy": ("shade",)}})
    assert {key.split("/")[2] for key in read_published()} == {"pretrain", "shade"}


def test_data_is_compared_by_hash_and_version(toy, file):
    assert check_published(units_of(toy)).verdict == "no published hash"
    publish([toy], OFFICIAL)
    assert check_published(units_of(toy)).verdict == "as published"
    change(file, "lite/toy/shade/test", version=2)
    check = check_published(units_of(toy))
    assert (check.verdict, check.unpublished, check.different) == ("partly published", ["toy/shade/test"], [])
    change(file, "lite/toy/shade/train", split_sha256="0" * 64)
    check = check_published(units_of(toy))
    assert check.verdict == "NOT AS PUBLISHED"
    assert [line.split(" is ")[0] for line in check.different] == ["toy/shade/train: split_sha256"]


def test_verify_says_which_hashes_differ(toy, file, capsys):
    assert data(["verify", "toy"]) == 0
    assert capsys.readouterr().out == "toy: as prepared, no published hash\n"
    publish([toy], OFFICIAL)
    assert data(["verify", "toy"]) == 0
    assert capsys.readouterr().out == "toy: as prepared, as published\n"
    change(file, "lite/toy/shade/train", sha256="0" * 64)
    assert data(["verify", "toy"]) == 1
    shown = capsys.readouterr().out
    assert "toy: as prepared, NOT AS PUBLISHED\n  toy/shade/train: sha256 is " in shown
    assert "published 000000" in shown
    assert "dabs data prepare toy --suite lite --force" in shown
    assert "cannot be compared" in shown
    (folder_of(toy) / "shade" / "test.arrow").write_bytes(b"not arrow")
    assert data(["verify", "toy"]) == 1
    assert "toy: CHANGED since it was prepared, NOT AS PUBLISHED\n" in capsys.readouterr().out


def test_verify_names_what_alone_has_no_published_hash(toy, file, capsys):
    publish([toy], OFFICIAL)
    change(file, "lite/toy/shade/train", version=7)
    assert data(["verify", "toy"]) == 0
    assert capsys.readouterr().out == ("toy: as prepared, partly published\n  toy/shade/train: no published hash\n")


def test_status_shows_it(toy, file, capsys):
    publish([toy], OFFICIAL)
    assert data(["status", "toy"]) == 0
    assert "published" in capsys.readouterr().out


def test_a_damaged_file_is_named(toy, file):
    file.write_text("[]")
    with pytest.raises(DabsError, match="published_hashes"):
        check_published(units_of(toy))
