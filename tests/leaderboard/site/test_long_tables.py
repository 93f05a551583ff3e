"""Long tables: pages hold the best rows; sorting and filtering cover the rest."""

from __future__ import annotations

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from dabs.leaderboard.site.build import build_site
from dabs.leaderboard.site.long_tables import MAX_ROWS
from dabs.results.entries import entries_of
from tests.helpers.browsing import CONTRAST, HOSTILE, IMAGE, Visit
from tests.helpers.made_results import make

COUNT = 130
CELLS = [("sensor", "exercise"), ("sensor", "side"), ("speech", "word")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose rows rank in reverse on one task; two rows far down have hostile names."""
    results = []
    for i in range(COUNT):
        name = {100: HOSTILE, 110: IMAGE}.get(i, f"row {i:03}")
        for domain, task in CELLS:
            score = 0.9 - i / 1000 if task != "side" else 0.5 + i / 1000
            results.append(make(algorithm=name, domain=domain, task=task, score=score))
            results.append(make(algorithm=name, domain=domain, task=task, score=score, protocol="knn"))
    results += [make(algorithm="none", domain=domain, task=task, score=0.1) for domain, task in CELLS]
    return build_site(entries_of(results), tmp_path_factory.mktemp("long") / "site", max_tested=4)


def read_rest(site: Path, name: str) -> dict[str, str]:
    """Return the rows in a page's rest script, by table."""
    text = (site / "rest" / f"{name}.js").read_text()
    found: dict[str, str] = json.loads(text.removeprefix("dabs.rest(").removesuffix(");\n"))
    return found


@pytest.mark.parametrize(("page", "tables"), [("index", 2), ("domains/sensor", 2), ("tasks/sensor.side", 1)])
def test_a_page_holds_the_best_rows_and_its_script_the_rest(site: Path, page: str, tables: int) -> None:
    text, rest = (site / f"{page}.html").read_text(), read_rest(site, page.replace("/", "."))
    bodies = [body for body in re.findall(r"<table.*?</table>", text, re.S) if "<bdi>" in body]
    assert len(bodies) == len(rest) == tables
    for body, others in zip(bodies, rest.values(), strict=True):
        names = [re.findall(r"<bdi>(.*?)</bdi>", part) for part in (body, others)]
        assert [len(part) for part in names] == [MAX_ROWS + 1, COUNT - MAX_ROWS], "the reference row is on the page"
        assert len({*names[0], *names[1]}) == COUNT + 1
    folder = (site / page).parent
    links = [html.unescape(link) for others in rest.values() for link in re.findall(r'href="([^"]*)"', others)]
    assert len(links) > COUNT
    assert all((folder / link).resolve().is_file() for link in links)


def test_a_board_of_few_rows_has_no_rest_scripts(tmp_path: Path) -> None:
    results = [make(algorithm=f"row {i}") for i in range(MAX_ROWS)]
    site = build_site(entries_of(results), tmp_path / "site")
    assert not (site / "rest").exists()
    assert not (site / "rows.html").exists()
    assert "data-rest" not in (site / "index.html").read_text()


def test_every_row_is_linked_without_a_script(site: Path) -> None:
    assert 'href="rows.html"' in (site / "index.html").read_text()
    assert 'href="../rows.html"' in (site / "tasks/sensor.side.html").read_text()
    names = [html.unescape(name) for name in re.findall(r"<bdi>(.*?)</bdi>", (site / "rows.html").read_text())]
    assert len(set(names)) == COUNT + 1
    assert {HOSTILE, IMAGE, "none"} <= set(names)


def test_pages_stay_small_with_many_rows(site: Path) -> None:
    assert (site / "index.html").stat().st_size < 160_000


def visible_rows(visit: Visit) -> Any:
    return visit.page.locator(".view:not([hidden]) table.headline tbody:first-of-type tr:visible th")


@pytest.mark.browser
def test_sorting_covers_all_rows(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "tasks/sensor.side.html")
    rows = visit.page.locator("table.scores tbody:nth-of-type(1) tr:visible")
    assert rows.count() == MAX_ROWS
    heading = visit.page.locator("table.scores thead th").nth(2)  # the best first at the beginning
    heading.locator("button:not(.term)").focus()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function("document.querySelectorAll('table.scores tbody tr').length > 50")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert rows.count() == MAX_ROWS
    first = rows.locator("th").all_inner_texts()[:3]
    assert first == ["row 000", "row 001", "row 002"]
    assert visit.page.locator("p.more span").inner_text() == f"{MAX_ROWS} of {COUNT} rows are shown."
    assert visit.problems == []


@pytest.mark.browser
def test_filtering_covers_all_rows(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "index.html")
    assert visible_rows(visit).count() == MAX_ROWS
    visit.page.get_by_label("Filter algorithms").fill("row 12")
    status = visit.page.locator(".filter [role=status]")
    visit.page.wait_for_function("document.querySelector('.filter [role=status]').textContent.startsWith('12 of 131')")
    assert visible_rows(visit).all_inner_texts() == ["row 012", "row 112", *(f"row {i}" for i in range(120, 130))]
    visit.page.locator("#protocols").get_by_text("K-nearest neighbours", exact=True).click()
    assert status.inner_text() == "12 of 131 rows"
    visit.page.get_by_label("Filter algorithms").fill("")
    assert visible_rows(visit).count() == MAX_ROWS
    assert visit.problems == []
    assert visit.page.evaluate("window.broken === undefined")
    assert visit.page.locator("img").count() == 0


@pytest.mark.browser
def test_all_rows_are_shown_and_hidden_again_by_keyboard(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "index.html", width=320)
    button = visit.page.get_by_role("button", name=f"Show all {COUNT} rows")
    button.focus()
    visit.page.keyboard.press("Enter")
    less = visit.page.get_by_role("button", name=f"Show {MAX_ROWS} rows")
    less.wait_for()
    assert less.get_attribute("aria-expanded") == "true"
    assert visible_rows(visit).count() == COUNT
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 320
    assert visit.page.evaluate("document.activeElement.tagName") == "BUTTON"
    visit.page.keyboard.press("Enter")
    assert visible_rows(visit).count() == MAX_ROWS
    assert visit.problems == []
    assert all(url.startswith(f"{site.as_uri()}/") for url in visit.requests)


@pytest.mark.browser
@pytest.mark.parametrize("page", ["index", "rows", "domains/sensor", "tasks/sensor.side"])
def test_axe_finds_nothing(browser: Any, site: Path, page: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    visit = Visit(browser, site / f"{page}.html")
    for button in visit.page.get_by_role("button", name="Show all").all():
        button.click()
    visit.page.wait_for_timeout(100)
    found = axe.Axe().run(visit.page).response["violations"]
    assert [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found] == []
    assert visit.page.evaluate(CONTRAST) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.browser
def test_a_missing_script_is_reported_and_the_page_still_works(browser: Any, site: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(site, tmp_path / "site"))
    shutil.rmtree(copy / "rest")
    visit = Visit(browser, copy / "index.html")
    visit.page.locator(".view:not([hidden]) table.headline thead button").first.click()
    visit.page.wait_for_function("document.querySelector('p.more span').textContent.includes('cannot be read')")
    texts = visible_rows(visit).all_inner_texts()
    assert texts == sorted(texts)
    assert len(texts) == MAX_ROWS
    visit.page.get_by_label("Filter algorithms").fill("row 00")
    assert visible_rows(visit).count() == 10


@pytest.mark.browser
def test_the_page_works_without_javascript(browser: Any, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    assert page.locator("table.headline").first.locator("tbody:first-of-type tr").count() == MAX_ROWS
    assert page.get_by_role("button", name="Show all").count() == 0
    page.get_by_role("link", name="all rows by name").first.click()
    assert page.locator("main li a").count() == COUNT + 1
    context.close()
