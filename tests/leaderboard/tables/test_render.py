"""The table in the terminal and in Markdown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from dabs.errors import DabsError
from dabs.leaderboard.tables.aggregate import build_table
from dabs.leaderboard.tables.render import (
    best_positions,
    markdown_domains,
    markdown_tasks,
    show,
    update_between_markers,
)
from tests.helpers.made_results import make, make_suite


def shown(results: list, width: int = 100) -> str:
    out = io.StringIO()
    show(results, console=Console(file=out, width=width))
    return out.getvalue()


def test_the_terminal_shows_tasks_means_seeds_and_marks() -> None:
    text = shown(make_suite())
    lines = text.splitlines()
    header = next(line for line in lines if "domain, task" in line)
    assert header.split()[2:] == ["none", "raw", "contrastive", "emix", "shed"]
    assert next(line for line in lines if "all domains" in line).split()[-1] == "57.3"
    for part in ("  findings‡", "speech†", "76.4 ±0.3", "† synthesised data, ‡ generated data", "1 to 3 seeds"):
        assert part in text


def test_a_missing_task_shows_as_a_dash() -> None:
    text = shown([make(), make(algorithm="emix", task="side")])
    assert [line.split()[-2:] for line in text.splitlines() if "sensor" in line] == [["–", "–"]]


def test_names_never_act_as_markup() -> None:
    assert "[red]x[/red]" in shown([make(algorithm="[red]x[/red]")])
    markdown = markdown_domains(build_table([make(algorithm="a|b<script>")], "linear"))
    assert r"a\|b\<script\>" in markdown


def test_equal_looking_values_share_the_best() -> None:
    assert best_positions([0.50001, None, 0.50002, 0.4]) == {0, 2}
    assert best_positions([None]) == set()


def test_markdown_by_domain() -> None:
    lines = markdown_domains(build_table(make_suite(), "linear")).splitlines()
    assert lines[0] == "| domain | none | raw | contrastive | emix | shed |"
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: | ---: |"
    assert lines[2].startswith("| chest_xray‡ | 60.6 |")
    assert lines[2].endswith("**76.4** |")
    assert len([line for line in lines if line.startswith("|")]) == 2 + 4 + 1


def test_markdown_by_task_has_intervals() -> None:
    lines = markdown_tasks(build_table(make_suite(), "linear")).splitlines()
    assert lines[2].startswith("| chest_xray | findings‡ | auroc | 60.6 (58.5 to 62.5) |")
    assert len([line for line in lines if line.startswith("|")]) == 2 + 10


def test_text_between_markers_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- lite:begin -->\nold\n<!-- lite:end -->\nafter\n")
    assert update_between_markers(path, "lite", "new\n")
    assert path.read_text() == "before\n<!-- lite:begin -->\nnew\n<!-- lite:end -->\nafter\n"
    assert not update_between_markers(path, "lite", "new")


@pytest.mark.parametrize("text", ["", "<!-- a:begin -->", "<!-- a:end --><!-- a:begin -->", "<!-- a:begin -->" * 2])
def test_missing_or_misplaced_markers_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(DabsError, match="once each"):
        update_between_markers(path, "a", "new")
    assert path.read_text() == text


def test_text_that_contains_a_marker_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("<!-- a:begin --><!-- a:end -->")
    with pytest.raises(DabsError, match="own markers"):
        update_between_markers(path, "a", "x <!-- a:end --> y")
