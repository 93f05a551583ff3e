"""Versions of results and submissions: a sample of each is read, or refused with the reason and a way out.

If a test here fails because a schema was changed: raise its version, add a step to `dabs.results.migrations` (or say
there why none is possible), commit a sample of the new version, and record the hash of its schema in `schemas.json`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dabs.errors import DabsError
from dabs.results import schema, submission
from dabs.results.files import read_checked_result, read_result
from dabs.results.migrations import REFUSED_RESULTS, RESULTS, SUBMISSIONS, migrate
from dabs.results.submission import read_submission
from dabs.utils.files import json_text
from dabs.utils.versions import NewerVersionError

SAMPLES = Path(__file__).with_name("samples")
PATH = Path("x.result.json")


def sample(name: str) -> dict[str, Any]:
    value = json.loads((SAMPLES / name).read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


def placed(folder: Path, value: dict[str, Any]) -> Path:
    """Write a result under the name that its predictions have in the samples."""
    path = folder / "exercise.knn.result.json"
    path.write_text(json_text(value), encoding="utf-8")
    return path


def test_a_result_of_todays_version_is_read_checked_and_comes_back_to_the_byte(tmp_path: Path) -> None:
    text = (SAMPLES / "v3.result.json").read_text(encoding="utf-8")
    shutil.copy(SAMPLES / "exercise.knn.predictions.npz", tmp_path)
    result = read_checked_result(placed(tmp_path, json.loads(text)))
    assert json_text(result.model_dump(mode="json")) == text


def test_a_result_of_version_1_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DabsError, match=r"schema_version is 1, this dabs reads 3.*pretraining\.learning.*dabs run"):
        read_result(placed(tmp_path, sample("v1.result.json")))


def test_a_step_is_applied_on_reading_and_leaves_the_file_as_it_is(tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "exercise.knn.predictions.npz", tmp_path)
    path = placed(tmp_path, sample("v2.result.json"))
    result = read_checked_result(path)
    assert (result.schema_version, result.score) == (3, sample("v2.result.json")["score"])
    assert result.pretraining.flops == 0  # unknown
    assert result.pretraining.config == sample("v2.result.json")["pretraining"]["config"] | {"budget": 1.0}
    assert json.loads(path.read_text()) == sample("v2.result.json")


def test_steps_follow_one_another() -> None:
    steps = {1: lambda value: {**value, "b": value["a"]}, 2: lambda value: {**value, "c": value["b"]}}
    assert migrate(PATH, {"v": 1, "a": 7}, "v", 3, steps, {}) == {"v": 3, "a": 7, "b": 7, "c": 7}
    assert migrate(PATH, {"v": 2, "b": 8}, "v", 3, steps, {}) == {"v": 3, "b": 8, "c": 8}
    today = {"v": 3}
    assert migrate(PATH, today, "v", 3, steps, {}) is today


@pytest.mark.parametrize("version", [0, -1, None, "3", 3.0, True, [3]])
def test_a_version_that_never_was_is_refused(tmp_path: Path, version: Any) -> None:
    with pytest.raises(DabsError, match=r"schema_version is .*No version of dabs wrote such a file"):
        read_result(placed(tmp_path, {**sample("v3.result.json"), "schema_version": version}))


def test_what_a_newer_dabs_wrote_asks_for_an_upgrade(tmp_path: Path) -> None:
    newer = "It was written by a newer dabs: upgrade this one to read it. Or remove it, and make it again"
    with pytest.raises(NewerVersionError, match=newer):
        read_result(placed(tmp_path, {"schema_version": 4, "whatever": 1}))
    (tmp_path / "submission.json").write_text('{"submission_version": 2}')
    with pytest.raises(NewerVersionError, match=newer):
        read_submission(tmp_path)


def test_a_submission_of_todays_version_is_read_and_comes_back_to_the_byte(tmp_path: Path) -> None:
    text = (SAMPLES / "v1.submission.json").read_text(encoding="utf-8")
    folder = tmp_path / "Sample"
    folder.mkdir()
    (folder / "submission.json").write_text(text, encoding="utf-8")
    assert json_text(read_submission(folder).model_dump(mode="json")) == text


@pytest.mark.parametrize(
    ("kind", "current", "steps", "refused"),
    [
        ("result", schema.SCHEMA_VERSION, RESULTS, REFUSED_RESULTS),
        ("submission", submission.SUBMISSION_VERSION, SUBMISSIONS, {}),
    ],
)
def test_every_version_has_a_sample_and_either_a_step_or_a_reason(
    kind: str, current: int, steps: dict[int, Any], refused: dict[int, str]
) -> None:
    assert {path.name for path in SAMPLES.glob(f"*.{kind}.json")} == {
        f"v{v}.{kind}.json" for v in range(1, current + 1)
    }
    for version in range(1, current):
        assert (version in steps) != (version in refused), f"version {version} of a {kind}"
    assert set(steps) | set(refused) == set(range(1, current))


def without_words(value: Any) -> Any:
    """Return a JSON schema without titles and descriptions, which may change."""
    if isinstance(value, dict):
        words = ("title", "description")
        return {key: without_words(x) for key, x in value.items() if key not in words or not isinstance(x, str)}
    return [without_words(x) for x in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("kind", "current", "now"),
    [
        ("result", schema.SCHEMA_VERSION, schema.json_schema()),
        ("submission", submission.SUBMISSION_VERSION, submission.json_schema()),
    ],
)
def test_a_schema_does_not_change_without_a_new_version(kind: str, current: int, now: dict[str, Any]) -> None:
    digest = hashlib.sha256(json_text(without_words(now)).encode()).hexdigest()
    recorded = sample("schemas.json")[kind]
    assert str(current) in recorded, f"record the {kind} schema of version {current}: {digest}"
    assert recorded[str(current)] == digest, f"the {kind} schema has changed; see the top of this file"
