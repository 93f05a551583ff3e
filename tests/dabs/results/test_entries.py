"""Entries of the leaderboard: submissions, other algorithms, and their file names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dabs.results
from dabs.errors import DabsError, RequestError
from dabs.leaderboard.cli.leaderboard import main as board
from dabs.results.entries import Entry, load_entries, refuse_duplicate_names, slugs
from dabs.utils.files import sha256_file
from tests.helpers.browsing import HOSTILE
from tests.helpers.made_results import TUNED, make, submit, write


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
