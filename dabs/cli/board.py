"""`dabs leaderboard show|build|export`: the table in the terminal; the report or the site; files for other tools."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console

Tasks = dict[str, tuple[str, ...]] | None  # domain -> all its tasks


@dataclass(frozen=True, kw_only=True)
class BoardOptions:
    """Show the table of results, build the HTML report or the site, or export the results."""

    action: tyro.conf.Positional[Literal["show", "build", "export"]]
    results: tuple[Path, ...] = (Path("runs"),)  # folders to read *.result.json from
    protocol: Literal["linear", "knn", "finetune"] = "linear"  # which protocol the table shows
    # build: a file that ends in .html (the report; the default) or a folder (the site). export: a file or folder
    out: Path | None = None
    format: Literal["csv", "every-eval-ever"] = "csv"  # what to export: a table, or records of the shared schema 0.3


def main(arguments: list[str]) -> None:
    """Parse and do."""
    options = tyro.cli(BoardOptions, prog="dabs leaderboard", args=arguments)
    if options.action == "show":
        show(list(options.results), protocol=options.protocol)
        return
    out = options.out or Path("report.html")
    if options.action == "export":
        where = f"export: {export(list(options.results), options.format, options.out).resolve()}"
    elif out.suffix == ".html":
        where = f"report: {build(list(options.results), out).resolve()}"
    else:
        where = f"site: {site(list(options.results), out) / 'index.html'}"
    Console().print(where, highlight=False, soft_wrap=True)


def show(roots: list[Path], *, protocol: str = "linear", console: Console | None = None, tasks: Tasks = None) -> None:
    """Print the table of all results below some folders; `tasks` are those a whole table has (default: those seen)."""
    from leaderboard.results import load_results
    from leaderboard.table import show as show_table

    results: Any = load_results(*roots)
    show_table(results, protocol=protocol, tasks=tasks, console=console or Console())


def build(roots: list[Path], out: Path, tasks: Tasks = None) -> Path:
    """Write the HTML report of all results below some folders; `tasks` as for `show`."""
    from leaderboard.report import build_report
    from leaderboard.results import load_results

    return build_report(load_results(*roots), out, tasks)


def site(roots: list[Path], out: Path) -> Path:
    """Write the site of all results and submissions below some folders, with the cards of the domains they are of."""
    from dabs.registry import SUITES, domain_names, find_domain
    from leaderboard.rows import load_rows
    from leaderboard.site import build_site

    rows = load_rows(*roots)
    seen = {(result.domain, result.suite) for row in rows for result in row.results}
    known = set(domain_names())
    domains = [find_domain(name, suite) for name, suite in sorted(seen) if name in known and suite in SUITES]
    return build_site(rows, out, domains=domains)


def export(roots: list[Path], kind: str, out: Path | None = None) -> Path:
    """Write all results below some folders as `csv` (a file) or `every-eval-ever` (a folder of records)."""
    from leaderboard.exports import write_csv, write_records
    from leaderboard.results import load_results

    results = load_results(*roots)
    if kind == "csv":
        return write_csv(results, out or Path("results.csv"))
    write_records(results, folder := out or Path("every-eval-ever"))
    return folder
