"""Plain values for the templates, shared by the report and the site's pages."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dabs.config import protocol_name
from dabs.evaluation.reference_rows import RANDOM, SUPERVISED, has_no_seed, is_reference, reference_place
from dabs.leaderboard.site import plots, sheets, standalone
from dabs.leaderboard.site.curves import layout_curve_panel
from dabs.leaderboard.site.downloads import File
from dabs.leaderboard.site.heat import heat_view
from dabs.leaderboard.tables.aggregate import Table, order_algorithms
from dabs.leaderboard.tables.costs import one_per_run
from dabs.leaderboard.tables.ranking import (
    RANKS,
    TESTED_RANKS,
    TestedRanks,
    column_leader,
    column_ranks,
    describe_bold,
)
from dabs.leaderboard.tables.render import (
    COVERS,
    READERS,
    describe_failures,
    describe_seeds,
    describe_single_seeds,
    explain_references,
    mark,
)
from dabs.leaderboard.tables.standing import failed_runs, gap_closed, has_gap
from dabs.results.schema import Result


def header_facts(results: Sequence[Result], table: Table) -> dict[str, Any]:
    """Return the numbers at the top of the first page: counts, dates, time spent."""
    return {
        "algorithms": len(table.algorithms),
        "domains": len(table.tasks),
        "tasks": sum(len(names) for names in table.tasks.values()),
        "results": len(results),
        "seeds": sorted({result.seed for result in results if not has_no_seed(result.algorithm)}),
        "level": f"{100 * results[0].interval.level:g} %",
        "seconds": sum(result.pretraining.wall_seconds for result in one_per_run(results)),
        "first": min(result.timings.started for result in results)[:10],
        "last": max(result.timings.started for result in results)[:10],
    }


def protocol_view(
    table: Table,
    tables: Sequence[Table],
    styles: dict[str, plots.MarkerStyle],
    tested: TestedRanks | None = None,
) -> dict[str, Any]:
    """Return everything that the report shows of one protocol; `tables` has one table per protocol."""
    axes = {domain: plots.task_axis(tables, domain) for domain in table.tasks}
    figures = [plots.layout_tasks(table, domain, styles, axes[domain]) for domain in table.tasks]
    drawn = [figure for figure in figures if figure]
    name = f"{table.suite}.tasks.{table.protocol}"
    return {
        **overall_view(table, tested),
        "heat": heat_view(table, f"{table.suite}.fixed.{table.protocol}"),
        "ordered": order_for_columns(table),
        "tasks": rows_by_task(table),
        "figures": drawn,
        "overview": overview_view(table, tables, styles),
        "figure_files": figure_files(name, drawn, f"Every task, {protocol_name(table.protocol)}", columns=3),
        "task_files": sheets.all_tasks_sheet(table).files,
    }


def overview_view(
    table: Table, tables: Sequence[Table], styles: dict[str, plots.MarkerStyle], ruleset: str = "fixed", note: str = ""
) -> dict[str, Any]:
    """Return the first figure: the mean of all domains and of each domain, under one protocol.

    Args:
        table: the rows to draw.
        tables: of every protocol, whose figures share one scale.
        styles: of the rows.
        ruleset: the ruleset of the rows.
        note: a sentence before the explanation of the marks.
    """
    panels = plots.layout_overview(table, styles, plots.overview_axis(tables))
    title = f"Mean scores of the {table.title}, {protocol_name(table.protocol)}"
    name = f"{table.suite}.{ruleset}.{table.protocol}"
    references = [f"{plots.name_shape(name)} {name}" for name in table.algorithms if is_reference(name)]
    marks = f"Hollow marks are reference rows: {', '.join(references)}." if references else ""
    marks += " The vertical line is the level of none." if RANDOM in table.algorithms else ""
    words = (
        f"{note}Score × 100, higher is better. In each panel the algorithms stand in the order of their means, and all "
        f"panels share one scale; lines are intervals over {COVERS}, small dots single seeds."
    )
    notes = [f"{words} {marks}".strip()]
    return {
        "styles": list(styles.values()),
        "plots": panels,
        "note": words,
        "title": title,
        "notes": notes,
        "files": [File(name=f"{name}.svg", text=standalone.draw_dots(panels, title, notes))] if panels else [],
    }


def figure_files(name: str, drawn: Sequence[plots.DotPlot], title: str, *, columns: int = 2) -> list[File]:
    """Return the file of some plots, if there is any."""
    note = (
        "Score × 100, higher is better. Large marks are means over seeds, small dots single seeds, lines intervals "
        f"over {COVERS}; hollow marks are reference rows and the dashed line is chance."
    )
    return [File(name=f"{name}.svg", text=standalone.draw_dots(drawn, title, [note], columns=columns))] if drawn else []


def curve_files(name: str, groups: Sequence[dict[str, Any]], title: str) -> list[File]:
    """Return the file of all learning curves, if there is any."""
    panels = [(f"{panel.style.algorithm}, {group['domain']}", panel) for group in groups for panel in group["panels"]]
    note = "Training loss by step, one line per run; each panel has its own vertical scale."
    return [File(name=f"{name}.curves.svg", text=standalone.draw_curves(panels, title, [note]))] if panels else []


def order_for_columns(table: Table) -> list[str]:
    """Return the rows of a table as columns: the algorithms, then the reference rows."""
    return sorted(table.algorithms, key=lambda name: is_reference(name))


def overall_view(table: Table, tested: TestedRanks | None = None, ruleset: str = "fixed") -> dict[str, Any]:
    """Return the overall table of one protocol; `tested` has the ranks by paired tests, where they were made."""
    ranks = (tested or {}).get(None, {})
    return {
        "protocol": table.protocol,
        "name": protocol_name(table.protocol),
        "algorithms": table.algorithms,
        "domains": [(domain, mark(table, domain)) for domain in table.tasks],
        "headline": overall_rows(table, ranks),
        "files": sheets.overall_sheet(table, ruleset, ranks).files,
        "seeds": describe_seeds(table.cells.values()),
        "compare": RANDOM in table.algorithms,
        **notes_view(table, ranks),
    }


def notes_view(table: Table, tested: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return what the captions of a table of scores say: its reader, its reference rows, and what did not learn.

    Args:
        table: the table.
        tested: the ranks by paired tests of one column, where they were made.
    """
    ranked = sum(not is_reference(name) for name in table.algorithms)
    some = f" Of {ranked} algorithms, {len(tested)} were tested." if tested and len(tested) < ranked else ""
    return {
        "reader": READERS[table.protocol],
        "bold": describe_bold(table.algorithms),
        "ranks": RANKS,
        "tested": f"{TESTED_RANKS}.{some}" if tested else "",
        "references": explain_references(table.algorithms),
        "failures": describe_failures(table),
        "single_seeds": describe_single_seeds(table),
        "supervised": SUPERVISED in table.algorithms,
        "gap": has_gap(table),
    }


def mean_view(table: Table, algorithm: str, domain: str | None = None, *, best: bool = False) -> dict[str, Any]:
    """Return a row's mean of a domain, or of all domains, with everything that is shown beside it.

    `failed` says which of its runs did not learn, and is empty if all did.
    """
    found = [run for run in failed_runs(table, algorithm) if domain in (None, run.place.partition("/")[0])]
    return {
        "value": table.overall(algorithm) if domain is None else table.domain_mean(algorithm, domain),
        "best": best,
        "interval": table.overall_interval(algorithm) if domain is None else table.domain_interval(algorithm, domain),
        "gap": gap_closed(table, algorithm, domain),
        "failed": "; ".join(map(str, found)),
    }


def overall_rows(table: Table, tested: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
    """Return one row per algorithm, the best first: overall score, domain means, and wins over the random encoder.

    Args:
        table: the table.
        tested: the ranks over all domains by paired tests, where they were made.
    """
    places = [(domain, column_leader(table, domain)) for domain in (None, *table.tasks)]
    ranks = column_ranks(table)
    rows: list[dict[str, Any]] = []
    for algorithm in table.algorithms:
        wins = table.beats(algorithm) if algorithm != RANDOM and RANDOM in table.algorithms else None
        cells = [mean_view(table, algorithm, domain, best=algorithm == leader) for domain, leader in places]
        rows.append(
            {
                "algorithm": algorithm,
                "reference": is_reference(algorithm),
                "rank": ranks.get(algorithm),
                "tested": (tested or {}).get(algorithm),
                "cells": cells,
                "wins": wins,
            }
        )
    return sort_by_score(rows, lambda row: row["cells"][0]["value"])


def split_rows(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the ranked rows in their order, and the reference rows in theirs."""
    references = sorted((row for row in rows if row["reference"]), key=lambda row: reference_place(row["algorithm"]))
    return [row for row in rows if not row["reference"]], references


def sort_by_score(rows: list[dict[str, Any]], score: Callable[[dict[str, Any]], float | None]) -> list[dict[str, Any]]:
    """Return the rows with the highest score first and those without a score last."""

    def key(row: dict[str, Any]) -> float:
        value = score(row)
        return -math.inf if value is None else value

    return sorted(rows, key=key, reverse=True)


def rows_by_task(table: Table) -> list[dict[str, Any]]:
    """Return one row per task: what it is, and one cell per row of the table, in the order of `order_for_columns`."""
    rows = []
    for domain, names in table.tasks.items():
        for task in names:
            leader = column_leader(table, domain, task)
            rows.append(
                {
                    "domain": domain,
                    "task": task,
                    "mark": mark(table, domain, task),
                    "info": table.info.get((domain, task)),
                    "cells": [(table.cell(name, domain, task), name == leader) for name in order_for_columns(table)],
                }
            )
    return rows


def learning_curves(results: Sequence[Result], styles: dict[str, plots.MarkerStyle]) -> list[dict[str, Any]]:
    """Return the learning curves of each domain, one panel per algorithm."""
    found: dict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for run in one_per_run(results):
        name = f"{run.task}, seed {run.seed}" if run.algorithm == SUPERVISED else f"seed {run.seed}"
        found[run.domain][run.algorithm][name] = run.pretraining.curve
    domains = []
    for domain, by_algorithm in sorted(found.items()):
        drawn = [layout_curve_panel(by_algorithm[a], domain, styles[a]) for a in order_algorithms(by_algorithm)]
        panels = [panel for panel in drawn if panel]
        if panels:
            domains.append({"domain": domain, "panels": panels})
    return domains


def data_rows(results: Sequence[Result], table: Table) -> list[dict[str, Any]]:
    """Return one row per task for the table of origins, sizes, hashes and sources of the data."""
    firsts = {(result.domain, result.task): result for result in reversed(results)}
    return [{"result": firsts[key], "mark": mark(table, *key)} for key in sorted(firsts)]


def pretraining_runs(results: Sequence[Result]) -> list[Result]:
    """Return one result of each pretraining run that took a step, for the table of runs."""
    return [run for run in one_per_run(results) if run.pretraining.steps]


def count_environments(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return each distinct environment with the number of results made in it, the most used first."""
    counts: dict[str, int] = defaultdict(int)
    for result in results:
        counts[json.dumps(result.environment.model_dump(mode="json"), sort_keys=True)] += 1
    most_used = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{**json.loads(text), "results": count} for text, count in most_used]
