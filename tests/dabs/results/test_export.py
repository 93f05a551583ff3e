"""Exports: Every Eval Ever records, checked against its schema (0.3.0, MIT licence, from its package), CSV, pandas."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jsonschema
import pytest

import dabs.results
from dabs.errors import DabsError
from dabs.results.export import COLUMNS, frame, records, write_csv, write_records
from dabs.utils.files import write_json
from tests.helpers.made_results import make, make_payload, make_suite

SCHEMA = json.loads(Path(__file__).with_name("every_eval_ever-0.3.0.schema.json").read_text(encoding="utf-8"))


def test_records_are_valid_and_contain_every_score() -> None:
    results = make_suite()
    found = records(results)
    for record in found:
        jsonschema.Draft7Validator(SCHEMA).validate(record)
    scores = sorted(one["score_details"]["score"] for record in found for one in record["evaluation_results"])
    assert scores == sorted(result.score for result in results)
    assert len({record["evaluation_id"] for record in found}) == len(found)
    assert {record["schema_version"] for record in found} == {SCHEMA["version"]}


def test_the_schema_test_can_fail() -> None:
    record = records([make()])[0]
    record["evaluation_results"][0]["metric_config"].pop("lower_is_better")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(record)


def test_records_are_written_reproducibly_and_hostile_names_make_no_path(tmp_path: Path) -> None:
    results = [make(algorithm="../../<script>")]
    first, second = write_records(results, tmp_path / "a"), write_records(results, tmp_path / "b")
    assert [path.relative_to(tmp_path / "a") for path in first] == [path.relative_to(tmp_path / "b") for path in second]
    assert first[0].parent == tmp_path / "a" / "dabs-lite" / "dabs" / first[0].parent.name
    assert json.loads(first[0].read_text())["model_info"]["name"] == "../../<script>"


def test_nothing_to_export() -> None:
    with pytest.raises(DabsError, match="no results"):
        records([])


def test_csv_has_a_row_per_result_and_no_formula(tmp_path: Path) -> None:
    path = write_csv([make(algorithm="=1+1"), make(seed=1)], tmp_path / "r.csv")
    with path.open(newline="") as handle:
        found = list(csv.DictReader(handle))
    assert [row["algorithm"] for row in found] == ["'=1+1", "shed"]
    assert float(found[1]["score"]) == make().score


def test_frame_from_folders(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    write_json(tmp_path / "exercise.linear.result.json", make_payload())
    found = dabs.results.frame(tmp_path)
    assert tuple(found.columns) == COLUMNS
    assert found.to_dict("records") == frame([make()]).to_dict("records")
