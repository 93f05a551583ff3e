"""The compare page shows the numbers of `dabs compare --format json`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from dabs.leaderboard.cli.compare import main as compare_command
from dabs.leaderboard.compare.contestants import make_contestant
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.site.build import build_site
from dabs.results.entries import Placed, entries_of, load_entries
from dabs.results.files import load_placed
from tests.helpers.browsing import Visit
from tests.helpers.made_results import make, make_suite
from tests.helpers.places import ROOT

RESULTS = ROOT / "leaderboard" / "results"
DOMAINS = ("sensor", "speech")  # enough for domains, tasks and an overall mean


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The committed results of two domains, in a folder of their own."""
    folder = tmp_path_factory.mktemp("results")
    for path, result in load_placed(RESULTS):
        if result.domain in DOMAINS:
            (folder / path.relative_to(RESULTS)).parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(RESULTS)).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="module")
def site(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(load_entries(results), tmp_path_factory.mktemp("site") / "site")


def open_pair(browser: Any, site: Path, a: str, b: str, protocol: str = "linear", **settings: Any) -> Visit:
    """Open the page with a pair chosen and wait until it is shown."""
    visit = Visit(browser, site / "compare.html", anchor=f"#a={a}&b={b}&protocol={protocol}", **settings)
    visit.page.wait_for_selector(f'#result[data-shown="{a} {b} {protocol}"]', state="attached")
    return visit


def read_numbers(visit: Visit) -> dict[str, str]:
    """Return every number of the page by its key, unrounded."""
    found = visit.page.locator("[data-key]").evaluate_all(
        "all => all.map(cell => [cell.dataset.key, cell.dataset.value, cell.dataset.ties, cell.dataset.losses])"
    )
    return {key: value if ties is None else f"{value} {ties} {losses}" for key, value, ties, losses in found}


def expected_numbers(pair: dict[str, Any]) -> dict[str, str]:
    """Return the same numbers from the command's JSON."""

    def text_of(value: Any) -> str:
        value = value["value"] if isinstance(value, dict) else value
        return "" if value is None else repr(value)

    numbers = {}
    for mean in [pair["overall"], *pair["domains"]]:
        for name in ("a", "b", "difference", "over_tasks", "improvement", "iqm_difference"):
            numbers[f"{mean['scope']}.{name}"] = text_of(mean[name])
        numbers[f"{mean['scope']}.wins"] = f"{mean['wins']} {mean['ties']} {mean['losses']}"
    for task in pair["tasks"]:
        key = f"{task['domain']}/{task['task']}"
        numbers |= {f"{key}.{name}": text_of(task[name]) for name in ("a", "b", "difference", "p_holm")}
        numbers[f"{key}.p"] = text_of(task["difference"]["p"])
        numbers[f"{key}.verdict"] = task["verdict"]
    return numbers


def equal(a: str, b: str) -> bool:
    """Return whether two cells agree, numbers to 12 digits; with sides swapped, 1 - p may be rounded differently."""
    try:
        return float(a) == pytest.approx(float(b), rel=1e-12, abs=1e-12)
    except ValueError:
        return a == b


def agree(found: dict[str, str], wanted: dict[str, str]) -> bool:
    """Return whether all numbers of both agree."""
    assert found.keys() == wanted.keys()
    assert [key for key in wanted if not equal(found[key], wanted[key])] == []
    return True


@pytest.mark.browser
@pytest.mark.parametrize(
    ("a", "b", "protocol"), [("shed", "none", "linear"), ("none", "shed", "linear"), ("emix", "raw", "knn")]
)
def test_the_numbers_are_those_of_the_command(
    browser: Any, site: Path, results: Path, tmp_path: Path, a: str, b: str, protocol: str
) -> None:
    out = tmp_path / "pair.json"
    sources = [f"{results}:{a}", f"{results}:{b}"]
    compare_command([*sources, "--protocol", protocol, "--format", "json", "--out", str(out)])
    (pair,) = json.loads(out.read_text())["pairs"]
    assert (pair["a"], pair["b"]) == (a, b)
    visit = open_pair(browser, site, a, b, protocol)
    wanted = expected_numbers(pair)
    assert len(wanted) > 40
    assert agree(read_numbers(visit), wanted)
    for key in ("all domains.a", "all domains.difference", "speech/word.b", "sensor/tempo.difference"):
        text = visit.page.locator(f"[data-key='{key}']").inner_text().split("\n")[0].replace("−", "-")
        assert float(text) == pytest.approx(100 * float(wanted[key]), abs=0.0501)
    assert visit.problems == []
    with visit.page.expect_download() as download:
        visit.page.get_by_text("This comparison as JSON").click()
    downloaded = json.loads(Path(download.value.path()).read_text())
    with visit.page.expect_download() as download:
        visit.page.get_by_text("Both tables as CSV").click()
    cells = [cell for row in csv.reader(Path(download.value.path()).read_text().splitlines()) for cell in row]
    assert "all domains" in cells
    for key in ("all domains.difference", "speech/word.p_holm"):
        assert any(equal(cell, wanted[key]) for cell in cells), key
    assert agree(expected_numbers(downloaded), wanted)
    for mine, theirs in zip(downloaded["tasks"], pair["tasks"], strict=True):
        assert [mine[f"{what}_{side}"] for what in ("seeds", "scores") for side in "ab"] == [
            theirs[f"{what}_{side}"] for what in ("seeds", "scores") for side in "ab"
        ]


@pytest.mark.browser
def test_a_pair_is_chosen_and_swapped_by_keyboard(browser: Any, site: Path) -> None:
    visit = open_pair(browser, site, "shed", "none")
    before = read_numbers(visit)
    visit.page.locator("#swap").focus()
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector('#result[data-shown="none shed linear"]')
    after = read_numbers(visit)
    assert float(after["all domains.difference"]) == -float(before["all domains.difference"])
    assert after["all domains.a"] == before["all domains.b"]
    visit.page.get_by_label("First").select_option("emix")
    visit.page.wait_for_selector('#result[data-shown="emix shed linear"]')
    assert "#a=emix&b=shed&protocol=linear" in visit.page.url
    assert visit.page.locator("#summary").inner_text().startswith("emix is behind shed by ")
    visit.page.get_by_label("Second").select_option("emix")
    visit.page.wait_for_selector('#result[data-shown="emix emix linear"]', state="attached")
    assert visit.page.locator("#summary").inner_text() == "Choose two different algorithms."


@pytest.mark.browser
def test_its_tables_sort_and_filter(browser: Any, site: Path) -> None:
    visit = open_pair(browser, site, "shed", "none")
    tasks = visit.page.locator("#result section:nth-of-type(2)")
    tasks.get_by_role("button", name="Difference").click()
    values = [float(cell.get_attribute("data-value")) for cell in tasks.locator("[data-key$='.difference']").all()]
    assert values == sorted(values, reverse=True)
    assert len(values) == 5
    visit.page.get_by_label("Filter tasks").fill("speech word")
    assert tasks.locator("tbody tr:visible").count() == 1
    visit.page.locator("#swap").click()
    visit.page.wait_for_selector('#result[data-shown="none shed linear"]')
    assert tasks.locator("tbody tr:visible").count() == 1


@pytest.mark.browser
def test_untested_rows_are_shown_without_tests(browser: Any, tmp_path: Path) -> None:
    results = [make(algorithm=f"a{i}", task=t, score=i / 10) for i in range(1, 8) for t in ("exercise", "side")]
    results.append(make(algorithm="knn only", protocol="knn"))
    site = build_site(entries_of(results), tmp_path / "site", max_tested=3)
    assert sorted(path.parent.name for path in site.glob("data/*/pairs.js")) == ["a5", "a6"]
    tested, plain = open_pair(browser, site, "a5", "a7"), open_pair(browser, site, "a1", "a7")
    assert float(read_numbers(plain)["all domains.difference"]) == pytest.approx(-0.6)
    assert "dabs compare" in plain.page.locator("#result .caption").first.inner_text()
    assert plain.page.locator("[data-key$='.p']").count() == 0
    assert tested.page.locator("[data-key$='.p']").count() == 2
    slug = next(path.parent.name for path in site.glob("data/knn-only-*/row.js"))
    assert "no task in common" in open_pair(browser, site, "a1", slug).page.locator("#summary").inner_text()
    assert tested.problems == plain.problems == []


@pytest.mark.browser
def test_a_missing_file_is_reported(browser: Any, tmp_path: Path) -> None:
    site = build_site(entries_of([make(), make(algorithm="emix")]), tmp_path / "site")
    (site / "data" / "emix" / "pairs.js").unlink()
    visit = open_pair(browser, site, "emix", "shed")
    assert "is the site's folder complete?" in visit.page.locator("#summary").inner_text()


def test_rows_without_a_task_in_common_are_not_tested(tmp_path: Path) -> None:
    site = build_site(entries_of([make(), make(algorithm="emix", domain="speech", task="word")]), tmp_path / "site")
    assert not list(site.glob("data/*/pairs.js"))


def test_a_pair_does_not_depend_on_the_other_rows() -> None:
    groups: dict[str, list[Placed]] = {}
    for result in make_suite(("linear",), seeds=2):
        groups.setdefault(result.algorithm, []).append(Placed(result=result))
    every = [make_contestant(name, "", placed) for name, placed in groups.items()]
    two = [one for one in every if one.name in ("shed", "raw")]
    alone, among = (compare_contestants(some).pair("shed", "raw") for some in (two, every))
    assert alone == among
