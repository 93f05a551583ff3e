"""Terms are explained in place: by mouse, by touch and by keyboard, with and without JavaScript."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dabs.config import PROTOCOLS
from dabs.leaderboard.site.build import build_site
from dabs.leaderboard.site.report import build_report
from dabs.leaderboard.site.terms import TERMS
from dabs.results.entries import entries_of
from tests.helpers.browsing import CONTRAST, Visit
from tests.helpers.made_results import EVERY_ROW, make_suite

FAILED = {("shed", "sensor", 1): "the loss never fell"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = entries_of(make_suite(PROTOCOLS, gains=EVERY_ROW, failed=FAILED))
    return build_site(rows, tmp_path_factory.mktemp("terms") / "site", max_tested=6)


def test_every_button_has_its_explanation_and_every_term_a_button(site: Path, tmp_path: Path) -> None:
    report = build_report(make_suite(PROTOCOLS, gains=EVERY_ROW, failed=FAILED), tmp_path / "a.html")
    used = set()
    for page in [*site.rglob("*.html"), report]:
        text = page.read_text()
        targets = set(re.findall(r'popovertarget="([\w-]+)"', text))
        assert targets <= set(re.findall(r' id="([\w-]+)"', text)), page
        used |= targets
    assert used == {f"term-{key}" for key in TERMS}
    assert set(PROTOCOLS) <= TERMS.keys()
    assert {"interval", "seeds", "chance", "gap", "failed", "rank", "bold", "references"} <= TERMS.keys()


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("width", [390, 1280])
def test_an_explanation_opens_by_keyboard_and_by_touch(browser: Any, site: Path, scripts: bool, width: int) -> None:
    context = browser.new_context(java_script_enabled=scripts, has_touch=True, viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    shown = page.locator("#term-gap")
    button = page.locator("button[popovertarget=term-gap]:visible").first
    button.focus()
    page.keyboard.press("Enter")
    shown.wait_for(state="visible")
    assert shown.inner_text().startswith("Gap closed")
    box = shown.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.keyboard.press("Escape")
    shown.wait_for(state="hidden")
    button.tap()
    shown.wait_for(state="visible")
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_open_explanation_passes_axe(browser: Any, site: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    visit = Visit(browser, site / "index.html", width=390, scheme=scheme)
    visit.page.locator("button[popovertarget=term-rank]:visible").first.click()
    found = axe.Axe().run(visit.page).response["violations"]
    assert [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found] == []
    assert visit.page.evaluate(CONTRAST) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
def test_a_question_mark_in_a_heading_does_not_sort(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "index.html")
    heading = visit.page.locator(".view:not([hidden]) table.headline thead th").nth(1)
    heading.locator("button.term").click()
    assert heading.get_attribute("aria-sort") is None
    visit.page.keyboard.press("Escape")
    heading.locator("button:not(.term)").click()
    assert heading.get_attribute("aria-sort") == "descending"


@pytest.mark.browser
def test_sorting_and_filtering_leave_the_reference_rows_apart(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "index.html")
    visit.page.locator(".view:not([hidden]) table.headline thead th").first.locator("button:not(.term)").click()
    assert visit.column("headline", 1) == ["contrastive", "emix", "shed", "none", "raw", "summary", "supervised"]
    group = visit.page.locator(".view:not([hidden]) table.headline tr.group")
    assert group.is_visible()
    visit.page.get_by_label("Filter algorithms").fill("emix")
    assert not group.is_visible()
    visit.page.get_by_label("Filter algorithms").fill("raw")
    assert group.is_visible()
