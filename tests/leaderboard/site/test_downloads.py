"""Downloads: every table as CSV and LaTeX, every figure as SVG, and BibTeX; in the report as data."""

from __future__ import annotations

import base64
import csv
import html
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from dabs.leaderboard.site.build import build_site
from dabs.leaderboard.site.downloads import File, Sheet, SheetLine, Value, escape_latex, to_csv, to_latex
from dabs.leaderboard.site.report import build_report
from dabs.leaderboard.site.sheets import overall_sheet, task_sheet
from dabs.leaderboard.tables.aggregate import build_table
from dabs.results.entries import entries_of
from tests.helpers.browsing import HOSTILE, Visit
from tests.helpers.made_results import EVERY_ROW, make_suite

COSTS = ("SVG", "CSV", "LaTeX")  # of one figure of cost
FAILED = {("shed", "sensor", 1): "the loss never fell"}


def parse_latex(text: str) -> list[list[str]]:
    """Return the rows of a tabular; check its braces, environments and numbers of columns on the way."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    depth = 0
    for before, letter in zip(" " + body, body, strict=False):
        depth += (letter == "{") - (letter == "}") if before != "\\" else 0
        assert depth >= 0
    assert depth == 0
    found = re.fullmatch(r"\\begin\{tabular\}\{([lr]+)\}\n\\toprule\n(.*)\\bottomrule\n\\end\{tabular\}\n?", body, re.S)
    assert found, body
    rows = []
    for line in found[2].splitlines():
        if line == "\\midrule":
            continue
        assert line.endswith(r" \\"), line
        cells = re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))
        if cells[0].startswith("\\multicolumn"):
            assert cells[0].startswith(f"\\multicolumn{{{len(found[1])}}}")
        else:
            assert len(cells) == len(found[1])
        rows.append(cells)
    return rows


def check(name: str, text: str) -> None:
    """Parse a file by its ending."""
    ending = name.rpartition(".")[2]
    if ending == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) > 1, name
        assert {len(row) for row in rows} == {len(rows[0])}, name
        assert len(set(rows[0])) == len(rows[0]), name
    elif ending == "tex":
        assert len(parse_latex(text)) > 1, name
    elif ending == "svg":
        assert ET.fromstring(text).tag.endswith("svg")
    else:
        assert ending == "bib", name
        assert text.startswith("@")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = entries_of(make_suite(gains=EVERY_ROW, failed=FAILED))
    return build_site(rows, tmp_path_factory.mktemp("downloads") / "site", max_tested=2)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(make_suite(gains=EVERY_ROW, failed=FAILED), tmp_path_factory.mktemp("downloads") / "a.html")


def test_every_file_of_the_site_parses_and_is_linked(site: Path) -> None:
    linked = set()
    for page in site.rglob("*.html"):
        for name, href in re.findall(r'<a download="([^"]*)" href="([^"]*)"', page.read_text()):
            target = (page.parent / html.unescape(href)).resolve()
            assert target.name == name
            linked.add(target)
    files = set((site / "downloads").iterdir())
    assert linked == {file.resolve() for file in files}
    for file in files:
        check(file.name, file.read_text(encoding="utf-8"))
    assert {file.suffix for file in files} == {".csv", ".tex", ".svg", ".bib"}


@pytest.mark.parametrize(
    ("page", "kinds"),
    [
        ("index", ["SVG", "CSV", "LaTeX", "BibTeX", "SVG", *COSTS, *COSTS] * 2),
        ("domains/sensor", ["CSV", "LaTeX", "BibTeX", "SVG", *COSTS, *COSTS] * 2 + ["SVG"]),
        ("tasks/sensor.side", ["CSV", "LaTeX", "BibTeX", "SVG", "CSV", "LaTeX"]),
        ("algorithms/shed", ["CSV", "LaTeX", "BibTeX", "CSV", "LaTeX", "SVG", "CSV", "LaTeX"]),
    ],
)
def test_each_table_and_figure_has_its_downloads(site: Path, page: str, kinds: list[str]) -> None:
    text = (site / f"{page}.html").read_text()
    assert re.findall(r'<a download="[^"]*" href="[^"]*">(\w+)<span', text) == kinds


def test_the_report_carries_its_files(report: Path) -> None:
    found = re.findall(r'<a download="([^"]*)" href="data:[\w/+-]+;base64,([^"]*)"', report.read_text())
    assert len(found) > 15
    for name, coded in found:
        check(name, base64.b64decode(coded).decode())


@pytest.mark.browser
def test_a_file_is_downloaded_from_the_report_without_a_request(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    link = visit.page.locator(".view:visible .downloads a", has_text="CSV").first
    with visit.page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "lite.fixed.linear.csv"
    check("a.csv", Path(download.value.path()).read_text())
    assert visit.problems == []
    assert [url for url in visit.requests if not url.startswith("data:")] == [report.as_uri()]


def test_a_sheet_has_the_numbers_of_the_table() -> None:
    table = build_table(make_suite(gains=EVERY_ROW, failed=FAILED), "linear")
    rows = list(csv.DictReader(io.StringIO(to_csv(overall_sheet(table)))))
    assert [row["algorithm"] for row in rows] == ["shed", "emix", "contrastive", "none", "raw", "summary", "supervised"]
    assert [row["rank"] for row in rows] == ["1", "2–3", "2–3", "", "", "", ""]
    assert [row["reference"] for row in rows] == ["no"] * 3 + ["yes"] * 4
    assert rows[0]["did not learn"] == "all domains; sensor"
    for row in rows:
        assert float(row["all domains"]) == table.overall(row["algorithm"])
        assert (float(row["sensor low"]), float(row["sensor high"])) == table.domain_interval(
            row["algorithm"], "sensor"
        )


def test_latex_sets_reference_rows_apart_and_bold_only_what_stands_out() -> None:
    table = build_table(make_suite(gains=EVERY_ROW, failed=FAILED), "linear")
    rows = parse_latex(to_latex(overall_sheet(table)))
    assert [row[0] for row in rows[1:4]] == ["shed", "emix", "contrastive"]
    assert "Reference rows, not ranked" in rows[4][0]
    bold = {(row[0], rows[0][i]) for row in rows for i, cell in enumerate(row) if "\\textbf" in cell}
    assert ("shed", "all domains") in bold
    assert {name for name, _ in bold} == {"shed"}
    assert "$^{\\times}$" in rows[1][2]
    task = parse_latex(to_latex(task_sheet([table], "sensor", "side")))
    assert len(task) == 1 + 3 + 1 + 4


def test_hostile_names_stay_text() -> None:
    names = [
        HOSTILE,
        "a & b_c $x$ 50% #1 {y} ~ ^ \\input{secret}",
        "=HYPERLINK(1)",
        "a\n% b\r\\\\ c",
        '"quoted", twice',
    ]
    lines = tuple(SheetLine(texts=(name, "1"), values=(Value(value=0.5, ends=(0.4, 0.6)),)) for name in names)
    sheet = Sheet(name="x", caption="a\n\\end{tabular}", texts=("algorithm", "rank"), values=("score",), lines=lines)
    rows = list(csv.reader(io.StringIO(to_csv(sheet))))
    assert [row[0] for row in rows[1:]] == [names[0], names[1], f"'{names[2]}", names[3], names[4]]
    assert len(parse_latex(to_latex(sheet))) == 1 + len(names)
    assert escape_latex(r"\input{x}") == r"\textbackslash{}input\{x\}"


def test_a_data_url_holds_the_file() -> None:
    url = File(name="a.csv", text="ü,1\n").data_url
    assert base64.b64decode(url.removeprefix("data:text/csv;base64,")).decode() == "ü,1\n"
