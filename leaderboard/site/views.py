"""What the pages show, as plain values for the templates; the report and the site share it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from dabs.config import protocol_name
from dabs.leaderboard.site import plots
from dabs.leaderboard.tables.aggregate import Table, ordered
from dabs.leaderboard.tables.render import best, mark, seeds_of
from dabs.results.schema import Result


def facts(results: Sequence[Result], table: Table) -> dict[str, Any]:
    """The numbers of the page's first lines."""
    runs = by_run(results)
    return {
        "algorithms": len(table.algorithms),
        "domains": len(table.tasks),
        "tasks": sum(len(names) for names in table.tasks.values()),
        "results": len(results),
        "seeds": sorted({result.seed for result in results}),
        "level": f"{100 * results[0].interval.level:g} %",
        "seconds": sum(run.pretraining.wall_seconds for run in runs),
        "first": min(result.timings.started for result in results)[:10],
        "last": max(result.timings.started for result in results)[:10],
    }


def view(table: Table, known: dict[str, plots.Look]) -> dict[str, Any]:
    """Everything the report shows of one protocol."""
    figures = [plots.dot_plot(table, domain, known) for domain in table.tasks]
    return {**overview(table), "tasks": task_rows(table), "figures": [figure for figure in figures if figure]}


def overview(table: Table) -> dict[str, Any]:
    """The overall table of one protocol."""
    return {
        "protocol": table.protocol,
        "name": protocol_name(table.protocol),
        "algorithms": table.algorithms,
        "domains": [(domain, mark(table, domain)) for domain in table.tasks],
        "headline": headline(table),
        "seeds": seeds_of(table.cells.values()),
        "compare": "none" in table.algorithms,
    }


def headline(table: Table) -> list[dict[str, Any]]:
    """A row an algorithm, the best first: overall, each domain, and on how many tasks it beats the random encoder."""
    means = {a: [table.overall(a), *(table.domain_mean(a, domain) for domain in table.tasks)] for a in table.algorithms}
    columns = [best(column) for column in zip(*means.values(), strict=True)]
    rows: list[dict[str, Any]] = []
    for i, (algorithm, values) in enumerate(means.items()):
        wins = table.beats(algorithm) if algorithm != "none" and "none" in means else None
        ends = [table.overall_interval(algorithm), *(table.domain_interval(algorithm, d) for d in table.tasks)]
        cells = [(v, i in winners, end) for v, winners, end in zip(values, columns, ends, strict=True)]
        rows.append({"algorithm": algorithm, "cells": cells, "wins": wins})
    return by_score(rows, lambda row: row["cells"][0][0])


def by_score(rows: list[dict[str, Any]], score: Callable[[dict[str, Any]], float | None]) -> list[dict[str, Any]]:
    """The highest first; those without a score last."""

    def key(row: dict[str, Any]) -> float:
        value = score(row)
        return -math.inf if value is None else value

    return sorted(rows, key=key, reverse=True)


def task_rows(table: Table) -> list[dict[str, Any]]:
    """A row a task: what it is, and a cell an algorithm."""
    rows = []
    for domain, names in table.tasks.items():
        for task in names:
            cells = [table.cell(algorithm, domain, task) for algorithm in table.algorithms]
            winners = best([cell.mean if cell else None for cell in cells])
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


def by_run(results: Sequence[Result]) -> list[Result]:
    """One result of each pretraining run (algorithm, domain, seed); they all carry the same account of it."""
    runs: dict[tuple[str, str, int], Result] = {}
    for result in results:
        runs.setdefault((result.algorithm, result.domain, result.seed), result)
    return [runs[key] for key in sorted(runs, key=lambda key: (key[1], key[0], key[2]))]


def curves(results: Sequence[Result], known: dict[str, plots.Look]) -> list[dict[str, Any]]:
    """The learning curves of each domain, a panel an algorithm."""
    found: dict[str, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
    for run in by_run(results):
        found[run.domain][run.algorithm][run.seed] = run.pretraining.curve
    domains = []
    for domain, by_algorithm in sorted(found.items()):
        drawn = [plots.curve_panel(by_algorithm[a], domain, known[a]) for a in ordered(by_algorithm)]
        panels = [panel for panel in drawn if panel]
        if panels:
            domains.append({"domain": domain, "panels": panels})
    return domains


def data(results: Sequence[Result], table: Table) -> list[dict[str, Any]]:
    """A row a task: origin, sizes, hashes and sources of its data."""
    firsts = {(result.domain, result.task): result for result in reversed(results)}
    return [{"result": firsts[key], "mark": mark(table, *key)} for key in sorted(firsts)]


def runs(results: Sequence[Result]) -> list[Result]:
    """The pretraining runs that learned something, for the table of runs."""
    return [run for run in by_run(results) if run.pretraining.steps]


def environments(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Each distinct environment with the number of results made in it, the most used first."""
    counts: dict[str, int] = defaultdict(int)
    for result in results:
        counts[json.dumps(result.environment.model_dump(mode="json"), sort_keys=True)] += 1
    return [
        {**json.loads(text), "results": n} for text, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
