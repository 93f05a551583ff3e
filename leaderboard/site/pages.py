"""What each page of the site shows: its path, its template and the values for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dabs.config import PROTOCOLS, protocol_name
from dabs.data.domain import Domain, describe_target
from dabs.leaderboard.site import plots, views
from dabs.leaderboard.site.boards import Board, drawn
from dabs.leaderboard.site.long_tables import SHOWN, TableRows
from dabs.leaderboard.tables.aggregate import FLOORS, Table, ordered
from dabs.leaderboard.tables.render import best, legend, mark
from dabs.results.entries import Entry
from dabs.specs import describe_inputs

Page = tuple[str, str, dict[str, Any], list[TableRows]]  # path, template, values, tables that may be long
TITLES = {"fixed": "One setting for all domains", "tuned": "Tuned within a declared grid and budget"}


def every_page(
    rows: Sequence[Entry], boards: Sequence[Board], domains: Mapping[str, Domain], slugs: Mapping[str, str]
) -> Iterator[Page]:
    """All pages of the site."""
    table = boards[0].tables[0]
    common = {
        "suite": table.suite,
        "level": f"{100 * boards[0].results[0].interval.level:g} %",
        "protocols": [(p, protocol_name(p)) for p in _protocols(boards)],
        "titles": TITLES,
        "legend": legend(table),
    }
    index = {**common, **_index(rows, boards, domains)}
    yield "index.html", "index", index, [view["rows"] for _, views in index["boards"] for view in views.values()]
    yield "compare.html", "compare", {**common, **_compare(boards, slugs)}, []
    cards = [_card(domains[name]) for name in table.tasks if name in domains]
    yield "cards.html", "cards", {**common, "cards": cards, "scored": table.tasks}, []
    yield "submit.html", "submit", common, []
    if len(rows) > SHOWN:
        yield "rows.html", "rows", {**common, "lists": _lists(boards)}, []
    for domain, tasks in table.tasks.items():
        card = _card(domains[domain]) if domain in domains else None
        page = {**common, **_domain(boards, domain), "card": card}
        long = [view["rows"] for board in page["boards"] for view in board["views"].values()]
        yield f"domains/{domain}.html", "domain", page, long
        for task in tasks:
            page = {**common, **_task(boards, domain, task), "card": card}
            yield f"tasks/{domain}.{task}.html", "task", page, [board["rows"] for board in page["boards"]]
    for row in rows:
        yield f"algorithms/{slugs[row.name]}.html", "algorithm", {**common, **_algorithm(row, boards)}, []


def _lists(boards: Sequence[Board]) -> list[tuple[str, list[tuple[str, list[float | None]]]]]:
    """Every row of each ruleset by name, with its overall score under each protocol."""
    return [
        (board.ruleset, [(name, [t.overall(name) for t in board.tables]) for name in board.tables[0].algorithms])
        for board in boards
    ]


def _protocols(boards: Sequence[Board]) -> list[str]:
    return [p for p in PROTOCOLS if any(table.protocol == p for board in boards for table in board.tables)]


def _compare(boards: Sequence[Board], slugs: Mapping[str, str]) -> dict[str, Any]:
    """The rows to choose from; at first the best learned one and the random encoder."""
    ranked = [row["algorithm"] for row in views.headline(boards[0].tables[0])]
    first = next((name for name in ranked if name not in FLOORS), ranked[0])
    second = next((name for name in ("none", *ranked) if name in slugs and name != first), first)
    return {"choices": list(slugs.items()), "chosen": (slugs[first], slugs[second])}


def _index(rows: Sequence[Entry], boards: Sequence[Board], domains: Mapping[str, Domain]) -> dict[str, Any]:
    first = boards[0].tables[0]
    return {
        "facts": views.facts([result for row in rows for result in row.results], first),
        "rows": len(rows),
        "boards": [(board.ruleset, {t.protocol: _overview(board, t) for t in board.tables}) for board in boards],
        "domains": [_tile(first, name, domains.get(name)) for name in first.tasks],
    }


def _overview(board: Board, table: Table) -> dict[str, Any]:
    """The overall table of one protocol."""
    view = views.overview(table)
    key = f"{board.ruleset}-{table.protocol}"
    rows = TableRows(key=key, macro="headline_rows", all=view["headline"], arguments=(view["compare"],))
    return {**view, "rows": rows}


def _tile(table: Table, name: str, domain: Domain | None) -> dict[str, Any]:
    """A domain with its tasks, for the list on the first page."""
    tasks = [(task, mark(table, name, task)) for task in table.tasks[name]]
    title = domain.title if domain else name.replace("_", " ").capitalize()
    return {"name": name, "title": title, "mark": mark(table, name), "tasks": tasks}


def _domain(boards: Sequence[Board], name: str) -> dict[str, Any]:
    parts = []
    for board in boards:
        shown = {table.protocol: drawn(table, name) for table in board.tables}
        known = plots.looks(ordered({a for table in shown.values() for a in table.algorithms}))
        by_protocol = {
            table.protocol: {
                "rows": TableRows(
                    key=f"{board.ruleset}-{table.protocol}",
                    macro="domain_rows",
                    all=_domain_rows(table, name),
                    arguments=(name, table.protocol),
                ),
                "figure": plots.dot_plot(shown[table.protocol], name, known),
            }
            for table in board.tables
        }
        runs = [r for r in board.results if r.domain == name and r.algorithm in known]
        curves = views.curves(runs, known)
        parts.append(
            {
                "ruleset": board.ruleset,
                "views": by_protocol,
                "looks": list(known.values()),
                "curves": curves,
                "all": len(known) == len(board.tables[0].algorithms),
            }
        )
    table = boards[0].tables[0]
    return {
        "domain": name,
        "title": name.replace("_", " ").capitalize(),
        "mark": mark(table, name),
        "tasks": [(task, mark(table, name, task)) for task in table.tasks[name]],
        "boards": parts,
    }


def _domain_rows(table: Table, name: str) -> list[dict[str, Any]]:
    """A row an algorithm, the best first: the domain's mean and a cell a task."""
    names = table.algorithms
    means = [table.domain_mean(a, name) for a in names]
    top = best(means)
    columns = []
    for task in table.tasks[name]:
        cells = [table.cell(a, name, task) for a in names]
        winners = best([cell.mean if cell else None for cell in cells])
        columns.append([(task, cell, i in winners) for i, cell in enumerate(cells)])
    rows = [
        {
            "algorithm": algorithm,
            "mean": means[i],
            "best": i in top,
            "interval": table.domain_interval(algorithm, name),
            "cells": [column[i] for column in columns],
        }
        for i, algorithm in enumerate(names)
    ]
    return views.by_score(rows, lambda row: row["mean"])


def _task(boards: Sequence[Board], domain: str, task: str) -> dict[str, Any]:
    parts = []
    for board in boards:
        figures = []
        shown = [replace(drawn(table, domain), tasks={domain: (task,)}) for table in board.tables]
        known = plots.looks(ordered({a for table in shown for a in table.algorithms}))
        for table in shown:
            plot = plots.dot_plot(table, domain, known)
            if plot:
                figures.append(replace(plot, domain=protocol_name(table.protocol).capitalize()))
        parts.append(
            {
                "ruleset": board.ruleset,
                "protocols": [(table.protocol, protocol_name(table.protocol)) for table in board.tables],
                "rows": TableRows(
                    key=board.ruleset, macro="task_rows", all=_task_rows(board, domain, task), arguments=(domain, task)
                ),
                "figures": figures,
                "looks": list(known.values()),
                "all": len(known) == len(board.tables[0].algorithms),
            }
        )
    results = [r for board in boards for r in board.results if (r.domain, r.task) == (domain, task)]
    return {
        "domain": domain,
        "task": task,
        "title": f"{task}, {domain.replace('_', ' ')}",
        "mark": mark(boards[0].tables[0], domain, task),
        "boards": parts,
        "data": views.data(results[:1], boards[0].tables[0]),
        "info": boards[0].tables[0].info.get((domain, task)),
    }


def _task_rows(board: Board, domain: str, task: str) -> list[dict[str, Any]]:
    """A row an algorithm, the best by the first protocol first, and a cell a protocol."""
    names = board.tables[0].algorithms
    columns = []
    for table in board.tables:
        cells = [table.cell(a, domain, task) for a in names]
        winners = best([cell.mean if cell else None for cell in cells])
        columns.append([(table.protocol, cell, i in winners) for i, cell in enumerate(cells)])
    rows: list[dict[str, Any]] = [
        {"algorithm": algorithm, "cells": [column[i] for column in columns]} for i, algorithm in enumerate(names)
    ]
    return views.by_score(rows, lambda row: row["cells"][0][1].mean if row["cells"][0][1] else None)


def _algorithm(row: Entry, boards: Sequence[Board]) -> dict[str, Any]:
    board = next(board for board in boards if board.ruleset == row.ruleset)
    results, name, tasks = row.results, row.name, board.tables[0].tasks
    options = {json.dumps(r.pretraining.config.get("options", {}), sort_keys=True) for r in views.runs(results)}
    means = [("", [(table.overall(name), table.overall_interval(name)) for table in board.tables])]
    for domain in tasks:
        means.append((domain, [(t.domain_mean(name, domain), t.domain_interval(name, domain)) for t in board.tables]))
    return {
        "row": row,
        "title": name[:80],
        "hash": results[0].algorithm_sha256,
        "parameters": sorted({result.encoder.parameters for result in results}),
        "options": json.loads(options.pop()) if len(options) == 1 else None,
        "tables_of": [(table.protocol, protocol_name(table.protocol)) for table in board.tables],
        "means": means,
        "wins": [
            table.beats(name) if name != "none" and "none" in table.algorithms else None for table in board.tables
        ],
        "tasks": [
            (
                domain,
                task,
                mark(board.tables[0], domain, task),
                board.tables[0].info.get((domain, task)),
                [(table.protocol, table.cell(name, domain, task)) for table in board.tables],
            )
            for domain, names in tasks.items()
            for task in names
        ],
        "curves": views.curves(results, plots.looks([name])),
        "runs": views.runs(results),
        "environments": views.environments(results),
    }


def _card(domain: Domain) -> dict[str, Any]:
    """A domain's card and those of its tasks, in words."""
    return {
        "domain": domain,
        "inputs": describe_inputs(domain.specs),
        "tasks": {task.name: (task, describe_target(task.target)) for task in domain.tasks},
    }
