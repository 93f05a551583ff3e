"""The files of a run: a sample of today's version is read; what is damaged or of another version has a way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dabs.errors import DabsError
from dabs.training.run_folder import RUN_FORMAT, check_folder, claim_folder, load_config, load_run
from dabs.utils.files import write_json
from dabs.utils.strict_json import read_json

SAMPLES = Path(__file__).with_name("samples")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of today's version, without its weights."""
    for name in ("config", "run"):
        write_json(tmp_path / f"{name}.json", read_json(SAMPLES / f"format{RUN_FORMAT}.{name}.json"))
    return tmp_path


def test_a_run_of_todays_version_is_read_and_comes_back_to_the_byte(run: Path, tmp_path: Path) -> None:
    config, provenance = load_run(run)
    assert (config.algorithm, config.domain, provenance["label"]) == ("none", "toy", "none")
    claim_folder(tmp_path / "again", config, read_json(run / "config.json")["identity"])
    assert (tmp_path / "again" / "config.json").read_text() == (run / "config.json").read_text()


def test_a_run_that_states_no_budget_had_the_standard_one(run: Path) -> None:
    stated = read_json(run / "config.json")
    del stated["pretrain"]["budget"]
    write_json(run / "config.json", stated)
    assert load_config(run).budget == 1.0
    check_folder(run, load_config(run), stated["identity"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 3}, "format is 3, this dabs reads 2. It was written by a newer dabs: upgrade"),
        ({"format": 1}, "format is 1, this dabs reads 2. .*another version of dabs. Use that version, or .*--force"),
        ({"format": None}, "format is None, this dabs reads 2"),
        ({"format": 2.0}, "format is 2.0, this dabs reads 2"),
        ({"identity": []}, "is damaged: .*--out.*--force"),
    ],
)
def test_a_run_of_another_version_is_refused_with_a_way_out(run: Path, change: dict[str, Any], said: str) -> None:
    write_json(run / "config.json", {**read_json(run / "config.json"), **change})
    with pytest.raises(DabsError, match=said):
        load_config(run)


@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_a_run_without_a_readable_configuration_has_a_way_out(run: Path, damage: str) -> None:
    config, place = load_config(run), run / "config.json"
    identity = read_json(place)["identity"]
    check_folder(run, config, identity)
    text = place.read_text()
    place.write_text(text[: len(text) // 2]) if damage == "cut" else place.unlink()
    said = {"cut": "config.json is not valid JSON.*It is damaged", "missing": "run.json, but no config.json"}[damage]
    with pytest.raises(DabsError, match=f"{said}.*--out.*--force"):
        check_folder(run, config, identity)


def test_a_damaged_record_of_a_run_names_the_command_that_makes_it_again(run: Path) -> None:
    write_json(run / "run.json", {**read_json(run / "run.json"), "steps": "many"})
    with pytest.raises(
        DabsError, match=f"steps is 'many'. It is damaged. Delete that file and run `dabs pretrain --config {run}`"
    ):
        load_run(run)
