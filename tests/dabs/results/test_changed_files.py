"""Readers of untrusted files, given changed valid files and noise, raise only the documented error.

`benchmarks/fuzz.py` does the same for hours, guided by coverage of the readers' code.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dabs.errors import DabsError
from dabs.results.files import read_result
from dabs.results.submission import SUBMISSION_FILE, load_submission, read_submission
from dabs.training.run_folder import RUN_FORMAT, load_config, load_run
from tests.helpers.made_results import digest, make, make_payload, submit

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

RAW_NUMBERS = {"@digits": "9" * 5000, "@infinite": "1e400", "@tiny": "1e-400"}  # Python would not write these
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**17, 10**19, 10**400, 1e308])
LEAVES = (
    st.none()
    | st.booleans()
    | NUMBERS
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "\x1b[2J", "a" * 64, "x" * 1000, *RAW_NUMBERS])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def boxes_of(value: Any) -> list[Any]:
    """Return the lists and objects in a value, itself first."""
    if not isinstance(value, dict | list):
        return []
    inside = value.values() if isinstance(value, dict) else value
    return [value, *(box for item in inside for box in boxes_of(item))]


@st.composite
def mutated(draw: st.DrawFn, valid: dict[str, Any]) -> bytes:
    """Draw a valid document with one to three values replaced, removed or added, sometimes with a duplicate key."""
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        box = draw(st.sampled_from([box for box in boxes_of(value) if box] or [value]))
        key = draw(st.sampled_from(sorted(box) if isinstance(box, dict) else range(len(box)))) if box else None
        kind = draw(st.sampled_from(["replace", "remove", "add"]))
        if key is None or kind == "add":
            name, item = draw(st.text(max_size=20)), draw(VALUES)
            box.update({name: item}) if isinstance(box, dict) else box.append(item)
        elif kind == "remove":
            del box[key]
        else:
            box[key] = draw(VALUES)
    text = json.dumps(value)
    for name, number in RAW_NUMBERS.items():
        text = text.replace(f'"{name}"', number)
    if draw(st.integers(0, 9)) == 0:  # a duplicate key
        text = '{"schema_version": 1, ' + text[1:]
    return text.encode()


RAW = st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | st.sampled_from([b"[" * 10_000, b'{"a":' * 900])


def only_documented(read: Callable[[], object]) -> None:
    """Check that reading succeeds or raises the documented error, with a readable message."""
    try:
        read()
    except DabsError as error:
        text = str(error)
        assert text
        assert len(text) < 20_000
        assert "\x1b" not in text


RESULT = make_payload()
CONFIG = {
    "format": RUN_FORMAT,
    "pretrain": {
        "algorithm": "shed",
        "domain": "sensor",
        "seed": 0,
        "lr": 0.1,
        "compile": False,
        "options": {"a": [1]},
    },
    "identity": {"data_sha256": "a" * 64},
}
PROVENANCE = {
    **{name: digest(name) for name in ("algorithm_sha256", "data_sha256", "weights_sha256")},
    **{"label": "shed", "steps": 6, "examples_seen": 12, "peak_memory_bytes": 1, "parameters": 1},
    **{"wall_seconds": 0.1, "final_loss": 0.1},
    "environment": {"git_commit": "a" * 40, "git_dirty": False, "dabs_version": "0", "versions": {}},
    "learning": {"learned": True, "reason": "", "ending": {}, "constant": {}, "effective_rank": 3.0},
}


@QUICK
@given(data=mutated(RESULT) | RAW)
def test_the_result_reader(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.result.json"
    path.write_bytes(data)
    only_documented(lambda: read_result(path))


@pytest.fixture(scope="module")
def submission(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid submission, whose `submission.json` is overwritten."""
    return submit(tmp_path_factory.mktemp("in") / "mine", [make()])


SUBMISSION: dict[str, Any] = {}


@QUICK
@given(data=st.data())
def test_the_submission_reader(submission: Path, data: st.DataObject) -> None:
    path = submission / SUBMISSION_FILE
    valid = SUBMISSION or json.loads(path.read_text())
    SUBMISSION.update(valid)
    path.write_bytes(data.draw(mutated(valid) | RAW))
    only_documented(lambda: read_submission(submission))
    only_documented(lambda: load_submission(submission))


@QUICK
@given(data=mutated(CONFIG) | RAW)
def test_the_configuration_reader(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(data)
    only_documented(lambda: load_config(path))


@QUICK
@given(data=mutated(PROVENANCE) | RAW)
def test_the_provenance_reader(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "run.json").write_bytes(data)
    only_documented(lambda: load_run(tmp_path))


def test_the_valid_documents_are_accepted(tmp_path: Path, submission: Path) -> None:
    (tmp_path / "x.result.json").write_text(json.dumps(RESULT))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "run.json").write_text(json.dumps(PROVENANCE))
    assert read_result(tmp_path / "x.result.json").score == RESULT["score"]
    assert load_run(tmp_path)[1] == PROVENANCE
    if SUBMISSION:
        (submission / SUBMISSION_FILE).write_text(json.dumps(SUBMISSION))
    assert load_submission(submission)[0].name == "mine"
