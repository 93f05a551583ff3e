"""Figures of cost: where points are, which are on the front, labels apart, and the same in words."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from dabs.leaderboard.site import cost_plots
from dabs.leaderboard.site.build import build_site
from dabs.leaderboard.site.cost_plots import FOOT, KINDS, LABEL_GAP, LEFT, RIGHT, TOP, CostPlot, layout_costs
from dabs.leaderboard.site.cost_views import CostFigure, cost_figures
from dabs.leaderboard.site.plots import assign_styles
from dabs.leaderboard.site.report import build_report
from dabs.leaderboard.tables.budgets import BudgetTables, build_budget_tables
from dabs.results.entries import Reading, entries_of
from dabs.results.schema import Result
from tests.helpers.browsing import CONTRAST, Visit
from tests.helpers.made_results import EVERY_ROW, SUITE, altered, make, make_budgets, make_suite

BY_BUDGET, BY_SECONDS, BY_FLOPS = KINDS
FAILED = {("shed", "sensor", 1): "the loss never fell"}
STYLES = assign_styles(tuple(EVERY_ROW))
SVG = "{http://www.w3.org/2000/svg}"


def every_budget(**changes: Any) -> list[Result]:
    return make_budgets(protocols=("linear",), gains=EVERY_ROW, failed=FAILED, **changes)


@pytest.fixture(scope="module")
def budgets() -> BudgetTables:
    return build_budget_tables(every_budget(), "linear")


def panel(budgets: BudgetTables, kind: Any, domain: str | None = None) -> CostPlot:
    found = layout_costs(budgets, kind, STYLES, domain)
    assert found is not None
    return found


def line_of(plot: CostPlot, name: str) -> cost_plots.CostLine:
    return next(line for line in plot.lines if line.style.algorithm == name)


def test_points_lie_where_their_cost_and_score_are(budgets: BudgetTables) -> None:
    plot = panel(budgets, BY_SECONDS, "sensor")
    points, marks = budgets.points("shed", "sensor"), line_of(plot, "shed").marks
    (low, low_label), *_, (high, high_label) = plot.x_ticks
    per_decade = (high - low) / (math.log10(float(high_label)) - math.log10(float(low_label)))
    ticks = {float(label.replace("−", "-")): y for y, label in plot.y_ticks}
    (bottom, at_bottom), (top, at_top) = min(ticks.items()), max(ticks.items())
    for point, one in zip(points, marks, strict=True):
        assert point.cost.seconds is not None
        assert one.x == pytest.approx(low + per_decade * math.log10(point.cost.seconds / float(low_label)), abs=0.05)
        for value, y in ((point.score, one.y), (point.interval[0], one.low), (point.interval[1], one.high)):
            share = (100 * value - bottom) / (top - bottom)
            assert y == pytest.approx(at_bottom + share * (at_top - at_bottom), abs=0.05)


def test_rows_of_one_budget_stand_side_by_side_and_inside(budgets: BudgetTables) -> None:
    for domain in (None, *SUITE):
        plot = panel(budgets, BY_BUDGET, domain)
        assert [label for _, label in plot.x_ticks] == ["0.25×", "1×", "4×", "10×"]
        for step in range(4):
            places = [line.marks[step].x for line in plot.lines]
            assert len(set(places)) == len(places) == 4
            assert sum(places) / 4 == pytest.approx(plot.x_ticks[step][0], abs=0.02)
        marks = [one for line in plot.lines for one in line.marks]
        assert all(LEFT < one.x < RIGHT and TOP <= one.high <= one.y <= one.low <= plot.bottom for one in marks)
        assert all(TOP <= level.y <= plot.bottom for level in plot.levels)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.key)
def test_labels_keep_apart_and_inside(budgets: BudgetTables, kind: Any) -> None:
    for domain in (None, *SUITE):
        plot = panel(budgets, kind, domain)
        heights = sorted(label.y for label in plot.labels)
        assert len(heights) == 7
        assert all(b - a >= LABEL_GAP - 0.02 for a, b in itertools.pairwise(heights))
        assert heights[0] >= TOP
        assert heights[-1] <= plot.bottom
        assert plot.height == plot.bottom + FOOT
        ticks = [x for x, _ in plot.x_ticks]
        assert all(b - a >= kind.apart for a, b in itertools.pairwise(ticks))


def test_rows_differ_without_colour(budgets: BudgetTables) -> None:
    plot = panel(budgets, BY_BUDGET)
    assert len({line.style.shape for line in plot.lines}) == len(plot.lines)
    assert len({level.dash for level in plot.levels}) == len(plot.levels) == 3
    assert {label.name for label in plot.labels} >= {"none", "raw", "summary", "supervised", "shed✗"}


def test_the_front_is_what_none_beats_for_less_and_free_rows_bound_it(budgets: BudgetTables) -> None:
    plot = panel(budgets, BY_SECONDS, "english_text")
    best = {(line.style.algorithm, i) for line in plot.lines for i, one in enumerate(line.marks) if one.best}
    assert best == {("shed", i) for i in range(4)}, "it costs the least and scores the most; supervised takes no part"
    assert plot.front.count("L") == 3
    # a row that costs nothing and scores more than all but one leaves one point, which has nothing to be joined to
    best_free = max(p.score for p in budgets.points("shed", "sensor")) - 0.01
    results = [*every_budget(), make(algorithm="raw", domain="sensor", task="exercise", score=best_free, seed=9)]
    results = [r for r in results if not (r.algorithm == "raw" and r.domain == "sensor" and r.seed == 0)]
    results.append(make(algorithm="raw", domain="sensor", task="side", score=best_free, seed=9))
    bounded = panel(build_budget_tables(results, "linear"), BY_SECONDS, "sensor")
    assert bounded.front == ""
    assert [i for i, one in enumerate(line_of(bounded, "shed").marks) if one.best] == [3]
    assert "On the front: shed (223 s at 10×)." in bounded.words


def test_what_did_not_learn_is_crossed_and_said(budgets: BudgetTables) -> None:
    plot = panel(budgets, BY_FLOPS, "sensor")
    assert all(one.failed and one.title.endswith("did not learn") for one in line_of(plot, "shed").marks)
    assert not any(one.failed for one in line_of(plot, "emix").marks)
    assert "FLOPs at 0.25×" in line_of(plot, "emix").marks[0].title


def test_words_hold_every_number(budgets: BudgetTables) -> None:
    words = panel(budgets, BY_BUDGET).words
    for name in ("shed", "emix", "contrastive", "supervised"):
        for point in budgets.points(name):
            assert f"{100 * point.score:.1f} (" in words
    assert "none, without pretraining: 38.5 (" in words
    assert "On the front" not in words


def test_unknown_costs_leave_points_out_and_are_counted() -> None:
    results = [altered("pretraining.flops", 0), make(algorithm="emix"), make(algorithm="none")]
    found = build_budget_tables(results, "linear")
    kinds = {one.kind.key: one for one in figures(found)}
    assert set(kinds) == {"seconds", "flops"}, "one budget has no figure by budget"
    assert [line.style.algorithm for line in kinds["flops"].plots[0].lines] == ["emix"]
    assert "Of 2 points, 1 are left out, because this cost of them is unknown." in kinds["flops"].note
    assert "left out" not in kinds["seconds"].note
    unknown = build_budget_tables([altered("pretraining.flops", 0)], "linear")
    assert [one.kind.key for one in figures(unknown)] == ["seconds"]
    assert figures(build_budget_tables([make(algorithm="none")], "linear")) == []


def figures(budgets: BudgetTables) -> list[CostFigure]:
    scopes = [None, *budgets.first.tasks] if len(budgets.first.counted) > 1 else [*budgets.first.tasks]
    return cost_figures(budgets, STYLES, scopes, "lite.linear")


def test_one_budget_is_a_scatter() -> None:
    found = build_budget_tables(make_suite(("linear",), gains=EVERY_ROW), "linear")
    for figure in figures(found):
        assert all(line.path == "" and len(line.marks) == 1 for plot in figure.plots for line in plot.lines)
        assert len(figure.plots) == 1 + len(SUITE)


def test_the_files_are_svg_csv_and_latex(budgets: BudgetTables) -> None:
    for figure in figures(budgets):
        drawing, table, latex = figure.files
        assert [file.name for file in figure.files] == [
            f"lite.linear.{figure.kind.key}.svg", "lite.linear.costs.csv", "lite.linear.costs.tex",
        ]  # fmt: skip
        root = ET.fromstring(drawing.text)
        assert root.findtext(f"{SVG}title") == figure.title
        assert "without pretraining" in (root.findtext(f"{SVG}desc") or "")
        classes = {name for element in root.iter() for name in element.attrib.get("class", "").split()}
        assert classes - {"hit", "name"} <= set(re.findall(r"\.([\w-]+)", root.findtext(f"{SVG}style") or ""))
        assert "var(" not in drawing.text
        lines = table.text.splitlines()
        assert lines[0] == "domain,algorithm,budget,seconds,FLOPs,reference,score,score low,score high,did not learn"
        assert len(lines) == 1 + 5 * (3 + 4 * 4)
        (shed,) = (line for line in lines if line.startswith("sensor,shed,0.25,"))
        assert shed.split(",")[3:5] == ["5.575", "1.35e+12"]
        assert shed.endswith(",score")
        assert "sensor & none & -- & -- & -- &" in latex.text


def test_the_report_and_the_site_draw_every_budget_beside_the_table_of_one(tmp_path: Path) -> None:
    every = Reading(entries=tuple(entries_of(every_budget())))
    one = every.at_budget(4.0)
    html = build_report(one.fixed_results(), tmp_path / "a.html", every=every.fixed_results()).read_text()
    assert "lite suite at budget 4" in html
    assert "Score by budget in the lite suite, linear probe" in html
    assert html.count('class="costs"') == 3
    alone = build_report(one.fixed_results(), tmp_path / "b.html").read_text()
    assert "Score by budget" not in alone
    assert alone.count('class="costs"') == 2
    site = build_site(one.entries, tmp_path / "site", every=every.entries)
    for page, place in (
        ("index", "the lite suite"),
        ("domains/sensor", "sensor"),
    ):
        text = (site / f"{page}.html").read_text()
        assert text.count('class="costs"') == 3
        assert f"Score by seconds in {place}, linear probe" in text
    assert (site / "downloads/lite.fixed.linear.budget.svg").is_file()
    assert (site / "downloads/lite.sensor.fixed-linear.costs.csv").is_file()


OVERLAPS = """() => {
  const bad = [];
  for (const svg of document.querySelectorAll(".costs svg")) {
    const all = [...svg.querySelectorAll("text")].map((e) => [e.textContent, e.getBoundingClientRect()]);
    all.forEach(([a, p], i) => all.slice(i + 1).forEach(([b, q]) => {
      const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 1 && high > 3) bad.push(`${a} / ${b}`);
    }));
    const frame = svg.getBoundingClientRect();
    const isOut = ([, p]) => p.right > frame.right + 1 || p.left < frame.left - 1;
    all.filter(isOut).forEach(([a]) => bad.push(`${a} outside`));
  }
  return bad;
}"""


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_no_text_overlaps_or_leaves_its_panel(browser: Any, tmp_path: Path, width: int, scheme: str) -> None:
    every = every_budget(names={"contrastive": "a_very_long_name_of_a_row"})
    one = Reading(entries=tuple(entries_of(every))).at_budget(1.0)
    visit = Visit(browser, build_report(one.fixed_results(), tmp_path / "a.html", every=every), width, scheme)
    assert visit.problems == []
    assert visit.page.evaluate(OVERLAPS) == []
    assert visit.page.evaluate(CONTRAST) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
