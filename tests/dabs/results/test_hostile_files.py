"""Files made to do harm: each is refused with one paragraph that names it, and no code in it runs.

Other hostile input has its own tests: archives and pickles (domains/sources), predictions and changed documents (in
this folder), checkpoints (dabs/training).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dabs.data.prepare import verify
from dabs.data.prepared import open_prepared
from dabs.errors import DabsError
from dabs.results.files import MAX_RESULT_BYTES, read_result
from dabs.results.submission import load_submission, read_submission
from dabs.training.log import loss_curve
from dabs.training.run_folder import load_config, load_run
from dabs.utils.files import write_json
from dabs.utils.strict_json import MAX_DIGITS, read_json
from tests.dabs.results.test_changed_files import CONFIG, PROVENANCE
from tests.helpers.made_results import make, make_payload, submit
from tests.helpers.refusing import refusal

# ---- JSON that every reader refuses

JSON = {
    "not a number": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "a float too large": '{"a": 1e400}',
    "a number of 5,000 digits": '{"a": ' + "9" * 5000 + "}",
    "a number of 19 digits": '{"a": ' + "9" * (MAX_DIGITS + 1) + "}",
    "deep nesting": '{"a": ' + "[" * 100_000,
    "nesting that Python takes": '{"a": ' + "[" * 200 + "]" * 200 + "}",
    "a duplicate key": '{"a": 1, "a": 2}',
    "a duplicate key, far inside": '{"a": [{"b": {"c": 1, "c": 1}}]}',
    "half a surrogate pair": '{"a": "\\ud800"}',
    "half a surrogate pair as a key": '{"\\udc00": 1}',
    "something after it": '{"a": 1} {"a": 1}',
    "a list": "[1, 2]",
    "a word": '"' + "x" * 10_000 + '"',
    "nothing": "",
    "a mark before it": "\ufeff{}",
    "control characters": '{"a": "\x1b[2J"}',
}
READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "result": ("x.result.json", read_result),
    "submission": ("submission.json", lambda path: read_submission(path.parent)),
    "configuration": ("config.json", load_config),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("what", JSON)
def test_json_that_readers_disagree_on_is_refused(tmp_path: Path, kind: str, what: str) -> None:
    name, read = READERS[kind]
    (tmp_path / name).write_text(JSON[what], encoding="utf-8")
    refusal(lambda: read(tmp_path / name), tmp_path / name)


@pytest.mark.parametrize("kind", READERS)
def test_json_that_is_not_text_not_a_file_or_too_large_is_refused(tmp_path: Path, kind: str) -> None:
    name, read = READERS[kind]
    path = tmp_path / name
    path.write_bytes(b'{"a": "\xff\xfe"}')
    assert "UTF-8" in refusal(lambda: read(path), path)
    path.write_bytes(b"")
    os.truncate(path, 100_000_000)  # a sparse file; only its beginning is read
    assert "too large" in refusal(lambda: read(path), path)
    path.unlink()
    os.mkfifo(path)  # a reader would wait for a writer forever
    assert "plain file" in refusal(lambda: read(path), path)
    path.unlink()
    path.symlink_to("/dev/zero")  # its size is 0, but reading it never ends
    assert "plain file" in refusal(lambda: read(path), path)
    path.unlink()
    path.mkdir()
    refusal(lambda: read(path), path)


def test_a_string_of_100_mb_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "x.result.json"
    with open(path, "w") as handle:
        handle.write(json.dumps(make_payload())[:-1] + ', "extra": "')
        handle.seek(100_000_000)
        handle.write('"}')
    begun = time.perf_counter()
    assert f"at most {MAX_RESULT_BYTES:,}" in refusal(lambda: read_result(path), path)
    assert time.perf_counter() - begun < 1


def test_finding_a_duplicate_key_is_fast(tmp_path: Path) -> None:
    keys = [f'"{i}": 0' for i in range(300_000)]
    path = tmp_path / "x.result.json"
    path.write_text("{" + ", ".join([*keys, keys[-1]]) + "}")
    begun = time.perf_counter()
    assert "duplicate key '299999'" in refusal(lambda: read_result(path), path)
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("\x1b[2J", 1),
        ("two\nlines", 1),
        ("long" * 100_000, 1),
        ("\u202eright to left", 1),
        ("domain", "\x1b]0;title\x07"),
        ("score", "1" * 100_000),
    ],
)
def test_an_error_shows_at_most_a_line_of_a_file(tmp_path: Path, field: str, value: Any) -> None:
    path = tmp_path / "x.result.json"
    path.write_text(json.dumps(make_payload() | {field: value}))
    refusal(lambda: read_result(path), path)


# ---- configurations, runs, logs


@pytest.mark.parametrize(
    "change",
    [
        {"pretrain": None},
        {"pretrain": [1]},
        {"identity": "text"},
        {"format": [1]},
        {"pretrain": {**CONFIG["pretrain"], "seed": -1}},
        {"pretrain": {**CONFIG["pretrain"], "seed": True}},
        {"pretrain": {**CONFIG["pretrain"], "suite": "x" * 10_000}},
        {"pretrain": {**CONFIG["pretrain"], "lr": "1" * 100_000}},
        {"pretrain": {**CONFIG["pretrain"], "\x1b[2J": 1}},
        {"pretrain": {"domain": "toy"}},
    ],
)
def test_a_configuration_of_wrong_types_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_json(tmp_path / "config.json", CONFIG | change)
    refusal(lambda: load_config(tmp_path), tmp_path / "config.json")


@pytest.mark.parametrize("name", [*PROVENANCE, *(f"environment.{name}" for name in PROVENANCE["environment"])])
@pytest.mark.parametrize("value", [None, "gone", ["a"]])
def test_a_run_that_lacks_an_entry_is_refused(tmp_path: Path, name: str, value: Any) -> None:
    found = json.loads(json.dumps(PROVENANCE))
    *above, last = name.split(".")
    part = found[above[0]] if above else found
    if value == "gone":
        del part[last]
    else:
        part[last] = value
    write_json(tmp_path / "config.json", CONFIG)
    write_json(tmp_path / "run.json", found)
    refusal(lambda: load_run(tmp_path), tmp_path / "run.json", name)


@pytest.mark.parametrize(
    "text", [b"step,loss\n1,x\n", b"step,loss\n\xff\xfe,1\n", b"a,b\n1,2\n", b"step,loss\n1e400,1\n"]
)
def test_a_file_that_is_not_a_log_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "metrics.csv").write_bytes(text)
    refusal(lambda: loss_curve(tmp_path), tmp_path / "metrics.csv")


# ---- submissions


def test_files_of_a_submission_are_plain_and_inside_it(tmp_path: Path) -> None:
    folder = submit(tmp_path / "in" / "mine", [make()])
    load_submission(folder)
    result = next(folder.rglob("*.result.json"))
    content = result.read_bytes()
    outside = tmp_path / "secret.json"
    outside.write_bytes(content)
    result.unlink()
    result.symlink_to(outside)
    refusal(lambda: load_submission(folder), result)
    result.unlink()
    os.mkfifo(result)
    refusal(lambda: load_submission(folder), result)
    result.unlink()
    with open(result, "wb") as handle:
        os.truncate(handle.fileno(), MAX_RESULT_BYTES + 1)
    refusal(lambda: load_submission(folder), result, "too large")
    result.write_bytes(content)
    load_submission(folder)
    (folder / "results").rename(tmp_path / "results")
    (folder / "results").symlink_to(tmp_path / "results")
    refusal(lambda: load_submission(folder), "not listed")


def test_a_name_that_controls_the_terminal_is_escaped(tmp_path: Path) -> None:
    folder = submit(tmp_path / "mine", [make()])
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\x1b[2J\xe2\x80\xae")).touch()
    said = refusal(lambda: load_submission(folder), "not listed")
    assert "\\udcff\\u001b[2J\\u202e" in said


@pytest.mark.parametrize("name", ["../../x.npz", "/etc/passwd", "results/../../x.npz", "results/a/seed0/../x.npz"])
def test_a_submission_lists_no_file_outside_it(tmp_path: Path, name: str) -> None:
    folder = submit(tmp_path / "mine", [make()])
    value = read_json(folder / "submission.json")
    write_json(folder / "submission.json", {**value, "files": {**value["files"], name: "a" * 64}})
    refusal(lambda: load_submission(folder), folder / "submission.json")


@pytest.mark.parametrize("source", [b"\xff\xfe", b"a\x00b", b"(" * 5000, b"-" * 100_000 + b"1", b"x" * 1_000_001])
def test_a_source_that_cannot_be_parsed_is_a_finding(tmp_path: Path, source: bytes) -> None:
    import hashlib

    from dabs.leaderboard.cli.suite_rules import build_rules
    from dabs.leaderboard.submit.verify import KnownRows, check_submission

    folder = submit(tmp_path / "mine", [make()])
    (folder / "algorithm.py").write_bytes(source)
    digest = hashlib.sha256(source).hexdigest()
    value = read_json(folder / "submission.json")
    value["files"]["algorithm.py"] = value["algorithm"]["sha256"] = digest
    write_json(folder / "submission.json", value)
    found, _ = check_submission(folder, build_rules("lite"), KnownRows({}))
    assert any(
        "algorithm.py" in line and ("not Python" in line or "UTF-8" in line or "large" in line) for line in found
    )


# ---- prepared data


@pytest.mark.parametrize(
    "change",
    [
        {"splits": None},
        {"splits": {}},
        {"splits": {"shade/test": 3}},
        {"files": ["words.txt"]},
        {"files": {"../../escape": "a" * 64}},
        {"sources": "none"},
        {"format": {"a": 1}},
    ],
)
def test_a_manifest_of_wrong_types_is_refused(toy: Any, home: Path, change: dict[str, Any]) -> None:
    path = home / "lite/toy/manifest.json"
    write_json(path, read_json(path) | change)
    refusal(lambda: open_prepared(toy).manifest, path, "dabs data prepare")
    refusal(lambda: verify(toy), path)


def test_a_split_that_differs_from_the_manifest_is_refused(toy: Any, home: Path) -> None:
    path = home / "lite/toy/manifest.json"
    value = read_json(path)
    value["splits"]["shade/test"]["rows"] += 1
    write_json(path, value)
    refusal(lambda: open_prepared(toy, "shade").columns("test"), "test.arrow", "61")
    split = home / "lite/toy/shade/validation.arrow"
    content = bytearray(split.read_bytes())
    for start in range(0, len(content), 97):
        damaged = bytearray(content)
        damaged[start] ^= 0xFF
        split.write_bytes(bytes(damaged))
        with contextlib.suppress(DabsError):  # values may differ, which hashes detect; no other error may occur
            open_prepared(toy, "shade").columns("validation")
