"""Manifests: a sample of today's version is read; those of other versions have a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from dabs.data.prepare import prepare
from dabs.data.prepared import FORMAT, folder_of, is_prepared, open_prepared
from dabs.errors import DabsError
from dabs.utils.files import write_json
from dabs.utils.strict_json import read_json

SAMPLE = Path(__file__).with_name("samples") / f"format{FORMAT}.manifest.json"


def test_a_manifest_of_todays_version_is_read(toy):
    written = read_json(folder_of(toy) / "manifest.json")
    write_json(folder_of(toy) / "manifest.json", read_json(SAMPLE))
    data = open_prepared(toy, "shade")
    assert data.entry("train").rows == 90
    assert data.standardisation()
    assert sorted(written) == sorted(read_json(SAMPLE)), "raise FORMAT, and commit a sample of the new version"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": FORMAT - 1}, f"format is {FORMAT - 1}, this dabs reads {FORMAT}. Run `dabs data prepare toy"),
        ({"format": "x"}, "format is 'x'.* Run `dabs data prepare toy"),
        ({"version": 99}, "another version of the domain: version 99 of toy, this dabs reads .* Run `dabs data prep"),
        ({"format": FORMAT + 1}, "It was written by a newer dabs: upgrade"),
    ],
)
def test_a_manifest_of_another_version_is_refused_with_a_way_out(toy, change, said):
    path = folder_of(toy) / "manifest.json"
    write_json(path, {**read_json(path), **change})
    with pytest.raises(DabsError, match=said):
        open_prepared(toy)


def test_a_missing_split_is_prepared_again(toy):
    lost = folder_of(toy) / "shade" / "test.arrow"
    lost.unlink()
    assert not is_prepared(toy)
    with pytest.raises(DabsError, match=f"{lost} cannot be read .*Run `dabs data prepare toy"):
        open_prepared(toy, "shade").columns("test")
    prepare(toy, lambda line: None)
    assert open_prepared(toy, "shade").columns("test")


def test_what_a_newer_dabs_has_prepared_is_not_replaced_unasked(toy):
    path = folder_of(toy) / "manifest.json"
    write_json(path, {**read_json(path), "format": FORMAT + 1})
    with pytest.raises(DabsError, match=r"newer dabs.*set DABS_HOME to another folder.*--force"):
        prepare(toy, lambda line: None)
    assert read_json(path)["format"] == FORMAT + 1
    prepare(toy, lambda line: None, force=True)
    assert read_json(path)["format"] == FORMAT
