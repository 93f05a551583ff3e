"""Entries of the leaderboard: submissions, other algorithms, and their file names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dabs.results
from dabs.errors import DabsError, RequestError
from dabs.leaderboard.cli.leaderboard import main as board
from dabs.results.entries import MAX_LINES, Entry, load_entries, read_entries, refuse_duplicate_names, slugs
from dabs.utils.files import sha256_file
from tests.helpers.browsing import HOSTILE
from tests.helpers.made_results import TUNED, make, submit, write, write_scored


def edit(folder: Path, **changes: Any) -> None:
    """Change fields of a `submission.json`."""
    path = folder / "submission.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_submission_is_an_entry_under_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "results" / "shed", [make(), make(seed=1)])
    submit(tmp_path / "submissions" / "Ours", [make(score=0.9)], authors=("A. One", "B. Two"), **TUNED)
    ours, shed = load_entries(tmp_path)
    assert (ours.name, ours.ruleset, ours.authors) == ("Ours", "tuned", "A. One, B. Two")
    assert ours.link == ours.url == "https://example.org/x"
    assert [(result.algorithm, result.score) for result in ours.results] == [("Ours", 0.9)]
    assert [one.path.name for one in ours.placed if one.path] == ["exercise.linear.result.json"]
    assert (shed.name, shed.ruleset, shed.folder, len(shed.results)) == ("shed", "fixed", None, 2)
    assert load_entries(tmp_path / "results", tmp_path / "submissions") == [ours, shed]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "x" * 10_000}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"ruleset": "mine"}, "ruleset"),
        ({"authors": []}, "authors"),
        ({"authors": "A. One"}, "authors"),
        ({"url": "javascript:alert(1)"}, "url"),
    ],
)
def test_an_invalid_submission_is_refused_with_its_file_and_field(tmp_path: Path, change: dict, word: str) -> None:
    edit(submit(tmp_path / "ours", [make()]), **change)
    with pytest.raises(DabsError, match=rf"submission\.json: {word}"):
        load_entries(tmp_path)


def test_a_submission_that_verify_refuses_is_not_an_entry(tmp_path: Path) -> None:
    folder = submit(tmp_path / "ours", [make()])
    path = next(folder.rglob("*.result.json"))
    text = path.read_text()
    path.write_text(text.replace('"score":0.71', '"score":0.72'))
    with pytest.raises(DabsError, match="was changed"):
        load_entries(tmp_path)
    path.write_text(text)
    write(folder, [make(task="side")])
    with pytest.raises(DabsError, match="not listed"):
        load_entries(tmp_path)


def test_a_submission_contains_results_of_its_own_source_only(tmp_path: Path) -> None:
    folder = submit(tmp_path / "ours", [make()])
    path = next(folder.rglob("*.result.json"))
    path.write_text(make().model_dump_json())  # of another source
    value = json.loads((folder / "submission.json").read_text())
    place = str(path.relative_to(folder))
    edit(folder, files=value["files"] | {place: sha256_file(path)})
    with pytest.raises(DabsError, match=r"its own algorithm\.py only, but contains others"):
        load_entries(tmp_path)
    path.unlink()
    edit(folder, files={"algorithm.py": value["files"]["algorithm.py"]})
    with pytest.raises(DabsError, match="contains no result files"):
        load_entries(tmp_path)


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    submit(tmp_path / "Ours", [make()])
    write(tmp_path / "b", [make(algorithm="Ours", task="side")])
    with pytest.raises(RequestError, match=r"'Ours'.*without a submission"):
        load_entries(tmp_path)
    refuse_duplicate_names([Entry(name="a", placed=()), Entry(name="b", placed=())])


def test_tables_and_exports_name_entries_and_leave_out_tuned_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "in", tmp_path / "out.csv"
    write(root / "shed", [make(), make(seed=1)])
    for name in ("mine", "yours"):  # two strangers whose classes have the same name
        submit(root / name, [make(algorithm="Mine"), make(algorithm="Mine", task="side")])
    submit(root / "slow", [make(algorithm="Mine", score=0.9)], **TUNED)
    for words in (["show"], ["build", "--out", str(tmp_path / "page.html")], ["export", "--out", str(out)]):
        board([*words, "--results", str(root)])
        said = capsys.readouterr().out
        assert said.count("left out, tuned") == 1
        assert said.count("slow") == 1
    with pytest.warns(UserWarning, match=r"left out, tuned.*: slow"):
        found = dabs.results.frame(root)
    assert list(found.algorithm) == ["mine", "shed", "shed", "yours", "mine", "yours"]
    assert out.read_text().count("\n") == 1 + len(found)
    page = (tmp_path / "page.html").read_text()
    assert "yours" in page
    assert "slow" not in page


def damage_score(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"score": 0.99}))


BREAK: dict[str, Callable[[Path], Any]] = {
    "is not valid JSON": lambda path: path.write_text(path.read_text()[:300]),
    "is not UTF-8": lambda path: path.write_bytes(b"\xff"),
    "suite: field required": lambda path: path.write_text('{"schema_version": 3}'),
    "It was written by a newer dabs": lambda path: path.write_text('{"schema_version": 4}'),
    "Version 1 says neither": lambda path: path.write_text('{"schema_version": 1}'),
    "but its predictions give 0.7": damage_score,
    "one of the two was changed": lambda path: next(path.parent.glob("*.npz")).write_bytes(b"x"),
}


@pytest.mark.parametrize("said", BREAK)
def test_a_broken_result_is_left_out_with_its_reason(tmp_path: Path, said: str) -> None:
    for seed in (0, 1):
        write_scored(tmp_path / str(seed), seed=seed)
    path = tmp_path / "0" / "exercise.linear.result.json"
    BREAK[said](path)
    reading = read_entries(tmp_path)
    assert [result.seed for entry in reading.entries for result in entry.results] == [1]
    (line,) = reading.left_out()
    assert said in line
    assert str(path) in line
    with pytest.raises(DabsError, match=said):
        load_entries(tmp_path)


def test_a_result_without_predictions_is_counted_as_unchecked(tmp_path: Path) -> None:
    write_scored(tmp_path / "a")
    assert read_entries(tmp_path).unchecked() == []
    (tmp_path / "a" / "exercise.linear.predictions.npz").unlink()
    assert read_entries(tmp_path).unchecked() == ["not checked: 1 result has no predictions to compute the score from"]
    assert read_entries(tmp_path).broken == ()


def test_many_broken_files_take_a_few_lines(tmp_path: Path) -> None:
    for number in range(MAX_LINES + 3):
        (tmp_path / f"{number}.linear.result.json").write_text("")
    lines = read_entries(tmp_path).left_out()
    assert len(lines) == MAX_LINES + 1
    assert lines[-1] == "left out: 3 more files that cannot be read"


def test_a_broken_submission_is_left_out_as_a_whole(tmp_path: Path) -> None:
    submit(tmp_path / "ours", [make()])
    submit(tmp_path / "theirs", [make(algorithm="Theirs")])
    (tmp_path / "ours" / "algorithm.py").write_text("other")
    reading = read_entries(tmp_path)
    assert [entry.name for entry in reading.entries] == ["theirs"]
    assert "algorithm.py was changed" in reading.left_out()[0]


def test_tables_of_the_rest_are_shown_and_the_exit_code_says_that_something_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scored(tmp_path / "in" / "a", algorithm="emix")
    write_scored(tmp_path / "in" / "b")
    page, csv, site = tmp_path / "page.html", tmp_path / "out.csv", tmp_path / "site"
    commands = (["show"], ["build", "--out", str(page)], ["build", "--out", str(site)], ["export", "--out", str(csv)])
    for broken in (False, True):
        if broken:
            damage_score(tmp_path / "in" / "a" / "exercise.linear.result.json")
        for words in commands:
            assert board([*words, "--results", str(tmp_path / "in")]) == int(broken)
            said = capsys.readouterr().out
            assert said.count("left out: ") == int(broken)
            assert said.count("but its predictions give") == int(broken)
    assert "70.0" in page.read_text()
    assert "99.0" not in page.read_text()
    assert csv.read_text().count("\n") == 1 + 1
    with pytest.warns(UserWarning, match="left out: .*but its predictions give"):
        assert list(dabs.results.frame(tmp_path / "in").algorithm) == ["shed"]


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://example.org/a?b=c", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ('https://example.org/"><script>', False),
        ("//example.org", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_linked(url: str, linked: bool) -> None:
    assert Entry(name="a", placed=(), url=url).link == (url if linked else "")


@given(st.lists(st.text(min_size=1, max_size=80), unique=True))
def test_file_names_are_plain_and_unique(names: list[str]) -> None:
    found = slugs([*names, "shed", "Shed", "../../etc", HOSTILE])
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", slug) and len(slug) <= 49 for slug in found.values())
    assert len(set(found.values())) == len(found)
    assert found["shed"] == "shed"
    taken = slugs(["Shed"])["Shed"]
    assert slugs(["Shed", taken])[taken] != taken
