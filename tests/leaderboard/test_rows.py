"""Rows of the leaderboard: submissions and other algorithms, and their file names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.errors import DabsError, RequestError
from leaderboard.rows import Row, load_rows, refuse_twins, slugs
from leaderboard.schema import Result
from tests.leaderboard.browsing import HOSTILE
from tests.leaderboard.conftest import make

CARD = {"name": "Ours", "authors": ["A. One", "B. Two"], "url": "https://example.org/x", "ruleset": "tuned"}


def write(folder: Path, results: list[Result], card: dict[str, Any] | None = None) -> Path:
    """Result files as a run leaves them, and the submission's own file."""
    for result in results:
        place = folder / result.domain / f"seed{result.seed}" / "results"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{result.task}.{result.protocol}.result.json").write_text(result.model_dump_json())
    if card:
        (folder / "submission.json").write_text(json.dumps(card))
    return folder


def test_a_submission_is_a_row_of_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "results" / "shed", [make(), make(seed=1)])
    write(tmp_path / "submissions" / "ours", [make(score=0.9)], CARD)
    ours, shed = load_rows(tmp_path)
    assert (ours.name, ours.ruleset, ours.authors, ours.url) == ("Ours", "tuned", "A. One, B. Two", CARD["url"])
    assert [result.algorithm for result in ours.labelled()] == ["Ours"]
    assert [result.algorithm for result in ours.results] == ["shed"]
    assert (shed.name, shed.ruleset, shed.folder, len(shed.results)) == ("shed", "fixed", None, 2)
    assert load_rows(tmp_path / "results", tmp_path / "submissions") == [ours, shed]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "x" * 10_000}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"ruleset": "mine"}, "ruleset"),
        ({"authors": []}, "authors"),
        ({"url": "x" * 10_000}, "url"),
    ],
)
def test_an_impossible_submission_is_refused_by_file_and_field(tmp_path: Path, change: dict, word: str) -> None:
    write(tmp_path / "ours", [make()], CARD | change)
    with pytest.raises(DabsError, match=rf"submission\.json: {word}"):
        load_rows(tmp_path)


def test_a_submission_holds_one_algorithm(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    write(tmp_path / "ours", [], CARD)
    with pytest.raises(DabsError, match="holds 0"):
        load_rows(tmp_path)
    write(tmp_path / "ours", [make(), make(algorithm="emix", task="side")])
    with pytest.raises(DabsError, match=r"holds 2 \(emix, shed\)"):
        load_rows(tmp_path)


def test_two_rows_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", [make()], CARD)
    write(tmp_path / "b", [make(algorithm="Ours", task="side")])
    with pytest.raises(RequestError, match=r"'Ours'.*without a submission"):
        load_rows(tmp_path)
    refuse_twins([Row(name="a", placed=()), Row(name="b", placed=())])


@pytest.mark.parametrize(
    ("url", "led"),
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
def test_only_web_addresses_are_led_to(url: str, led: bool) -> None:
    assert Row(name="a", placed=(), url=url).link == (url if led else "")


@given(st.lists(st.text(min_size=1, max_size=80), unique=True))
def test_file_names_are_plain_and_apart(names: list[str]) -> None:
    found = slugs([*names, "shed", "Shed", "../../etc", HOSTILE])
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", slug) and len(slug) <= 49 for slug in found.values())
    assert len(set(found.values())) == len(found)
    assert found["shed"] == "shed"
    taken = slugs(["Shed"])["Shed"]
    assert slugs(["Shed", taken])[taken] != taken
