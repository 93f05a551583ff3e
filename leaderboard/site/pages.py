"""The pages of the site: the path, the template and the values of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dabs.config import PROTOCOLS, protocol_name
from dabs.data.domain import Domain, describe_target
from dabs.evaluation.reference_rows import RANDOM, is_reference
from dabs.leaderboard.compare.model import Comparison
from dabs.leaderboard.compare.ranks import ranks_of_comparison
from dabs.leaderboard.site import plots, sheets, views
from dabs.leaderboard.site.algorithm_page import algorithm_values
from dabs.leaderboard.site.bibliography import cite
from dabs.leaderboard.site.boards import Board, select_drawn_rows
from dabs.leaderboard.site.cost_views import CostFigure, cost_figures
from dabs.leaderboard.site.downloads import File
from dabs.leaderboard.site.heat import heat_view
from dabs.leaderboard.site.long_tables import MAX_ROWS, TableRows
from dabs.leaderboard.site.verdict import verdict
from dabs.leaderboard.tables.aggregate import Table, order_algorithms
from dabs.leaderboard.tables.ranking import TestedRanks, column_leader, column_ranks
from dabs.leaderboard.tables.render import legend, mark
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
        files: what the page offers to download.
    """

    path: str
    template: str
    values: Mapping[str, Any]
    tables: Sequence[TableRows] = ()
    files: Sequence[File] = ()


def build_pages(
    rows: Sequence[Entry],
    boards: Sequence[Board],
    domains: Mapping[str, Domain],
    slugs: Mapping[str, str],
    comparisons: Mapping[str, Comparison],
) -> Iterator[Page]:
    """Yield every page of the site.

    Args:
        rows: every row.
        boards: the boards of these rows.
        domains: the domains whose cards are shown, by name.
        slugs: each row's file name.
        comparisons: the paired tests of the best rows, by protocol.
    """
    table = boards[0].tables[0]
    common = {
        "of": table.title,
        "level": f"{100 * boards[0].results[0].interval.level:g} %",
        "protocols": [(protocol, protocol_name(protocol)) for protocol in _protocols_of(boards)],
        "titles": RULESET_TITLES,
        "legend": legend(table),
    }
    index = {**common, **_index_values(rows, boards, domains, comparisons)}
    board_views = [view for _, found in index["boards"] for view in found.values()]
    files = [
        file for view in board_views for file in (*view["files"], *view["overview"]["files"], *_figure_files(view))
    ]
    long_tables = [view["rows"] for view in board_views]
    yield Page(path="index.html", template="index", values=index, tables=long_tables, files=files)
    yield Page(path="compare.html", template="compare", values={**common, **_compare_values(boards, slugs)})
    cards = [_card_values(domains[name]) for name in table.tasks if name in domains]
    yield Page(path="cards.html", template="cards", values={**common, "cards": cards, "scored": table.tasks})
    yield Page(path="submit.html", template="submit", values=common)
    if len(rows) > MAX_ROWS:
        yield Page(path="rows.html", template="rows", values={**common, "lists": _scores_by_name(boards)})
    for domain, tasks in table.tasks.items():
        card = {"card": _card_values(domains[domain]) if domain in domains else None}
        values = {**common, **_domain_values(boards, domain, comparisons), **card}
        domain_views = [view for board in values["boards"] for view in board["views"].values()]
        files = [file for board in values["boards"] for file in board["curve_files"]]
        files += [
            file for view in domain_views for file in (*view["files"], *view["figure_files"], *_figure_files(view))
        ]
        long_tables = [view["rows"] for view in domain_views]
        yield Page(path=f"domains/{domain}.html", template="domain", values=values, tables=long_tables, files=files)
        for task in tasks:
            values = {**common, **_task_values(boards, domain, task), **card}
            long_tables = [board["rows"] for board in values["boards"]]
            files = [file for board in values["boards"] for file in (*board["files"], *board["figure_files"])]
            files += values["data_files"]
            path = f"tasks/{domain}.{task}.html"
            yield Page(path=path, template="task", values=values, tables=long_tables, files=files)
    for row in rows:
        values = {**common, **algorithm_values(row, boards, slugs[row.name])}
        files = [file for key in ("means_files", "tasks_files", "curve_files", "runs_files") for file in values[key]]
        yield Page(path=f"algorithms/{slugs[row.name]}.html", template="algorithm", values=values, files=files)


def _figure_files(view: Mapping[str, Any]) -> list[File]:
    """Return the files of a view's heat map and of its figures of cost."""
    heat = view.get("heat")
    return [*(heat["files"] if heat else []), *(file for figure in view["costs"] for file in figure.files)]


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
    first = next((name for name in ranked if not is_reference(name)), ranked[0])
    second = next((name for name in (RANDOM, *ranked) if name in slugs and name != first), first)
    return {"choices": list(slugs.items()), "chosen": (slugs[first], slugs[second])}


def _index_values(
    rows: Sequence[Entry],
    boards: Sequence[Board],
    domains: Mapping[str, Domain],
    comparisons: Mapping[str, Comparison],
) -> dict[str, Any]:
    table = boards[0].tables[0]
    return {
        "facts": views.header_facts([result for row in rows for result in row.results], table),
        "rows": len(rows),
        "boards": [
            (board.ruleset, {t.protocol: _overall_values(board, t, comparisons.get(t.protocol)) for t in board.tables})
            for board in boards
        ],
        "domains": [_tile_values(table, name, domains.get(name)) for name in table.tasks],
    }


def _overall_values(board: Board, table: Table, comparison: Comparison | None) -> dict[str, Any]:
    """Return the overall table of one ruleset and protocol, with its figure and what they say in words."""
    tested = _tested_ranks(table, comparison)
    view = views.overall_view(table, tested, board.ruleset)
    key = f"{board.ruleset}-{table.protocol}"
    ranked, references = views.split_rows(view["headline"])
    arguments = (view["compare"], view["tested"])
    rows = TableRows(key=key, macro="headline_rows", rows=ranked, references=references, arguments=arguments)
    drawn = [select_drawn_rows(one) for one in board.tables]
    styles = plots.assign_styles(order_algorithms({name for one in drawn for name in one.algorithms}))
    few = len(styles) < len(table.algorithms)
    note = "The best algorithms by the mean over all domains, and the reference rows. " if few else ""
    shown = select_drawn_rows(table)
    overview = views.overview_view(shown, drawn, styles, board.ruleset, note)
    name = f"{table.suite}.{board.ruleset}.{table.protocol}"
    return {
        **view,
        "rows": rows,
        "overview": overview,
        "heat": heat_view(shown, name),
        "costs": _costs(board, shown, styles, None, name) if len(table.counted) > 1 else [],
        "verdict": verdict(table, comparison),
        "files": [*view["files"], cite(table.suite, table.algorithms, table.tasks)],
    }


def _tested_ranks(table: Table, comparison: Comparison | None) -> TestedRanks:
    """Return the ranks of a table's algorithms by the paired tests that were made."""
    names = [name for name in table.algorithms if not is_reference(name)]
    return ranks_of_comparison(comparison, names) if comparison else {}


def _costs(
    board: Board, drawn: Table, styles: Mapping[str, plots.MarkerStyle], domain: str | None, name: str
) -> list[CostFigure]:
    """Return the figures of cost of some rows: of one domain, or of all together."""
    chosen = {row: styles[row] for row in drawn.algorithms}
    return cost_figures(board.budgets[drawn.protocol], chosen, [domain], name, domain or "")


def _tile_values(table: Table, name: str, domain: Domain | None) -> dict[str, Any]:
    """Return a domain with its tasks, for the list on the first page."""
    tasks = [(task, mark(table, name, task)) for task in table.tasks[name]]
    title = domain.title if domain else name.replace("_", " ").capitalize()
    return {"name": name, "title": title, "mark": mark(table, name), "tasks": tasks}


def _domain_values(boards: Sequence[Board], domain: str, comparisons: Mapping[str, Comparison]) -> dict[str, Any]:
    table = boards[0].tables[0]
    return {
        "domain": domain,
        "title": domain.replace("_", " ").capitalize(),
        "mark": mark(table, domain),
        "tasks": [(task, mark(table, domain, task)) for task in table.tasks[domain]],
        "boards": [_domain_board(board, domain, comparisons) for board in boards],
    }


def _domain_board(board: Board, domain: str, comparisons: Mapping[str, Comparison]) -> dict[str, Any]:
    """Return what a domain's page shows of one ruleset."""
    drawn = {table.protocol: select_drawn_rows(table, domain) for table in board.tables}
    styles = plots.assign_styles(order_algorithms({name for table in drawn.values() for name in table.algorithms}))
    axis = plots.task_axis(drawn.values(), domain)
    by_protocol = {}
    for table in board.tables:
        key = f"{board.ruleset}-{table.protocol}"
        tested = _tested_ranks(table, comparisons.get(table.protocol)).get(domain, {})
        ranked, references = views.split_rows(_domain_rows(table, domain, tested))
        notes = views.notes_view(table.of_domain(domain), tested)
        arguments = (domain, table.protocol, notes["tested"])
        figure = plots.layout_tasks(drawn[table.protocol], domain, styles, axis)
        name, title = (
            f"{table.suite}.{domain}.{key}",
            f"Scores in {domain} of the {table.title}, {protocol_name(table.protocol)}",
        )
        bibliography = cite(table.suite, table.algorithms, [domain])
        by_protocol[table.protocol] = {
            "rows": TableRows(key=key, macro="domain_rows", rows=ranked, references=references, arguments=arguments),
            "figure": figure,
            "figure_files": views.figure_files(name, [figure] if figure else [], title),
            "files": [*sheets.domain_sheet(table, domain, board.ruleset, tested).files, bibliography],
            "costs": _costs(board, drawn[table.protocol], styles, domain, name),
            **notes,
        }
    results = [r for r in board.results if r.domain == domain and r.algorithm in styles]
    curves = views.learning_curves(results, styles)
    name = f"{board.tables[0].suite}.{domain}.{board.ruleset}"
    return {
        "ruleset": board.ruleset,
        "views": by_protocol,
        "styles": list(styles.values()),
        "curves": curves,
        "curve_files": views.curve_files(name, curves, f"Learning curves in {domain}"),
        "all": len(styles) == len(board.tables[0].algorithms),
    }


def _domain_rows(table: Table, domain: str, tested: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return one row per algorithm, the best first: its ranks, the domain's mean and one cell per task."""
    top, ranks = column_leader(table, domain), column_ranks(table, domain)
    leaders = {task: column_leader(table, domain, task) for task in table.tasks[domain]}
    rows = [
        {
            "algorithm": name,
            "reference": is_reference(name),
            "rank": ranks.get(name),
            "tested": tested.get(name),
            "mean": views.mean_view(table, name, domain, best=name == top),
            "cells": [(task, table.cell(name, domain, task), name == leader) for task, leader in leaders.items()],
        }
        for name in table.algorithms
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
        "data_files": sheets.data_sheet(results[:1], f"{table.suite}.{domain}.{task}.data").files,
        "info": table.info.get((domain, task)),
    }


def _task_board(board: Board, domain: str, task: str) -> dict[str, Any]:
    """Return what a task's page shows of one ruleset."""
    drawn = [replace(select_drawn_rows(table, domain), tasks={domain: (task,)}) for table in board.tables]
    styles = plots.assign_styles(order_algorithms({name for table in drawn for name in table.algorithms}))
    axis = plots.task_axis(drawn, domain)
    titles = [protocol_name(table.protocol).capitalize() for table in drawn]
    found = [plots.layout_tasks(table, domain, styles, axis, title) for table, title in zip(drawn, titles, strict=True)]
    figures = [plot for plot in found if plot]
    first = board.tables[0]
    ranked, references = views.split_rows(_task_rows(board, domain, task))
    rows = TableRows(key=board.ruleset, macro="task_rows", rows=ranked, references=references, arguments=(domain, task))
    name = f"{first.suite}.{domain}.{task}.{board.ruleset}"
    return {
        "ruleset": board.ruleset,
        "protocols": [(table.protocol, protocol_name(table.protocol)) for table in board.tables],
        "rows": rows,
        "figures": figures,
        "figure_files": views.figure_files(name, figures, f"Scores on {domain}/{task}", columns=3),
        "files": [
            *sheets.task_sheet(board.tables, domain, task, board.ruleset).files,
            cite(first.suite, first.algorithms, [domain]),
        ],
        "styles": list(styles.values()),
        **views.notes_view(first.of_domain(domain)),
        "gap": False,  # there are no means on the page of a task
        "all": len(styles) == len(board.tables[0].algorithms),
    }


def _task_rows(board: Board, domain: str, task: str) -> list[dict[str, Any]]:
    """Return one row per algorithm with one cell per protocol, the best by the first protocol first, and its rank."""
    leaders = [(table, column_leader(table, domain, task)) for table in board.tables]
    ranks = column_ranks(board.tables[0], domain, task)
    rows: list[dict[str, Any]] = [
        {
            "algorithm": name,
            "reference": is_reference(name),
            "rank": ranks.get(name),
            "cells": [(table.protocol, table.cell(name, domain, task), name == leader) for table, leader in leaders],
        }
        for name in board.tables[0].algorithms
    ]
    return views.sort_by_score(rows, lambda row: row["cells"][0][1].mean if row["cells"][0][1] else None)


def _card_values(domain: Domain) -> dict[str, Any]:
    """Return a domain's card and those of its tasks."""
    return {
        "domain": domain,
        "inputs": describe_inputs(domain.specs),
        "tasks": {task.name: (task, describe_target(task.target)) for task in domain.tasks},
    }
