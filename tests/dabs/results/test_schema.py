"""What the schema accepts and refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dabs.results.schema import SCHEMA_FILE, SCORE_TOLERANCE, Result, json_schema
from tests.helpers.made_results import alter, altered, make, make_payload


def _leaves(value: Any, path: str = "") -> list[str]:
    """Return the dotted path of every field that is not an object."""
    if not isinstance(value, dict):
        return [path]
    return [leaf for key, item in value.items() for leaf in _leaves(item, f"{path}.{key}".lstrip("."))]


LEAVES = _leaves(make_payload())


def test_a_valid_result_survives_a_round_trip(payload: dict[str, Any]) -> None:
    result = Result.model_validate_json(json.dumps(payload))
    assert json.loads(result.model_dump_json()) == payload


def test_the_exported_schema_is_current() -> None:
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == json_schema(), "run python -m dabs.results.schema"


@pytest.mark.parametrize("path", LEAVES)
def test_null_is_refused_everywhere(path: str) -> None:
    with pytest.raises(ValidationError):
        altered(path, None)


def test_null_and_nan_deep_inside_a_configuration_are_refused() -> None:
    for bad in (None, [1, None], {"a": [{"b": None}]}, float("nan"), [float("inf")]):
        with pytest.raises(ValidationError):
            altered("pretraining.config.deep", bad)


@pytest.mark.parametrize("path", [p for p in LEAVES if ".config." not in p and p not in ("selected.C", "selected.k")])
def test_a_field_of_another_type_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        altered(path, {"of": "another type"})


@pytest.mark.parametrize("path", ["score", "seed", "counts.test", "environment.git_dirty", "pretraining.wall_seconds"])
def test_numbers_in_strings_are_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        altered(path, "1")


@pytest.mark.parametrize("path", ["", "metric", "interval", "data", "pretraining", "environment", "predictions"])
def test_unknown_fields_are_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        altered(f"{path}.extra".lstrip("."), 1)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("seed", -1),
        ("seed", True),
        ("counts.test", 0),
        ("pretraining.steps", -1),
        ("pretraining.wall_seconds", -0.1),
        ("timings.seconds.fit", -1.0),
        ("timings.started", "2026-11-21 04:50:00"),
        ("timings.started", "2026-11-21T04:50:00+01:00"),
        ("timings.started", "2026-13-21T04:50:00Z"),
        ("algorithm", ""),
        ("algorithm", " shed"),
        ("algorithm", "sh\ned"),
        ("task", "../exercise"),
        ("task", "exercise\n"),
        ("predictions.file", "../x.npz"),
        ("predictions.file", "x.pkl"),
        ("algorithm_sha256", "A" * 64),
        ("environment.git_commit", ""),
        ("environment.git_commit", "main"),
        ("metric.direction", "lower"),
        ("metric.name", "loss"),
        ("metric.chance", 1.5),
        ("protocol", "zero-shot"),
        ("interval.level", 1.0),
        ("interval.resamples", 0),
        ("data.origin", "real"),
        ("selected.C", True),
        ("pretraining.curve", [[0, 1.0], [0, 2.0]]),
        ("pretraining.curve", [[601, 1.0]]),
        ("pretraining.curve", [[i, 1.0] for i in range(65)]),
        ("pretraining.curve", [[1, 1.0, 2.0]]),
    ],
)
def test_impossible_values_are_refused(path: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        altered(path, value)


def test_a_random_encoder_has_no_curve() -> None:
    assert make(algorithm="none").pretraining.curve == ()
    with pytest.raises(ValidationError, match="no curve"):
        altered("pretraining.curve", [[0, 1.0]], algorithm="none")


def test_results_are_frozen() -> None:
    with pytest.raises(ValidationError):
        make().score = 1.0  # type: ignore[misc]


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_score_is_accepted_only_between_the_metric_bounds(score: float) -> None:
    text = json.dumps(alter(make_payload(), "score", score))
    if -SCORE_TOLERANCE <= score <= 1 + SCORE_TOLERANCE:
        assert Result.model_validate_json(text).score == score
    else:
        with pytest.raises(ValidationError):
            Result.model_validate_json(text)


@given(st.floats(-2, 2), st.floats(-2, 2))
def test_an_interval_needs_only_to_be_ordered(low: float, high: float) -> None:
    value = {**make_payload()["interval"], "low": low, "high": high}
    if low <= high:
        assert altered("interval", value).interval.low == low
    else:
        with pytest.raises(ValidationError):
            altered("interval", value)
