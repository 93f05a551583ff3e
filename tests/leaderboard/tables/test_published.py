"""Published numbers: validated, linked to their source, and separate from results."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from dabs.cli import main
from dabs.errors import DabsError
from dabs.leaderboard.site.report import build_report
from dabs.leaderboard.tables.aggregate import build_table
from dabs.leaderboard.tables.published import FILE, load_published
from dabs.registry import find_domain
from tests.helpers.made_results import altered, make, write

PAPER = {"domain": "natural_images", "task": "cifar10"}


def test_every_row_names_a_task_of_the_suite_and_its_source():
    published = load_published("paper")
    assert len(published.rows) == 20
    assert published.algorithms == ("none", "emix", "shed")
    assert {row.domain for row in published.rows} == {
        "natural_images", "sensor", "english_text", "multilingual_text", "speech", "chest_xray", "captioned_images",
    }  # fmt: skip
    for row in published.rows:
        domain = find_domain(row.domain, "paper")
        if row.task != "*":
            domain.task(row.task)
        assert str(published.source(row).url) == "https://arxiv.org/abs/2111.12062"
        assert published.source(row).seeds == 1


def test_other_suites_have_none():
    assert load_published("lite") is None
    assert load_published("paper32") is None  # other inputs than the paper's


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("rows", 0, "source"), "nobody", "names the source 'nobody'"),
        (("rows", 0, "percent"), {"none": 1.0}, "CIFAR-10 has numbers for|not for"),
        (("rows", 0, "percent", "none"), 240.0, "less than or equal to 100"),
        (("rows", 1, "task"), "cifar10", "duplicate task"),
        (("rows", 0, "note"), "x", "Extra inputs"),
        (("sources", 0, "url"), "arxiv", "valid URL"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, path, value, said):
    whole = json.loads(FILE.read_text(encoding="utf-8"))
    part = whole
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    (tmp_path / "published.json").write_text(json.dumps(whole))
    with pytest.raises(DabsError, match=said):
        load_published("paper", tmp_path / "published.json")


def test_the_report_shows_them_separately_with_a_link(tmp_path):
    result = altered("suite", "paper", **PAPER)
    html = build_report([result], tmp_path / "a.html").read_text()
    assert html.count('href="https://arxiv.org/abs/2111.12062"') == 21
    assert "not re-run here" in html
    before, _, after = html.partition('id="published"')
    assert "39.43" not in before  # e-Mix on CIFAR-10 is in none of our tables
    assert "39.43" in after
    lite = build_report([make()], tmp_path / "b.html").read_text()
    assert 'id="published"' not in lite


def test_no_mean_includes_them():
    table = build_table([altered("suite", "paper", **PAPER)], "linear")
    assert table.algorithms == (make().algorithm,)
    assert len(table.cells) == 1


def call(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    return int(stop.value.code or 0)


def test_the_command_line_shows_them_with_and_without_results(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    assert call("leaderboard", "show", "--suite", "paper") == 0
    out = capsys.readouterr().out
    assert "no results of the paper suite" in out
    assert "natural_images, CIFAR-10" in out
    assert "arxiv.org/abs/2111.12062" in out
    write(tmp_path / "runs" / "paper", [altered("suite", "paper", **PAPER)])
    write(tmp_path / "runs" / "lite", [make()])
    assert call("leaderboard", "show", "--suite", "paper") == 0
    out = capsys.readouterr().out
    assert "Reader: linear probe on mean-pooled features; paper suite" in out
    assert "published, not re-run" in out
    assert call("leaderboard", "show", "--suite", "lite") == 0
    assert "published" not in capsys.readouterr().out
    assert call("leaderboard", "build", "--suite", "paper") == 0
    assert "Published numbers" in (tmp_path / "report.html").read_text()
    assert call("leaderboard", "show", "--suite", "paper", "--results", "nowhere") == 1


def test_the_given_console_is_used():
    from dabs.leaderboard.tables.published import show_published

    buffer = io.StringIO()
    show_published(load_published("paper"), Console(file=buffer, width=200))
    assert "88.69" in buffer.getvalue()
