"""Build the report: one self-contained HTML file that opens from disk."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dabs.config import without_budget
from dabs.errors import RequestError
from dabs.leaderboard.site import plots, sheets, views
from dabs.leaderboard.site.bibliography import cite
from dabs.leaderboard.site.cost_views import CostFigure, cost_figures
from dabs.leaderboard.site.long_tables import TableRows
from dabs.leaderboard.site.templating import read_asset, template_environment
from dabs.leaderboard.site.verdict import verdict
from dabs.leaderboard.tables.aggregate import Table, Tasks, build_table, order_algorithms, protocols_of, tasks_of
from dabs.leaderboard.tables.budgets import build_budget_tables
from dabs.leaderboard.tables.published import load_published
from dabs.leaderboard.tables.ranking import TestedRanks
from dabs.leaderboard.tables.render import legend
from dabs.results.schema import Result
from dabs.utils.files import replacing_with_lock


def build_report(
    results: Sequence[Result],
    out: Path,
    tasks: Tasks | None = None,
    *,
    every: Sequence[Result] = (),
    tested: Mapping[str, TestedRanks] | None = None,
) -> Path:
    """Write the report of all results to `out` and return its path. The same results always give the same bytes.

    Args:
        results: results of one suite; each protocol becomes a view of the page.
        out: the HTML file; its folder is created, an older file is replaced.
        tasks: all tasks of each domain, as in `aggregate.build_table`.
        every: the same rows at every budget, for the figures of cost; `results` by default.
        tested: for each protocol, the ranks by paired tests, which need the predictions.

    Raises:
        RequestError: no results, or results that may not share a table.
        DabsError: the file cannot be written.
    """
    if not results:
        raise RequestError("there are no results to report. Make some with `dabs run`.")
    tables = [build_table(results, protocol, tasks) for protocol in protocols_of(results)]
    every = every or results
    rows = {result.algorithm for result in results} | {without_budget(result.algorithm) for result in every}
    styles = plots.assign_styles(order_algorithms(rows))
    known = tasks_of(every, tasks)
    suite, curves = tables[0].suite, views.learning_curves(results, styles)
    data, runs = views.data_rows(results, tables[0]), views.pretraining_runs(results)
    html = _render(
        of=tables[0].title,
        facts=views.header_facts(results, tables[0]),
        views=[
            _protocol_view(
                table, tables, styles, (tested or {}).get(table.protocol), _costs(every, table, known, styles)
            )
            for table in tables
        ],
        styles=list(styles.values()),
        legend=legend(tables[0]),
        curves=curves,
        curve_files=views.curve_files(suite, curves, f"Learning curves of the {tables[0].title}"),
        published=load_published(suite),
        data=data,
        data_files=sheets.data_sheet([row["result"] for row in data], f"{suite}.data").files,
        runs=runs,
        runs_files=sheets.runs_sheet(runs, f"{suite}.runs").files,
        environments=views.count_environments(results),
    )
    with replacing_with_lock(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return out


def _costs(
    every: Sequence[Result], table: Table, tasks: Tasks, styles: dict[str, plots.MarkerStyle]
) -> list[CostFigure]:
    """Return the figures of cost of one protocol: a panel for all domains, and one for each."""
    budgets = build_budget_tables(every, table.protocol, tasks)
    scopes = [None, *tasks] if len(budgets.first.counted) > 1 else [*tasks]
    return cost_figures(budgets, styles, scopes, f"{table.suite}.{table.protocol}")


def _protocol_view(
    table: Table,
    tables: Sequence[Table],
    styles: dict[str, plots.MarkerStyle],
    tested: TestedRanks | None,
    costs: Sequence[CostFigure],
) -> dict[str, Any]:
    """Return what the page shows of one protocol, with the rows of the first table in their two groups."""
    view = views.protocol_view(table, tables, styles, tested)
    ranked, references = views.split_rows(view["headline"])
    files = [*view["files"], cite(table.suite, table.algorithms, table.tasks)]
    rows = TableRows(
        key=table.protocol,
        macro="headline_rows",
        rows=ranked,
        references=references,
        arguments=(view["compare"], view["tested"]),
        limit=len(ranked),
    )
    return {**view, "rows": rows, "files": files, "verdict": verdict(table), "costs": costs}


def _render(**values: Any) -> str:
    """Return the page, with a content security policy that allows this one script and no request."""
    script, style = read_asset("site.js"), read_asset("style.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    # both are the package's own text, without anything from a result file
    safe = {"script": Markup(script), "style": Markup(style)}  # noqa: S704
    return template_environment().get_template("report.html.j2").render(policy=policy, **safe, **values)
