"""Plain values for the templates, shared by the report and the site's pages."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from dabs.config import protocol_name
from dabs.leaderboard.site import plots
from dabs.leaderboard.tables.aggregate import Table, order_algorithms
from dabs.leaderboard.tables.render import best_positions, describe_seeds, mark
from dabs.results.schema import Result


def header_facts(results: Sequence[Result], table: Table) -> dict[str, Any]:
    """Return the numbers at the top of the first page: counts, dates, time spent."""
    return {
        "algorithms": len(table.algorithms),
        "domains": len(table.tasks),
        "tasks": sum(len(names) for names in table.tasks.values()),
        "results": len(results),
        "seeds": sorted({result.seed for result in results}),
        "level": f"{100 * results[0].interval.level:g} %",
        "seconds": sum(result.pretraining.wall_seconds for result in one_per_run(results)),
        "first": min(result.timings.started for result in results)[:10],
        "last": max(result.timings.started for result in results)[:10],
    }


def protocol_view(table: Table, styles: dict[str, plots.MarkerStyle]) -> dict[str, Any]:
    """Return everything that the report shows of one protocol."""
    figures = [plots.layout_dot_plot(table, domain, styles) for domain in table.tasks]
    return {**overall_view(table), "tasks": rows_by_task(table), "figures": [figure for figure in figures if figure]}


def overall_view(table: Table) -> dict[str, Any]:
    """Return the overall table of one protocol."""
    return {
        "protocol": table.protocol,
        "name": protocol_name(table.protocol),
        "algorithms": table.algorithms,
        "domains": [(domain, mark(table, domain)) for domain in table.tasks],
        "headline": overall_rows(table),
        "seeds": describe_seeds(table.cells.values()),
        "compare": "none" in table.algorithms,
    }


def overall_rows(table: Table) -> list[dict[str, Any]]:
    """Return one row per algorithm, the best first: overall score, domain means, and wins over the random encoder."""
    means = {a: [table.overall(a), *(table.domain_mean(a, domain) for domain in table.tasks)] for a in table.algorithms}
    columns = [best_positions(column) for column in zip(*means.values(), strict=True)]
    rows: list[dict[str, Any]] = []
    for i, (algorithm, values) in enumerate(means.items()):
        wins = table.beats(algorithm) if algorithm != "none" and "none" in means else None
        intervals = [table.overall_interval(algorithm), *(table.domain_interval(algorithm, d) for d in table.tasks)]
        cells = [(v, i in winners, interval) for v, winners, interval in zip(values, columns, intervals, strict=True)]
        rows.append({"algorithm": algorithm, "cells": cells, "wins": wins})
    return sort_by_score(rows, lambda row: row["cells"][0][0])


def sort_by_score(rows: list[dict[str, Any]], score: Callable[[dict[str, Any]], float | None]) -> list[dict[str, Any]]:
    """Return the rows with the highest score first and those without a score last."""

    def key(row: dict[str, Any]) -> float:
        value = score(row)
        return -math.inf if value is None else value

    return sorted(rows, key=key, reverse=True)


def rows_by_task(table: Table) -> list[dict[str, Any]]:
    """Return one row per task: what it is, and one cell per algorithm."""
    rows = []
    for domain, names in table.tasks.items():
        for task in names:
            cells = [table.cell(algorithm, domain, task) for algorithm in table.algorithms]
            winners = best_positions([cell.mean if cell else None for cell in cells])
            rows.append(
                {
                    "domain": domain,
                    "task": task,
                    "mark": mark(table, domain, task),
                    "info": table.info.get((domain, task)),
                    "cells": [(cell, i in winners) for i, cell in enumerate(cells)],
                }
            )
    return rows


def one_per_run(results: Sequence[Result]) -> list[Result]:
    """Return one result of each pretraining run (algorithm, domain, seed); all results of a run describe it alike."""
    firsts: dict[tuple[str, str, int], Result] = {}
    for result in results:
        firsts.setdefault((result.algorithm, result.domain, result.seed), result)
    return [firsts[key] for key in sorted(firsts, key=lambda key: (key[1], key[0], key[2]))]


def learning_curves(results: Sequence[Result], styles: dict[str, plots.MarkerStyle]) -> list[dict[str, Any]]:
    """Return the learning curves of each domain, one panel per algorithm."""
    found: dict[str, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
    for run in one_per_run(results):
        found[run.domain][run.algorithm][run.seed] = run.pretraining.curve
    domains = []
    for domain, by_algorithm in sorted(found.items()):
        drawn = [plots.layout_curve_panel(by_algorithm[a], domain, styles[a]) for a in order_algorithms(by_algorithm)]
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
