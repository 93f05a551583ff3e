"""The figure of a comparison: its numbers are the comparison's and the tables', as SVG and as PDF; no other formats."""

from __future__ import annotations

import contextlib
import itertools
import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import pytest

from dabs.cli import dispatch
from dabs.errors import RequestError
from dabs.leaderboard.compare.contestants import Contestant, load_contestants
from dabs.leaderboard.compare.model import Comparison
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.site.comparison_figure import (
    DIFFERENCES,
    SCORES,
    ComparisonPlot,
    layout_comparison,
    write_comparison,
)
from dabs.leaderboard.tables.aggregate import build_table
from tests.helpers.made_results import make, make_suite, write

SVG = "{http://www.w3.org/2000/svg}"
FAILED = {("emix", "sensor", 1): "it fell"}
Compared = tuple[Comparison, list[Contestant]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("figure")
    for result in make_suite(("linear",), failed=FAILED):
        write(root / result.algorithm, [result])
    return root


@pytest.fixture(scope="module")
def compared(folder: Path) -> Compared:
    contestants = load_contestants([str(folder)], "linear", ("shed", "emix"))
    return compare_contestants(contestants, resamples=300), contestants


def value_at(x: float, ticks: tuple[tuple[float, str], ...]) -> float:
    """Return the value in points at a place, by the ticks of the axis."""
    (first, low), *_, (last, high) = [(place, float(text.replace("−", "-"))) for place, text in ticks]
    return low + (high - low) * (x - first) / (last - first)


def test_marks_are_the_means_and_intervals_of_the_table(compared: Compared) -> None:
    plot = layout_comparison(*compared)
    table = build_table([result for one in compared[1] for result in one.results], "linear")
    assert [row.name for row in plot.rows] == [
        "chest_xray", "english_text", "sensor✗", "speech", "all domains✗",
    ]  # fmt: skip
    for row in plot.rows:
        domain = row.name.strip("✗")
        for name, one in zip(("shed", "emix"), row.sides, strict=True):
            whole = domain == "all domains"
            mean = table.overall(name) if whole else table.domain_mean(name, domain)
            ends = table.overall_interval(name) if whole else table.domain_interval(name, domain)
            assert mean is not None
            assert ends is not None
            for x, expected in ((one.x, mean), (one.low, ends[0]), (one.high, ends[1])):
                assert SCORES[0] <= x <= SCORES[1]
                assert value_at(x, plot.score_ticks) == pytest.approx(100 * expected, abs=0.05)
            assert one.failed == (name == "emix" and domain in ("sensor", "all domains"))


def test_differences_are_the_comparisons(compared: Compared) -> None:
    plot, pair = layout_comparison(*compared), compared[0].pairs[0]
    for row, one in zip(plot.rows, (*pair.domains, pair.overall), strict=True):
        assert one.difference is not None
        ends = (one.difference.value, one.difference.low or 0.0, one.difference.high or 0.0)
        for x, expected in zip(row.difference, ends, strict=True):
            assert value_at(x, plot.difference_ticks) == pytest.approx(100 * expected, abs=0.05)
        assert row.text.startswith(f"{100 * one.difference.value:+.1f}".replace("-", "−"))
        assert all(DIFFERENCES[0] <= x <= DIFFERENCES[1] for x in row.difference)
    assert value_at(plot.zero, plot.difference_ticks) == pytest.approx(0, abs=0.05)


def test_rows_and_words_do_not_overlap_and_say_everything(compared: Compared) -> None:
    plot: ComparisonPlot = layout_comparison(*compared)
    heights = [row.y for row in plot.rows]
    assert all(b - a >= 30 for a, b in itertools.pairwise(heights))
    assert all(row.text in plot.words for row in plot.rows)
    assert "A is shed, B is emix" in plot.words


def test_the_command_writes_a_file_of_its_own(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "a figure.svg"
    words = ["compare", str(folder), "--algorithms", "shed", "emix", "--resamples", "300", "--figure", str(out)]
    assert dispatch(words) == 0
    assert "By domain" in capsys.readouterr().out, "the tables are printed as well"
    root = ET.fromstring(out.read_text())
    assert root.findtext(f"{SVG}title") == "shed and emix: lite suite, linear probe"
    assert "emix did not learn on sensor" in " ".join(element.text or "" for element in root.iter(f"{SVG}text"))
    assert "var(" not in out.read_text()


@pytest.mark.parametrize("name", ["out.png", "out"])
def test_other_formats_are_refused_before_any_work(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"--figure writes \.svg and \.pdf, not out.*Name it out\.svg or out\.pdf"):
        dispatch(["compare", "nowhere", "--figure", str(tmp_path / name)])


def test_a_pdf_says_what_it_needs_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dabs.leaderboard.site.pdf.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'dabs\[pdf\]'"):
        dispatch(["compare", "nowhere", "--figure", str(tmp_path / "out.pdf")])


def test_the_command_writes_a_pdf_with_its_fonts(compared: Compared, tmp_path: Path) -> None:
    pytest.importorskip("typst", reason="needs pip install 'dabs[pdf]'")
    out = tmp_path / "a figure.pdf"
    write_comparison(*compared, out)
    content = out.read_bytes()
    assert content.startswith(b"%PDF-")
    fonts = {name.decode() for name in re.findall(rb"/FontName ?/[A-Z]{6}\+(\w+)", unpacked(content))}
    assert fonts == {"NewCMMath"}, "one font has every sign"
    assert b"/FontFile" in unpacked(content), "and is embedded"
    write_comparison(*compared, out)
    assert out.read_bytes() == content, "the same comparison has the same bytes"


def unpacked(pdf: bytes) -> bytes:
    """The objects of a PDF, those in compressed streams included."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    found = [pdf]
    for stream in streams:
        with contextlib.suppress(zlib.error):
            found.append(zlib.decompress(stream))
    return b"\n".join(found)


def test_more_than_two_and_nothing_to_draw_are_refused(folder: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "a.svg")
    with pytest.raises(RequestError, match=r"--figure draws two sides, not 3 \(none, emix, shed\)"):
        dispatch(
            ["compare", str(folder), "--algorithms", "none", "emix", "shed", "--resamples", "300", "--figure", out]
        )
    for name, tasks in (("a", ("exercise", "side")), ("b", ("exercise",))):
        write(tmp_path / name, [make(algorithm=name, task=task) for task in tasks])
    with pytest.raises(RequestError, match="no domain has all of its tasks on both sides"):
        dispatch(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--resamples", "300", "--figure", out])
    assert not Path(out).exists()
