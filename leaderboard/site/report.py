"""One self-contained HTML file that a reader opens from disk: tables, figures and provenance, no network at all."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from dabs.errors import RequestError
from dabs.leaderboard.site import plots, views
from dabs.leaderboard.site.templating import asset, pages
from dabs.leaderboard.tables.aggregate import Tasks, build_table, ordered, protocols_of
from dabs.leaderboard.tables.published import published_of
from dabs.leaderboard.tables.render import legend
from dabs.results.schema import Result
from dabs.utils.files import replacing_with_lock


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
        facts=views.facts(results, tables[0]),
        views=[views.view(table, known) for table in tables],
        looks=list(known.values()),
        legend=legend(tables[0]),
        curves=views.curves(results, known),
        published=published_of(results[0].suite),
        data=views.data(results, tables[0]),
        runs=views.runs(results),
        environments=views.environments(results),
    )
    with replacing_with_lock(out) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return out


def _render(**context: Any) -> str:
    """The page, with a content policy that lets this one script run and nothing be fetched."""
    script, style = asset("site.js"), asset("style.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    # both are the package's own text, without anything from a result file
    safe = {"script": Markup(script), "style": Markup(style)}  # noqa: S704
    return pages().get_template("report.html.j2").render(policy=policy, **safe, **context)
