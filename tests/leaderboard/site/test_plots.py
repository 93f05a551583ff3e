"""Figures: one scale for the panels of a task, rows in rank order, a dot for each seed, reference rows apart."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from dabs.evaluation.reference_rows import REFERENCES
from dabs.leaderboard.site import plots, standalone
from dabs.leaderboard.site.boards import build_boards
from dabs.leaderboard.site.pages import build_pages
from dabs.leaderboard.site.plots import DotPlot, Lane
from dabs.leaderboard.tables.aggregate import Table, build_table, protocols_of
from dabs.results.entries import entries_of
from tests.helpers.made_results import EVERY_ROW, SUITE, make, make_suite

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def tables() -> list[Table]:
    results = make_suite(("linear", "knn", "finetune"), gains=EVERY_ROW, failed={("emix", "speech", 1): "it fell"})
    return [build_table(results, protocol) for protocol in protocols_of(results)]


def names(lane: Lane) -> list[str]:
    return [dot.style.algorithm for dot in lane.dots]


def test_all_panels_of_a_domain_share_one_scale(tables: list[Table]) -> None:
    styles = plots.assign_styles(tables[0].algorithms)
    for domain in SUITE:
        axis = plots.task_axis(tables, domain)
        panels = [plots.layout_tasks(table, domain, styles, axis) for table in tables]
        assert all(panels)
        assert len({panel.ticks for panel in panels if panel}) == 1
        for panel in panels:
            assert panel is not None
            ends = [x for lane in panel.lanes for dot in lane.dots for x in (dot.low, dot.high, *dot.seeds)]
            assert min(ends) >= plots.LEFT
            assert max(ends) <= plots.RIGHT


def test_a_shared_scale_covers_what_each_panel_alone_would_not() -> None:
    place = {"domain": "english_text", "task": "sentiment"}  # a correlation, which may be negative
    results = [make(score=0.8, **place), make(score=-0.5, protocol="knn", **place)]
    two = [build_table(results, protocol) for protocol in ("linear", "knn")]
    shared, *alone = (plots.task_axis(some, *place.values()) for some in (two, two[:1], two[1:]))
    assert shared is not None
    assert shared not in alone
    assert shared.low <= -0.521
    assert shared.high >= 0.819


def test_pages_draw_a_task_on_one_scale() -> None:
    rows = entries_of(make_suite(("linear", "knn"), gains=EVERY_ROW))
    boards = build_boards(rows)
    pages = build_pages(rows, boards, {}, {row.name: row.name for row in rows}, {})
    seen = set()
    for page in pages:
        if page.template == "task":
            ticks = {figure.ticks for board in page.values["boards"] for figure in board["figures"]}
        elif page.template == "domain":
            ticks = {view["figure"].ticks for board in page.values["boards"] for view in board["views"].values()}
        elif page.template == "index":
            views = [view for _, found in page.values["boards"] for view in found.values()]
            ticks = {plot.ticks for view in views for plot in view["overview"]["plots"]}
        else:
            continue
        assert len(ticks) == 1, page.path
        seen.add(page.template)
    assert seen == {"index", "domain", "task"}


def test_algorithms_stand_in_the_order_of_their_means_and_references_below(tables: list[Table]) -> None:
    table = tables[0]
    styles = plots.assign_styles(table.algorithms)
    panel = plots.layout_tasks(table, "sensor", styles, plots.task_axis(tables, "sensor"))
    assert panel is not None
    for lane in [*panel.lanes, *(plot.lanes[0] for plot in overview(tables))]:
        learned = [dot for dot in lane.dots if dot.style.algorithm not in REFERENCES]
        assert [dot.x for dot in learned] == sorted((dot.x for dot in learned), reverse=True)
        assert names(lane)[len(learned) :] == list(REFERENCES)
        heights = [dot.y for dot in lane.dots]
        assert heights == sorted(heights)
        gap = lane.dots[len(learned)].y - lane.dots[len(learned) - 1].y
        assert gap > plots.LANE_ROW, "the reference rows stand apart"


def overview(tables: list[Table]) -> list[DotPlot]:
    styles = plots.assign_styles(tables[0].algorithms)
    return plots.layout_overview(tables[0], styles, plots.overview_axis(tables))


def test_each_seed_has_a_dot(tables: list[Table]) -> None:
    styles = plots.assign_styles(tables[0].algorithms)
    panel = plots.layout_tasks(tables[0], "sensor", styles, plots.task_axis(tables, "sensor"))
    assert panel is not None
    for lane in panel.lanes:
        for dot in lane.dots:
            assert len(dot.seeds) == (0 if dot.style.algorithm in ("raw", "summary") else 3)
            assert not dot.seeds or dot.x == pytest.approx(sum(dot.seeds) / 3, abs=0.02)
    for plot in overview(tables):
        assert {len(dot.seeds) for dot in plot.lanes[0].dots if dot.style.algorithm not in REFERENCES} == {3}


def test_the_first_figure_says_everything_in_words(tables: list[Table]) -> None:
    panels = overview(tables)
    assert [panel.title for panel in panels] == ["all domains", "chest_xray‡", "english_text", "sensor", "speech†"]
    for panel in panels:
        for name in EVERY_ROW:
            assert re.search(rf"{name} -?\d+\.\d \(-?\d+\.\d to -?\d+\.\d\)", panel.words), panel.words
    speech = panels[-1].lanes[0]
    assert next(dot.name for dot in speech.dots if dot.style.algorithm == "emix") == "emix✗"


def test_a_row_without_results_is_left_out() -> None:
    table = build_table([make(), make(algorithm="emix", domain="speech", task="word")], "linear")
    styles = plots.assign_styles(table.algorithms)
    assert [plot.title for plot in overview([table])] == ["sensor", "speech†"], "no row has every domain"
    none = replace(table, cells={})
    assert plots.task_axis([none], "sensor") is None
    assert plots.layout_tasks(none, "sensor", styles, None) is None


@pytest.mark.parametrize("theme", ["", *standalone.THEMES])
def test_a_figure_is_a_file_of_its_own(tables: list[Table], theme: str) -> None:
    panels = overview(tables)
    text = standalone.draw_dots(panels, "A <title>", ["Notes & more " * 30], theme=theme)
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == "A <title>"
    assert "var(" not in text
    assert "font-family: sans-serif" in text
    assert not re.search(r"url\(|@import|<image|href", text)
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    for group in root.findall(f"{SVG}g"):
        x, y = map(float, re.findall(r"[\d.]+", group.attrib["transform"]))
        assert x + plots.WIDTH <= width
        assert y < height
    assert len(root.findall(f"{SVG}g")) == len(panels)
    assert (root.find(f"{SVG}rect") is not None) == (not theme), "only the version for print has a background"
    embedded = ET.fromstring(standalone.without_hover(text))
    for_mouse = [one for one in embedded.iter() if one.attrib.get("class") == "hit" or one.tag == f"{SVG}title"]
    assert [one.text for one in for_mouse] == ["A <title>"], "the title of the whole figure stays"
    assert len(list(embedded.iter())) < len(list(root.iter()))
    classes = {name for element in root.iter() for name in element.attrib.get("class", "").split()}
    styled = set(re.findall(r"\.([\w-]+)", root.findtext(f"{SVG}style") or ""))
    assert classes - {"hit", "name"} <= styled


def test_the_order_of_results_changes_nothing(tables: list[Table]) -> None:
    results = make_suite(("linear",), gains=EVERY_ROW)
    other = list(results)
    random.Random(0).shuffle(other)
    first, second = (overview([build_table(found, "linear")]) for found in (results, other))
    assert first == second
