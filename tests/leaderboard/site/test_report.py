"""The report: its content, and its behaviour in a browser."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dabs.config import PROTOCOLS
from dabs.errors import RequestError
from dabs.leaderboard.site.report import build_report
from tests.helpers.browsing import CONTRAST, HOSTILE, IMAGE, Visit
from tests.helpers.made_results import EVERY_ROW, altered, make, make_suite

FAILED = {("shed", "sensor", 1): "the loss never fell"}


def test_the_report_explains_reference_rows_and_what_did_not_learn(tmp_path: Path) -> None:
    html = build_report(make_suite(gains=EVERY_ROW, failed=FAILED), tmp_path / "a.html").read_text()
    failure = "✗ did not learn: shed on sensor (1 of 3 seeds: the loss never fell)."
    assert html.count(failure) == 2 * 2, "below both tables of both protocols"
    assert "<dt><em>summary</em></dt>" in html
    assert "of gap</small>" in html
    plain = build_report(make_suite(), tmp_path / "b.html").read_text()
    assert "of gap" not in plain
    assert "<dt><em>supervised</em></dt>" not in plain
    assert plain.count("did not learn") == 1, "the explanation of the term, and no run"


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    first = build_report(make_suite(), tmp_path / "new" / "a.html")
    second = build_report(make_suite()[::-1], tmp_path / "b.html")
    assert first.read_bytes() == second.read_bytes()


def test_nothing_is_fetched_from_anywhere(tmp_path: Path) -> None:
    html = build_report(make_suite(), tmp_path / "a.html").read_text()
    assert "default-src &#39;none&#39;; style-src" in html
    assert not re.findall(r"https?://|@import|url\(|<link|<img| src=", html)


def test_with_one_seed_the_page_says_that_the_spread_is_unknown(tmp_path: Path) -> None:
    words = "with one seed the spread is unknown and every excess counts"
    alone = [make(algorithm="none", score=0.5), make(algorithm="emix", score=0.6)]
    assert words in build_report(alone, tmp_path / "a.html").read_text()
    assert words not in build_report(make_suite(), tmp_path / "a.html").read_text()


def test_no_results_and_mixed_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no results"):
        build_report([], tmp_path / "a.html")
    with pytest.raises(RequestError, match="suite"):
        build_report([make(), altered("suite", "paper", algorithm="emix")], tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_odd_but_valid_results_still_make_a_page(tmp_path: Path) -> None:
    single = [make(algorithm="raw", score=0.0)]
    many = [make(algorithm=f"algorithm_{i}", score=0.5) for i in range(20)]
    flat = [altered("pretraining.curve", [[0, 1.0], [600, 1.0]])]
    for results in (single, many, flat):
        assert build_report(results, tmp_path / "a.html").stat().st_size > 10_000
    build_report([make()], tmp_path / "a.html", {"sensor": ["exercise", "side"], "speech": ["word"]})


def test_the_package_needs_no_torch() -> None:
    code = "import sys, dabs.leaderboard.site.report\nprint(any(n.startswith('torch') for n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(
        make_suite(PROTOCOLS, gains=EVERY_ROW, failed=FAILED), tmp_path_factory.mktemp("report") / "report.html"
    )


@pytest.mark.browser
def test_the_page_opens_without_errors_or_requests(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    assert visit.problems == []
    assert visit.requests == [report.as_uri()]
    assert visit.column("headline", 1) == ["shed", "emix", "contrastive", "none", "raw", "summary", "supervised"]


@pytest.mark.browser
def test_headings_sort_by_click_and_by_keyboard(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    heading = visit.page.locator(".view:not([hidden]) table.tasks thead tr:last-child th").nth(8)
    heading.locator("button:not(.term)").click()
    scores = [float(text) for text in visit.column("tasks", 9)]
    assert scores == sorted(scores, reverse=True)
    assert heading.get_attribute("aria-sort") == "descending"
    heading.locator("button:not(.term)").focus()
    visit.page.keyboard.press("Enter")
    assert [float(text) for text in visit.column("tasks", 9)] == sorted(scores)
    assert heading.get_attribute("aria-sort") == "ascending"
    assert visit.page.locator(".view:not([hidden]) table.tasks th[aria-sort]").count() == 1


@pytest.mark.browser
def test_missing_values_stay_last_in_both_directions(browser: Any, tmp_path: Path) -> None:
    results = [make(algorithm="none", task=task) for task in ("exercise", "side", "third")]
    results += [make(task="exercise", score=0.2), make(task="side", score=0.6)]
    visit = Visit(browser, build_report(results, tmp_path / "a.html"))
    button = visit.page.locator("table.tasks thead tr:last-child th").nth(4).locator("button:not(.term)")
    for expected in (["60.0", "20.0", "–"], ["20.0", "60.0", "–"]):
        button.click()
        assert visit.column("tasks", 5) == expected


@pytest.mark.browser
def test_the_protocol_is_chosen(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    assert visit.page.locator(".view:visible").get_attribute("data-protocol") == "linear"
    visit.page.locator("#protocols").get_by_text("Fine-tuning", exact=True).click()
    assert visit.page.locator(".view:visible").get_attribute("data-protocol") == "finetune"
    visit.page.keyboard.press("ArrowLeft")
    assert visit.page.locator(".view:visible").get_attribute("data-protocol") == "linear_tokens"


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_the_page_never_scrolls_sideways(browser: Any, report: Path, width: int) -> None:
    visit = Visit(browser, report, width=width)
    visit.open_details()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.locator(".scroll:visible").count() >= 4


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_schemes(browser: Any, report: Path, scheme: str) -> None:
    visit = Visit(browser, report, scheme=scheme)
    visit.open_details()
    assert visit.page.evaluate(CONTRAST) == []


@pytest.mark.browser
def test_the_colours_follow_the_system_and_the_button(browser: Any, report: Path) -> None:
    def page_colour(visit: Visit) -> str:
        return str(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light, dark = Visit(browser, report), Visit(browser, report, scheme="dark")
    colours = page_colour(light), page_colour(dark)
    assert colours[0] != colours[1]
    for visit in (light, dark):
        visit.page.locator("#theme").click()
    assert (page_colour(dark), page_colour(light)) == colours


@pytest.mark.browser
def test_hostile_names_are_inert(browser: Any, tmp_path: Path) -> None:
    results = make_suite(names={"shed": HOSTILE, "emix": IMAGE})
    results += [altered("environment.processor", HOSTILE, algorithm=IMAGE, task="other")]
    visit = Visit(browser, build_report(results, tmp_path / "a.html"), width=360)
    assert visit.page.evaluate("window.broken === undefined")
    assert visit.problems == []
    assert visit.page.locator("img").count() == 0
    assert visit.page.locator("script").count() == 1
    assert HOSTILE in visit.column("headline", 1)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
