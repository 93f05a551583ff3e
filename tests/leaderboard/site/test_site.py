"""The site: its files, its links, and its behaviour in a browser."""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dabs.config import PROTOCOLS, without_budget
from dabs.errors import RequestError
from dabs.evaluation.reference_rows import EXPLANATIONS, REFERENCES
from dabs.leaderboard.cli.leaderboard import main as board
from dabs.leaderboard.site.boards import MAX_DRAWN
from dabs.leaderboard.site.build import build_site
from dabs.leaderboard.tables.aggregate import build_table
from dabs.leaderboard.tables.render import READERS, percent
from dabs.leaderboard.tables.standing import gap_closed
from dabs.registry import domain_names, find_domain
from dabs.results.entries import Entry, Placed, Reading, entries_of, load_entries
from dabs.results.files import load_results
from dabs.results.schema import Result
from dabs.results.submission import rename_result
from tests.helpers.browsing import CONTRAST, HOSTILE, IMAGE, Visit
from tests.helpers.made_results import EVERY_ROW, altered, make, make_suite, submit, write
from tests.helpers.places import ROOT

LONG = "ü" * 10_000
RIGHT_TO_LEFT = "\u0645\u0631\u062d\u0628\u0627 (shed) \u05e9\u05dc\u05d5\u05dd"
ATTACKS = (HOSTILE, IMAGE, RIGHT_TO_LEFT, LONG)


def every_row() -> list[Result]:
    """Return results of every protocol and row; one run of shed did not learn."""
    return make_suite(PROTOCOLS, gains=EVERY_ROW, failed={("shed", "sensor", 1): "the loss never fell"})


def tuned_row(**changes: Any) -> Entry:
    values = {"name": "Ours", "authors": "A. One", "url": "https://example.org/ours", "ruleset": "tuned"} | changes
    results = [r for r in make_suite(seeds=1) if r.algorithm == "shed"]
    config = {"pretraining": results[0].pretraining.model_copy(update={"config": {"lr": 0.0001, "options": {"a": 1}}})}
    results = [rename_result(result.model_copy(update=config), values["name"]) for result in results]
    return Entry(placed=tuple(Placed(result=result) for result in results), folder=Path("ours"), **values)


def files_of(site: Path) -> dict[str, str]:
    paths = (path for path in site.rglob("*") if path.is_file())
    return {str(path.relative_to(site)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def links_of(page: Path) -> set[str]:
    return {html.unescape(link) for link in re.findall(r'(?:href|src)="([^"]*)"', page.read_text())}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of made-up results of every protocol and a tuned submission."""
    rows = [*entries_of(every_row()), tuned_row()]
    domains = [find_domain(name) for name in ("sensor", "speech")]
    return build_site(rows, tmp_path_factory.mktemp("site") / "site", domains=domains)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the committed results."""
    every = Reading(entries=tuple(entries_of(load_results(ROOT / "leaderboard" / "results"))))
    rows = every.at_budget(1.0).entries
    return build_site(rows, tmp_path_factory.mktemp("site") / "site", domains=[find_domain(n) for n in domain_names()])


def test_the_same_rows_give_the_same_bytes(site: Path, tmp_path: Path) -> None:
    rows = [tuned_row(), *entries_of(every_row()[::-1])[::-1]]
    domains = [find_domain(name) for name in ("sensor", "speech")]
    assert files_of(build_site(rows, tmp_path / "again", domains=domains)) == files_of(site)


def test_the_site_of_the_committed_results_is_small_and_complete(committed: Path) -> None:
    assert sum(path.stat().st_size for path in committed.rglob("*") if path.is_file()) < 10_000_000
    assert {path.name for path in committed.iterdir()} == {
        "index.html", "compare.html", "cards.html", "submit.html", "domains", "tasks", "algorithms", "data",
        "downloads", "site.js", "compare.js", "style.css", "site.json",
    }  # fmt: skip
    assert len(list(committed.glob("domains/*.html"))) == len(domain_names())


@pytest.mark.parametrize("which", ["site", "committed"])
def test_every_link_leads_into_the_site(which: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(which)
    outside = set()
    for page in folder.rglob("*.html"):
        for link in links_of(page):
            if "://" in link:
                outside.add(link)
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.is_relative_to(folder.resolve()), (page, link)
            assert target.is_file(), (page, link)
            if anchor and target.suffix == ".html" and "=" not in anchor:
                assert f'id="{anchor}"' in target.read_text(), (page, link)
    assert outside == ({"https://example.org/ours"} if which == "site" else set())


def test_every_score_links_to_the_json_that_states_it(site: Path) -> None:
    seen = set()
    for page in site.rglob("*.html"):
        cells = re.findall(r'<td class="number[^>]*data-value="([^"]+)"[^>]*>(.{0,400})', page.read_text())
        for value, text in cells:
            link = re.match(r'<a href="([^"]+)">', text)
            if link:
                stated = json.loads((page.parent / link[1]).read_text())
                if "mean" in stated:
                    assert stated["mean"] == float(value)
                else:
                    means = [[p["overall"], *p["domains"].values()] for p in stated["protocols"].values()]
                    assert float(value) in [mean["mean"] for all_of in means for mean in all_of]
                seen.add((page.parent.name, "mean" in stated))
            else:  # chance, ranks and counts of wins are not scores
                assert re.match(r"[\d.,–]+(<|$|\s)", text), (page, text)
    assert seen >= {("site", False), ("domains", False), ("domains", True), ("tasks", True), ("algorithms", True)}


def test_the_json_holds_everything_in_the_result_files(committed: Path) -> None:
    results = {
        (r.algorithm, r.domain, r.task, r.protocol, r.seed): r
        for r in load_results(ROOT / "leaderboard/results")
        if without_budget(r.algorithm) == r.algorithm
    }
    for path in committed.glob("data/*/*.json"):
        cell = json.loads(path.read_text())
        if "results" not in cell:
            continue
        shared = {
            key: cell[key]
            for key in cell.keys() - {"name", "mean", "deviation", "failed", "low", "high", "results", "about"}
        }
        shared |= json.loads((path.parent / cell["about"]).read_text())
        for own in cell["results"]:
            run = json.loads((path.parent / own.pop("run")).read_text())
            whole = results.pop((cell["algorithm"], cell["domain"], cell["task"], cell["protocol"], own["seed"]))
            assert shared | own | run == whole.model_dump(mode="json")
    assert not results


def test_results_evaluated_elsewhere_keep_their_environment(tmp_path: Path) -> None:
    other = altered("environment.processor", "another", task="side")
    folder = build_site(entries_of([make(), other]), tmp_path / "site") / "data" / "shed"
    runs = {json.loads(p.read_text())["results"][0]["run"] for p in folder.glob("sensor.*.linear.json")}
    assert runs == {"sensor.seed0.run.json", "sensor.seed0.2.run.json"}


def test_tuned_rows_have_a_table_of_their_own(site: Path) -> None:
    text = (site / "index.html").read_text()
    fixed, tuned = (re.search(rf'<table[^>]*id="{name}-linear".*?</table>', text, re.S) for name in ("fixed", "tuned"))
    assert fixed is not None
    assert tuned is not None
    assert re.findall(r"<bdi>(.*?)</bdi>", fixed[0]) == [
        "shed",
        "emix",
        "contrastive",
        "none",
        "raw",
        "summary",
        "supervised",
    ]
    assert set(re.findall(r"<bdi>(.*?)</bdi>", tuned[0])) == {"Ours", "raw", "none", "summary", "supervised"}
    ours = tuned_row()
    other = {"pretraining": ours.results[0].pretraining.model_copy(update={"config": {"lr": 0.5}})}
    faster = replace(ours, placed=tuple(Placed(result=one.model_copy(update=other)) for one in ours.results))
    for ruleset in ("fixed", "tuned"):
        with pytest.raises(RequestError, match=r"pretraining\.config\.lr differs"):
            build_site([*entries_of(make_suite()), replace(faster, ruleset=ruleset)], site.parent / "other")


def plain_text(page: Path) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.read_text())).split())


def test_reference_rows_are_marked_and_explained_wherever_rows_are_listed(site: Path) -> None:
    for page in ("index", "domains/sensor", "tasks/sensor.side"):
        text = (site / f"{page}.html").read_text()
        marked = set(re.findall(r'class="reference-row">\s*<th[^>]*><a[^>]*><bdi>(\w+)<', text))
        assert marked == set(REFERENCES), page
        for name, words in EXPLANATIONS.items():
            assert f"{name} {words}" in plain_text(site / f"{page}.html"), page
    assert EXPLANATIONS["summary"] in plain_text(site / "algorithms" / "summary.html")


def test_pages_name_the_reader_and_never_make_a_reference_row_bold(site: Path) -> None:
    text = (site / "index.html").read_text()
    for reader in READERS.values():
        assert f"Reader: {reader}." in plain_text(site / "index.html")
    rows = re.findall(r"<tr[^>]*>.*?</tr>", text, re.S)
    bold = {row.split("<bdi>")[1].split("<")[0] for row in rows if 'class="number best' in row}
    assert "shed" in bold
    assert not bold & set(REFERENCES)


def test_a_run_that_did_not_learn_is_marked_on_every_page_that_shows_it(site: Path) -> None:
    for page in ("index", "domains/sensor", "tasks/sensor.side", "algorithms/shed"):
        text = (site / f"{page}.html").read_text()
        assert 'aria-label="did not learn"' in text, page
        assert "✗ did not learn: shed on sensor (1 of 3 seeds: the loss never fell)." in plain_text(
            site / f"{page}.html"
        ), page
    for page in ("domains/speech", "tasks/speech.word", "algorithms/emix"):
        text = (site / f"{page}.html").read_text()
        assert "did not learn:" not in text, page
        assert 'aria-label="did not learn"' not in text, page
    assert "no: the loss never fell" in (site / "algorithms" / "shed.html").read_text()
    cell = json.loads((site / "data" / "shed" / "sensor.side.linear.json").read_text())
    assert cell["failed"] == [1]
    facts = json.loads((site / "data" / "compare-facts.js").read_text().removeprefix("dabs.facts = ").rstrip(";\n"))
    assert any(note.startswith("shed did not learn on sensor (1 run: ") for note in facts["linear"]["notes"])


def test_means_state_the_share_of_the_gap_that_they_close(site: Path) -> None:
    table = build_table(every_row(), "linear")
    summary = json.loads((site / "data" / "shed" / "summary.json").read_text())["protocols"]["linear"]
    assert summary["overall"]["gap_closed"] == gap_closed(table, "shed")
    assert summary["domains"]["sensor"]["failed"] is True
    assert summary["domains"]["speech"]["failed"] is False
    for page, domain in (("index", None), ("domains/sensor", "sensor"), ("algorithms/shed", "sensor")):
        share = percent(gap_closed(table, "shed", domain))
        assert f"<small>{share} of gap</small>" in (site / f"{page}.html").read_text()
    assert "of gap" not in (site / "tasks" / "sensor.side.html").read_text()


def test_each_training_of_the_supervised_encoder_is_listed(site: Path) -> None:
    text = (site / "algorithms" / "supervised.html").read_text()
    for task in ("exercise", "side"):
        assert text.count(f"<td>sensor/{task}</td>") == 3
    assert "<title>exercise, seed 0</title>" in text
    assert (site / "algorithms" / "shed.html").read_text().count("<td>sensor</td>") > 3  # by task, and three runs


def test_the_command_makes_a_folder_or_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "results" / "shed", [make(), make(task="side")])
    submit(tmp_path / "results" / "Ours", [make(task="side")], authors=("A. One", "B. Two"))
    for out in ("site", "page.html"):
        board(["build", "--results", str(tmp_path / "results" / "shed"), "--out", str(tmp_path / out)])
    assert (tmp_path / "page.html").is_file()
    board(["build", "--results", str(tmp_path / "results"), "--out", str(tmp_path / "site")])
    assert "index.html" in capsys.readouterr().out
    assert "smartwatch" in (tmp_path / "site" / "cards.html").read_text()
    (page,) = tmp_path.glob("site/algorithms/ours-*.html")
    assert "A. One, B. Two" in page.read_text()
    assert 'href="https://example.org/x"' in page.read_text()


def test_the_pretraining_time_counts_every_submission(tmp_path: Path) -> None:
    for name in ("mine", "yours"):
        hours = [
            r.model_copy(update={"pretraining": r.pretraining.model_copy(update={"wall_seconds": 3600.0})})
            for r in (make(algorithm="Mine"), make(algorithm="Mine", task="side"))
        ]
        submit(tmp_path / "in" / name, hours)
    build_site(load_entries(tmp_path / "in"), tmp_path / "site")
    assert "<dt>Training time</dt><dd>120.0 min</dd>" in (tmp_path / "site" / "index.html").read_text()


def test_only_a_site_is_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "docs" / "thesis.txt"
    precious.parent.mkdir()
    precious.write_text("x")
    with pytest.raises(RequestError, match="is not a site"):
        build_site(entries_of([make()]), precious.parent)
    assert precious.read_text() == "x"
    folder = build_site(entries_of([make(), make(algorithm="old")]), tmp_path / "site")
    build_site(entries_of([make()]), folder)
    assert not list(folder.glob("algorithms/old*"))
    (tmp_path / "empty").mkdir()
    assert build_site(entries_of([make()]), tmp_path / "empty").is_dir()


def test_nothing_to_show_and_a_failing_build_leave_no_site(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no results"):
        build_site([], tmp_path / "site")
    with pytest.raises(RequestError, match="suite"):
        build_site(entries_of([make(), altered("suite", "paper", algorithm="emix")]), tmp_path / "site")
    assert list(tmp_path.iterdir()) == []


def test_figures_show_the_best_when_there_are_many(tmp_path: Path) -> None:
    results = [make(algorithm=f"a{i:02}", score=i / 50) for i in range(30)] + [make(algorithm="none", score=0.1)]
    page = build_site(entries_of(results), tmp_path / "site") / "domains" / "sensor.html"
    drawn = re.findall(r"<title>(a\d\d|none): ", page.read_text())
    assert sorted(set(drawn)) == sorted(["none", *(f"a{i:02}" for i in range(30 - MAX_DRAWN, 30))])


PAGES = ["index", "compare", "cards", "submit", "domains/speech", "tasks/sensor.exercise", "algorithms/shed", "tuned"]


def path_of(site: Path, page: str) -> Path:
    if page == "tuned":
        return next(site.glob("algorithms/ours-*.html"))
    return site / f"{page}.html"


@pytest.mark.browser
@pytest.mark.parametrize("page", PAGES)
def test_pages_open_from_disk_without_errors_and_stay_inside(browser: Any, site: Path, page: str) -> None:
    for width in (320, 1280):
        visit = Visit(browser, path_of(site, page), width=width)
        visit.open_details()
        visit.page.wait_for_timeout(100)
        assert visit.problems == []
        assert all(url.startswith((site.as_uri() + "/", "blob:")) for url in visit.requests)
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        visit.page.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("page", "scheme"),
    [*((page, "light") for page in PAGES), *((page, "dark") for page in ("index", "compare", "tuned"))],
)
def test_axe_finds_nothing(browser: Any, site: Path, page: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    visit = Visit(browser, path_of(site, page), width=360 if scheme == "dark" else 1280, scheme=scheme)
    visit.open_details()
    visit.page.wait_for_timeout(100)
    found = axe.Axe().run(visit.page).response["violations"]
    assert [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found] == []
    assert visit.page.evaluate(CONTRAST) == []
    visit.page.close()


@pytest.mark.browser
def test_tables_sort_by_keyboard(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "domains" / "speech.html")
    heading = visit.page.locator(".view:not([hidden]) section:first-of-type table.scores thead th").nth(4)
    heading.locator("button:not(.term)").focus()
    visit.page.keyboard.press("Enter")
    bodies = visit.page.locator(".view:not([hidden]) section:first-of-type table.scores tbody")
    for body, count in zip(bodies.all(), (3, 4), strict=True):
        cells = body.locator("td:nth-child(5)")
        scores = [float(value) for value in cells.evaluate_all("all => all.map(cell => cell.dataset.value)")]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == count
    assert heading.get_attribute("aria-sort") == "descending"


@pytest.mark.browser
def test_rows_are_filtered_and_counted(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "index.html")
    shown = visit.page.locator("table.headline tbody tr:not(.group):visible th")
    assert shown.count() == 7 + 5
    visit.page.get_by_label("Filter algorithms").fill("E  m")
    assert shown.all_inner_texts() == ["emix"]
    assert visit.page.locator(".filter [role=status]").inner_text() == "1 of 12 rows"
    visit.page.locator("#protocols").get_by_text("Fine-tuning", exact=True).click()
    assert visit.page.locator(".filter [role=status]").inner_text() == "1 of 5 rows"
    visit.page.get_by_label("Filter algorithms").fill("")
    assert shown.count() == 5


@pytest.mark.browser
def test_colours_and_protocol_are_kept_from_page_to_page(browser: Any, site: Path) -> None:
    visit = Visit(browser, site / "index.html")
    visit.page.locator("#protocols").get_by_text("K-nearest neighbours", exact=True).click()
    visit.page.locator("#theme").click()
    visit.page.goto((site / "domains" / "sensor.html").as_uri())
    assert visit.page.locator("html").get_attribute("data-theme") == "dark"
    assert visit.page.locator(".view:visible").get_attribute("data-protocol") == "knn"


# lists elements that a long name has stretched
TALL = """() => [...document.querySelectorAll("tr, h1, p, li, dd, figcaption, select")]
  .filter((e) => e.offsetHeight > 300)
  .map((e) => e.tagName + " " + e.offsetHeight + " " + e.textContent.trim().slice(0, 30))"""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a submission for each hostile string, in every field that a submission controls."""
    rows = entries_of(make_suite(("linear",), seeds=1))
    for name in ATTACKS:
        row = tuned_row(name=name, authors=name, url=f"javascript:{name}")
        config = {"lr": 0.0001, "options": {name: name}}
        hostile = [
            r.model_copy(update={"pretraining": r.pretraining.model_copy(update={"config": config})})
            for r in row.results
        ]
        rows.append(replace(row, placed=tuple(Placed(result=result) for result in hostile)))
    return build_site(rows, tmp_path_factory.mktemp("attacked") / "site")


def test_hostile_names_get_plain_file_names(attacked: Path) -> None:
    stems = {path.stem for path in attacked.glob("algorithms/*.html")} - {"none", "raw", "contrastive", "emix", "shed"}
    assert len(stems) == len(ATTACKS)
    assert all(re.fullmatch(r"[a-z0-9-]{1,49}", stem) for stem in stems)
    text = html.unescape((attacked / "index.html").read_text())
    assert all(name in text for name in ATTACKS)


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_hostile_strings_change_nothing(browser: Any, attacked: Path, width: int) -> None:
    slugs_of = {row["name"]: row["slug"] for row in json.loads((attacked / "site.json").read_text())["rows"]}
    theirs = [slugs_of[name] for name in ATTACKS]
    pages = ["index.html", "domains/sensor.html", "tasks/speech.word.html"]
    pages += [f"algorithms/{slug}.html" for slug in theirs]
    pages += [f"compare.html#a={theirs[0]}&b={theirs[3]}", f"compare.html#a={theirs[1]}&b={theirs[2]}"]
    visit = Visit(browser, attacked / "submit.html", width=width)
    for page in pages:
        visit.page.goto(f"{attacked.as_uri()}/{page}")
        visit.page.wait_for_timeout(60)
        assert visit.problems == []
        assert visit.page.evaluate("window.broken === undefined")
        assert visit.page.locator("img").count() == 0
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.page.evaluate(TALL) == []
        addresses = visit.page.locator("a").evaluate_all("all => all.map(a => a.href)")
        assert all(address.startswith((f"{attacked.as_uri()}/", "blob:")) for address in addresses)
    assert all(url.startswith((f"{attacked.as_uri()}/", "blob:")) for url in visit.requests)
