"""The pages of the site: the path, the template and the values of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dabs.config import PROTOCOLS, protocol_name
from dabs.data.domain import Domain, describe_target
from dabs.evaluation.reference_rows import EXPLANATIONS, RANDOM, REFERENCES
from dabs.leaderboard.site import plots, views
from dabs.leaderboard.site.boards import Board, select_drawn_rows
from dabs.leaderboard.site.long_tables import MAX_ROWS, TableRows
from dabs.leaderboard.tables.aggregate import Table, order_algorithms
from dabs.leaderboard.tables.render import best_unlabelled, describe_failures, legend, mark
from dabs.results.entries import Entry
from dabs.specs import describe_inputs

RULESET_TITLES = {"fixed": "One setting for all domains", "tuned": "Tuned within a declared grid and budget"}


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page of the site.

    Attributes:
        path: where it is written, relative to the site's folder.
        template: the name of its template in `templates/site/`.
        values: the values for the template.
        tables: the tables whose rows may not all fit on the page.
    """

    path: str
    template: str
    values: Mapping[str, Any]
    tables: Sequence[TableRows] = ()


def build_pages(
    rows: Sequence[Entry], boards: Sequence[Board], domains: Mapping[str, Domain], slugs: Mapping[str, str]
) -> Iterator[Page]:
    """Yield every page of the site.

    Args:
        rows: every row.
        boards: the boards of these rows.
        domains: the domains whose cards are shown, by name.
        slugs: each row's file name.
    """
    table = boards[0].tables[0]
    common = {
        "suite": table.suite,
        "level": f"{100 * boards[0].results[0].interval.level:g} %",
        "protocols": [(protocol, protocol_name(protocol)) for protocol in _protocols_of(boards)],
        "titles": RULESET_TITLES,
        "legend": legend(table),
    }
    index = {**common, **_index_values(rows, boards, domains)}
    long_tables = [view["rows"] for _, board_views in index["boards"] for view in board_views.values()]
    yield Page(path="index.html", template="index", values=index, tables=long_tables)
    yield Page(path="compare.html", template="compare", values={**common, **_compare_values(boards, slugs)})
    cards = [_card_values(domains[name]) for name in table.tasks if name in domains]
    yield Page(path="cards.html", template="cards", values={**common, "cards": cards, "scored": table.tasks})
    yield Page(path="submit.html", template="submit", values=common)
    if len(rows) > MAX_ROWS:
        yield Page(path="rows.html", template="rows", values={**common, "lists": _scores_by_name(boards)})
    for domain, tasks in table.tasks.items():
        card = {"card": _card_values(domains[domain]) if domain in domains else None}
        values = {**common, **_domain_values(boards, domain), **card}
        long_tables = [view["rows"] for board in values["boards"] for view in board["views"].values()]
        yield Page(path=f"domains/{domain}.html", template="domain", values=values, tables=long_tables)
        for task in tasks:
            values = {**common, **_task_values(boards, domain, task), **card}
            long_tables = [board["rows"] for board in values["boards"]]
            yield Page(path=f"tasks/{domain}.{task}.html", template="task", values=values, tables=long_tables)
    for row in rows:
        values = {**common, **_algorithm_values(row, boards)}
        yield Page(path=f"algorithms/{slugs[row.name]}.html", template="algorithm", values=values)


def _protocols_of(boards: Sequence[Board]) -> list[str]:
    return [p for p in PROTOCOLS if any(table.protocol == p for board in boards for table in board.tables)]


def _scores_by_name(boards: Sequence[Board]) -> list[tuple[str, list[tuple[str, list[float | None]]]]]:
    """Return each ruleset with the names of its rows and their overall score under each protocol."""
    return [
        (board.ruleset, [(name, [t.overall(name) for t in board.tables]) for name in board.tables[0].algorithms])
        for board in boards
    ]


def _compare_values(boards: Sequence[Board], slugs: Mapping[str, str]) -> dict[str, Any]:
    """Return the rows to choose from; the best learned one and the random encoder are chosen at first."""
    ranked = [row["algorithm"] for row in views.overall_rows(boards[0].tables[0])]
    first = next((name for name in ranked if name not in REFERENCES), ranked[0])
    second = next((name for name in (RANDOM, *ranked) if name in slugs and name != first), first)
    return {"choices": list(slugs.items()), "chosen": (slugs[first], slugs[second])}


def _index_values(rows: Sequence[Entry], boards: Sequence[Board], domains: Mapping[str, Domain]) -> dict[str, Any]:
    table = boards[0].tables[0]
    return {
        "facts": views.header_facts([result for row in rows for result in row.results], table),
        "rows": len(rows),
        "boards": [(board.ruleset, {t.protocol: _overall_values(board, t) for t in board.tables}) for board in boards],
        "domains": [_tile_values(table, name, domains.get(name)) for name in table.tasks],
    }


def _overall_values(board: Board, table: Table) -> dict[str, Any]:
    """Return the overall table of one ruleset and protocol."""
    view = views.overall_view(table)
    key = f"{board.ruleset}-{table.protocol}"
    rows = TableRows(key=key, macro="headline_rows", rows=view["headline"], arguments=(view["compare"],))
    return {**view, "rows": rows}


def _tile_values(table: Table, name: str, domain: Domain | None) -> dict[str, Any]:
    """Return a domain with its tasks, for the list on the first page."""
    tasks = [(task, mark(table, name, task)) for task in table.tasks[name]]
    title = domain.title if domain else name.replace("_", " ").capitalize()
    return {"name": name, "title": title, "mark": mark(table, name), "tasks": tasks}


def _domain_values(boards: Sequence[Board], domain: str) -> dict[str, Any]:
    table = boards[0].tables[0]
    return {
        "domain": domain,
        "title": domain.replace("_", " ").capitalize(),
        "mark": mark(table, domain),
        "tasks": [(task, mark(table, domain, task)) for task in table.tasks[domain]],
        "boards": [_domain_board(board, domain) for board in boards],
    }


def _domain_board(board: Board, domain: str) -> dict[str, Any]:
    """Return what a domain's page shows of one ruleset."""
    drawn = {table.protocol: select_drawn_rows(table, domain) for table in board.tables}
    styles = plots.assign_styles(order_algorithms({name for table in drawn.values() for name in table.algorithms}))
    by_protocol = {
        table.protocol: {
            "rows": TableRows(
                key=f"{board.ruleset}-{table.protocol}",
                macro="domain_rows",
                rows=_domain_rows(table, domain),
                arguments=(domain, table.protocol),
            ),
            "figure": plots.layout_dot_plot(drawn[table.protocol], domain, styles),
            **views.notes_view(table.of_domain(domain)),
        }
        for table in board.tables
    }
    results = [r for r in board.results if r.domain == domain and r.algorithm in styles]
    return {
        "ruleset": board.ruleset,
        "views": by_protocol,
        "styles": list(styles.values()),
        "curves": views.learning_curves(results, styles),
        "all": len(styles) == len(board.tables[0].algorithms),
    }


def _domain_rows(table: Table, domain: str) -> list[dict[str, Any]]:
    """Return one row per algorithm, the best first: the domain's mean and one cell per task."""
    names = table.algorithms
    top = best_unlabelled(names, [table.domain_mean(name, domain) for name in names])
    columns = []
    for task in table.tasks[domain]:
        cells = [table.cell(name, domain, task) for name in names]
        winners = best_unlabelled(names, [cell.mean if cell else None for cell in cells])
        columns.append([(task, cell, i in winners) for i, cell in enumerate(cells)])
    rows = [
        {
            "algorithm": name,
            "reference": name in REFERENCES,
            "mean": views.mean_view(table, name, domain, best=i in top),
            "cells": [column[i] for column in columns],
        }
        for i, name in enumerate(names)
    ]
    return views.sort_by_score(rows, lambda row: row["mean"]["value"])


def _task_values(boards: Sequence[Board], domain: str, task: str) -> dict[str, Any]:
    table = boards[0].tables[0]
    results = [r for board in boards for r in board.results if (r.domain, r.task) == (domain, task)]
    return {
        "domain": domain,
        "task": task,
        "title": f"{task}, {domain.replace('_', ' ')}",
        "mark": mark(table, domain, task),
        "boards": [_task_board(board, domain, task) for board in boards],
        "data": views.data_rows(results[:1], table),
        "info": table.info.get((domain, task)),
    }


def _task_board(board: Board, domain: str, task: str) -> dict[str, Any]:
    """Return what a task's page shows of one ruleset."""
    drawn = [replace(select_drawn_rows(table, domain), tasks={domain: (task,)}) for table in board.tables]
    styles = plots.assign_styles(order_algorithms({name for table in drawn for name in table.algorithms}))
    figures = []
    for table in drawn:
        plot = plots.layout_dot_plot(table, domain, styles)
        if plot:
            figures.append(replace(plot, domain=protocol_name(table.protocol).capitalize()))
    return {
        "ruleset": board.ruleset,
        "protocols": [(table.protocol, protocol_name(table.protocol)) for table in board.tables],
        "rows": TableRows(
            key=board.ruleset, macro="task_rows", rows=_task_rows(board, domain, task), arguments=(domain, task)
        ),
        "figures": figures,
        "styles": list(styles.values()),
        **views.notes_view(board.tables[0].of_domain(domain)),
        "gap": False,  # there are no means on the page of a task
        "all": len(styles) == len(board.tables[0].algorithms),
    }


def _task_rows(board: Board, domain: str, task: str) -> list[dict[str, Any]]:
    """Return one row per algorithm with one cell per protocol, the best by the first protocol first."""
    names = board.tables[0].algorithms
    columns = []
    for table in board.tables:
        cells = [table.cell(name, domain, task) for name in names]
        winners = best_unlabelled(names, [cell.mean if cell else None for cell in cells])
        columns.append([(table.protocol, cell, i in winners) for i, cell in enumerate(cells)])
    rows: list[dict[str, Any]] = [
        {"algorithm": name, "reference": name in REFERENCES, "cells": [column[i] for column in columns]}
        for i, name in enumerate(names)
    ]
    return views.sort_by_score(rows, lambda row: row["cells"][0][1].mean if row["cells"][0][1] else None)


def _algorithm_values(row: Entry, boards: Sequence[Board]) -> dict[str, Any]:
    board = next(board for board in boards if board.ruleset == row.ruleset)
    results, name, tables = row.results, row.name, board.tables
    runs = views.pretraining_runs(results)
    options = {json.dumps(run.pretraining.config.get("options", {}), sort_keys=True) for run in runs}
    means = [(domain, [views.mean_view(t, name, domain) for t in tables]) for domain in (None, *tables[0].tasks)]
    return {
        "row": row,
        "title": name[:80],
        "hash": results[0].algorithm_sha256,
        "parameters": sorted({result.encoder.parameters for result in results}),
        "options": json.loads(options.pop()) if len(options) == 1 else None,
        "tables_of": [(table.protocol, protocol_name(table.protocol)) for table in tables],
        "means": means,
        "wins": [table.beats(name) if _is_compared(table, name) else None for table in tables],
        "explanation": EXPLANATIONS.get(name, ""),
        "failures": list(dict.fromkeys(filter(None, (describe_failures(table, name) for table in tables)))),
        "gap": any(view["gap"] is not None for _, cells in means for view in cells),
        "tasks": [
            (
                domain,
                task,
                mark(tables[0], domain, task),
                tables[0].info.get((domain, task)),
                [(table.protocol, table.cell(name, domain, task)) for table in tables],
            )
            for domain, names in tables[0].tasks.items()
            for task in names
        ],
        "curves": views.learning_curves(results, plots.assign_styles([name])),
        "runs": runs,
        "environments": views.count_environments(results),
    }


def _is_compared(table: Table, name: str) -> bool:
    """Return whether a row and the random encoder are both in a table, and are not the same."""
    return name != RANDOM and {name, RANDOM} <= set(table.algorithms)


def _card_values(domain: Domain) -> dict[str, Any]:
    """Return a domain's card and those of its tasks."""
    return {
        "domain": domain,
        "inputs": describe_inputs(domain.specs),
        "tasks": {task.name: (task, describe_target(task.target)) for task in domain.tasks},
    }
