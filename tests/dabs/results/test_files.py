"""Result files: writing, reading, and the error for each kind of damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from dabs.errors import DabsError
from dabs.results import files as results
from dabs.results.files import load_results, npz_bytes, predictions_record, read_predictions, read_result, write_result
from tests.helpers.made_results import alter, make, make_payload, write_payload

PREDICTIONS = {"label": np.arange(5), "score": np.linspace(0, 1, 10, dtype=np.float32).reshape(5, 2)}


def write(folder: Path, **changes: Any) -> Path:
    return write_payload(folder, make_payload(**changes), PREDICTIONS)


def damage(path: Path, field: str, value: Any) -> None:
    path.write_text(json.dumps(alter(json.loads(path.read_text()), field, value)))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = write(tmp_path / "new")
    assert path.name == "exercise.linear.result.json"
    assert sorted(p.name for p in path.parent.iterdir()) == ["exercise.linear.predictions.npz", path.name]
    assert read_result(path, check_predictions=True).score == 0.71
    for name, array in read_predictions(path).items():
        np.testing.assert_array_equal(array, PREDICTIONS[name])


def test_the_same_predictions_have_the_same_bytes() -> None:
    assert npz_bytes(PREDICTIONS) == npz_bytes(dict(reversed(PREDICTIONS.items())))
    assert npz_bytes(PREDICTIONS) != npz_bytes({**PREDICTIONS, "label": np.arange(1, 6)})


def test_an_invalid_result_leaves_nothing_on_disk(tmp_path: Path) -> None:
    # a task's name is part of the name of its predictions' file, which is checked first
    for field, value, named in (("score", 1.2, "score"), ("score", float("nan"), "score"), ("task", "../up", "file")):
        with pytest.raises(ValidationError, match=named):
            write_payload(tmp_path / "out", alter(make_payload(), field, value), PREDICTIONS)
    other = make().model_copy(update={"predictions": predictions_record("exercise", "linear", {"label": np.arange(4)})})
    with pytest.raises(DabsError, match="not written: its predictions are not those"):
        write_result(tmp_path / "out", other, PREDICTIONS)
    with pytest.raises(DabsError, match="names"):
        write_payload(tmp_path / "out", make_payload(), {"names": np.array([{}], dtype=object)})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("same", [True, False])
def test_a_kill_while_a_result_is_repeated_loses_it_only_if_its_predictions_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    path = write(tmp_path)
    predictions = PREDICTIONS if same else {**PREDICTIONS, "label": np.arange(1, 6)}

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "write_json", die)
    with pytest.raises(KeyboardInterrupt):
        write_payload(tmp_path, make_payload(), predictions)
    assert path.exists() == same, "an old result is never beside new predictions"
    assert sorted(p.name for p in tmp_path.glob("*.npz")) == ["exercise.linear.predictions.npz"]


def test_an_error_names_file_field_value_and_way_out(tmp_path: Path) -> None:
    path = write(tmp_path)
    damage(path, "metric.direction", "sideways")
    with pytest.raises(DabsError) as caught:
        read_result(path)
    text = str(caught.value)
    assert "\n" not in text
    for part in (str(path), "metric.direction", "'sideways'", "dabs eval"):
        assert part in text


@pytest.mark.parametrize("version", [0, 1, 4, "3", None, True])
def test_another_schema_version_is_refused(tmp_path: Path, version: Any) -> None:
    path = write(tmp_path)
    damage(path, "schema_version", version)
    with pytest.raises(DabsError, match="schema_version"):
        read_result(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema_version": 3, "score": NaN}', '{"a": 1, "a": 2}', "[" * 100_000]
)
def test_a_file_that_is_not_a_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.result.json"
    path.write_text(text)
    with pytest.raises(DabsError, match=r"x\.result\.json"):
        read_result(path)


def test_a_file_that_is_not_text_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.result.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DabsError, match="UTF-8"):
        read_result(path)
    monkeypatch.setattr(results, "MAX_RESULT_BYTES", 2)
    with pytest.raises(DabsError, match="at most 2"):
        read_result(path)


def test_changed_or_missing_predictions_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path)
    file = tmp_path / "exercise.linear.predictions.npz"
    file.write_bytes(npz_bytes({"label": np.zeros(5)}))
    read_result(path)
    with pytest.raises(DabsError, match="was changed"):
        read_result(path, check_predictions=True)
    file.unlink()
    with pytest.raises(DabsError, match="cannot read"):
        read_predictions(path)


def test_predictions_that_need_pickle_are_never_loaded(tmp_path: Path) -> None:
    path = write(tmp_path)
    file = tmp_path / "exercise.linear.predictions.npz"
    np.savez(file, label=np.array([{}], dtype=object))
    damage(path, "predictions.sha256", results.sha256_file(file))
    with pytest.raises(DabsError, match="cannot be read as arrays"):
        read_predictions(path)


def test_loading_sorts_results_and_reads_each_file_once(tmp_path: Path) -> None:
    for seed in (10, 2):
        write(tmp_path / f"run{seed}", seed=seed)
    write(tmp_path / "other" / "deep", algorithm="emix")
    found = load_results(tmp_path, tmp_path / "run2", tmp_path / "run2" / "exercise.linear.result.json")
    assert [(r.algorithm, r.seed) for r in found] == [("emix", 0), ("shed", 2), ("shed", 10)]


def test_two_files_for_one_cell_are_both_named(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b", score=0.5)
    with pytest.raises(DabsError) as caught:
        load_results(tmp_path)
    assert str(first) in str(caught.value)
    assert str(second) in str(caught.value)


def test_a_missing_root_is_an_error_and_an_empty_one_is_not(tmp_path: Path) -> None:
    assert load_results(tmp_path) == []
    with pytest.raises(DabsError, match="there are no results in"):
        load_results(tmp_path / "nowhere")
