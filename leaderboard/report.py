"""One self-contained HTML file that a reader opens from disk: tables, figures and provenance, no network at all."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dabs.errors import RequestError
from dabs.home import replacing
from leaderboard import plots
from leaderboard.aggregate import Table, Tasks, build_table, ordered, protocols_of
from leaderboard.published import published_of
from leaderboard.schema import Result
from leaderboard.table import best, legend, mark, points, protocol_name, seeds_of


def build_report(results: Sequence[Result], out: Path, tasks: Tasks | None = None) -> Path:
    """Write the report of all results to `out` and give its path. The same results give the same bytes.

    Args:
        results: of one suite; each protocol becomes a view of the page.
        out: the HTML file; its folder is made, an older file is replaced.
        tasks: all tasks of each domain, as in `aggregate.build_table`.

    Raises:
        RequestError: no results, or results that may not share a table.
        DabsError: the file cannot be written.
    """
    if not results:
        raise RequestError("there are no results to report. Make some with `dabs run`.")
    tables = [build_table(results, protocol, tasks) for protocol in protocols_of(results)]
    known = plots.looks(ordered({result.algorithm for result in results}))
    html = _render(
        suite=results[0].suite,
        facts=_facts(results, tables[0]),
        views=[_view(table, known) for table in tables],
        looks=list(known.values()),
        legend=legend(tables[0]),
        curves=_curves(results, known),
        published=published_of(results[0].suite),
        data=_data(results, tables[0]),
        runs=_runs(results),
        environments=_environments(results),
    )
    with replacing(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return out


def _render(**context: Any) -> str:
    """The page, with a content policy that lets this one script run and nothing be fetched."""
    loader = PackageLoader("leaderboard", "templates")
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    pages.filters |= {"points": points, "short": lambda text: text[:12], "minutes": _minutes}
    script, style = (pages.get_template(name).render() for name in ("script.js.j2", "style.css.j2"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    # both are the package's own text, without anything from a result file
    safe = {"script": Markup(script), "style": Markup(style)}  # noqa: S704
    return pages.get_template("report.html.j2").render(policy=policy, **safe, **context)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"


def _facts(results: Sequence[Result], table: Table) -> dict[str, Any]:
    """The numbers of the page's first lines."""
    runs = _by_run(results)
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


def _view(table: Table, known: dict[str, plots.Look]) -> dict[str, Any]:
    """Everything the page shows of one protocol."""
    figures = [plots.dot_plot(table, domain, known) for domain in table.tasks]
    return {
        "protocol": table.protocol,
        "name": protocol_name(table.protocol),
        "algorithms": table.algorithms,
        "domains": [(domain, mark(table, domain)) for domain in table.tasks],
        "headline": _headline(table),
        "tasks": _task_rows(table),
        "figures": [figure for figure in figures if figure],
        "seeds": seeds_of(table.cells.values()),
        "compare": "none" in table.algorithms,
    }


def _headline(table: Table) -> list[dict[str, Any]]:
    """A row an algorithm, the best first: overall, each domain, and on how many tasks it beats the random encoder."""
    means = {a: [table.overall(a), *(table.domain_mean(a, domain) for domain in table.tasks)] for a in table.algorithms}
    columns = [best(column) for column in zip(*means.values(), strict=True)]
    rows: list[dict[str, Any]] = []
    for i, (algorithm, values) in enumerate(means.items()):
        wins = table.beats(algorithm) if algorithm != "none" and "none" in means else None
        cells = [(value, i in winners) for value, winners in zip(values, columns, strict=True)]
        rows.append({"algorithm": algorithm, "cells": cells, "wins": wins})
    return sorted(rows, key=lambda row: -math.inf if row["cells"][0][0] is None else row["cells"][0][0], reverse=True)


def _task_rows(table: Table) -> list[dict[str, Any]]:
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


def _by_run(results: Sequence[Result]) -> list[Result]:
    """One result of each pretraining run (algorithm, domain, seed); they all carry the same account of it."""
    runs: dict[tuple[str, str, int], Result] = {}
    for result in results:
        runs.setdefault((result.algorithm, result.domain, result.seed), result)
    return [runs[key] for key in sorted(runs, key=lambda key: (key[1], key[0], key[2]))]


def _curves(results: Sequence[Result], known: dict[str, plots.Look]) -> list[dict[str, Any]]:
    """The learning curves of each domain, a panel an algorithm."""
    found: dict[str, dict[str, dict[int, Any]]] = defaultdict(lambda: defaultdict(dict))
    for run in _by_run(results):
        found[run.domain][run.algorithm][run.seed] = run.pretraining.curve
    domains = []
    for domain, by_algorithm in sorted(found.items()):
        drawn = [plots.curve_panel(by_algorithm[a], domain, known[a]) for a in ordered(by_algorithm)]
        panels = [panel for panel in drawn if panel]
        if panels:
            domains.append({"domain": domain, "panels": panels})
    return domains


def _data(results: Sequence[Result], table: Table) -> list[dict[str, Any]]:
    """A row a task: origin, sizes, hashes and sources of its data."""
    firsts = {(result.domain, result.task): result for result in reversed(results)}
    return [{"result": firsts[key], "mark": mark(table, *key)} for key in sorted(firsts)]


def _runs(results: Sequence[Result]) -> list[Result]:
    """The pretraining runs that learned something, for the table of runs."""
    return [run for run in _by_run(results) if run.pretraining.steps]


def _environments(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Each distinct environment with the number of results made in it, the most used first."""
    counts: dict[str, int] = defaultdict(int)
    for result in results:
        counts[json.dumps(result.environment.model_dump(mode="json"), sort_keys=True)] += 1
    return [
        {**json.loads(text), "results": n} for text, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
