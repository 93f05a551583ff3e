"""Ranks and bold cells on pages: ties are shown, reference rows have none, and nothing bold overlaps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dabs.evaluation.reference_rows import REFERENCES, SUPERVISED
from dabs.leaderboard.compare.ranks import rank_entries
from dabs.leaderboard.site.build import build_site
from dabs.leaderboard.site.report import build_report
from dabs.leaderboard.tables.aggregate import build_table
from dabs.leaderboard.tables.ranking import column_ranks
from dabs.results.entries import entries_of
from tests.helpers.made_results import EVERY_ROW, SUITE, make_suite

RESULTS = make_suite(gains=EVERY_ROW)
NUMBER = r"-?\d+\.\d"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(entries_of(RESULTS), tmp_path_factory.mktemp("ranks") / "site", max_tested=2)


def read_tables(page: Path) -> list[dict[str, list[str]]]:
    """Return each table of rows: name -> its cells as HTML, the rank first."""
    found = []
    for table in re.findall(r"<table.*?</table>", page.read_text(), re.S):
        rows = re.findall(r"<tr[^>]*>\s*<th scope=\"row\">.*?<bdi>(.*?)</bdi>(.*?)</tr>", table, re.S)
        if rows:
            found.append({name: re.findall(r"<td.*?</td>", cells, re.S) for name, cells in rows})
    return found


@pytest.mark.parametrize("page", ["index", "domains/sensor", "domains/english_text", "tasks/sensor.side"])
def test_nothing_bold_overlaps_with_another_row(site: Path, page: str) -> None:
    tables, bold = read_tables(site / f"{page}.html"), 0
    for table in tables:
        for column in zip(*table.values(), strict=True):
            ends = {}
            for name, cell in zip(table, column, strict=True):
                shown = re.search(rf"<small>({NUMBER}) to ({NUMBER})</small>", cell)
                if shown:
                    ends[name] = (float(shown[1]), float(shown[2]))
            for name, cell in zip(table, column, strict=True):
                if 'class="number best' in cell:
                    bold += 1
                    assert name not in REFERENCES
                    others = [high for other, (_, high) in ends.items() if other not in (name, SUPERVISED)]
                    assert all(ends[name][0] > high for high in others), (page, name)
    assert tables
    assert bold or page != "index"


def test_ranks_are_those_of_the_intervals(site: Path, tmp_path: Path) -> None:
    table = build_table(RESULTS, "linear")
    report = build_report(RESULTS, tmp_path / "a.html")
    pages = [
        (site / "index.html", (None, None)),
        (site / "domains/sensor.html", ("sensor", None)),
        (site / "tasks/sensor.side.html", ("sensor", "side")),
        (report, (None, None)),
    ]
    for page, place in pages:
        ranks = column_ranks(table, *place)
        shown = {name: re.sub(r"<[^>]*>", "", cells[0]) for name, cells in read_tables(page)[0].items()}
        assert shown == {name: str(ranks.get(name, "–")) for name in table.algorithms}, page
        assert list(shown)[-4:] == list(REFERENCES), "the reference rows are the last group"


def test_the_rules_stand_beside_the_tables(site: Path) -> None:
    for page in ("index", "domains/sensor", "tasks/sensor.side"):
        text = " ".join(re.sub(r"<[^>]*>", " ", (site / f"{page}.html").read_text()).split())
        assert "Algorithms whose intervals overlap share ranks: 1–2 means first or second" in text
        assert "Bold marks an algorithm whose interval lies above those of all other rows but supervised" in text
        assert "Reference rows, not ranked" in text


def test_tested_ranks_have_a_column_of_their_own(tmp_path: Path) -> None:
    results = make_suite(("linear",), gains=EVERY_ROW)
    rows = entries_of(results)
    tested = rank_entries(rows, build_table(results, "linear"))
    assert set(tested) == {None, *SUITE}
    report = build_report(results, tmp_path / "a.html", tested={"linear": tested})
    site = build_site(rows, tmp_path / "site")
    places = [(report, None), (site / "index.html", None), (site / "domains/sensor.html", "sensor")]
    for page, domain in places:
        shown = {name: re.sub(r"<[^>]*>", "", cells[1]) for name, cells in read_tables(page)[0].items()}
        assert shown == {name: str(tested[domain].get(name, "–")) for name in EVERY_ROW}, page
        assert "Tested ranks: 1 and the number of algorithms that are better" in page.read_text()
    assert "algorithm,rank,tested rank,reference," in (site / "downloads/lite.fixed.linear.csv").read_text()
    without = build_report(results, tmp_path / "b.html")
    assert len(read_tables(without)[0]["shed"]) == len(read_tables(report)[0]["shed"]) - 1


def test_rows_that_were_not_tested_have_no_tested_rank(tmp_path: Path) -> None:
    site = build_site(entries_of(make_suite(("linear",))), tmp_path / "site", max_tested=4)
    cells = {name: re.sub(r"<[^>]*>", "", row[1]) for name, row in read_tables(site / "index.html")[0].items()}
    assert cells == {"shed": "1", "emix": "2", "contrastive": "–", "none": "–", "raw": "–"}
    assert "Of 3 algorithms, 2 were tested." in (site / "index.html").read_text()
