"""`dabs leaderboard show|build|export|verify`: the table; report or site; files for other tools; checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console

from dabs.cli.terminal import table_console
from dabs.config import Protocol, Suite
from dabs.errors import RequestError

Tasks = dict[str, tuple[str, ...]] | None  # domain -> all its tasks


@dataclass(frozen=True, kw_only=True)
class BoardOptions:
    """Show the table of results, build the report or the site, export results, or verify (`verify --help`)."""

    action: tyro.conf.Positional[Literal["show", "build", "export", "verify"]]
    results: tuple[Path, ...] = (Path("runs"),)  # folders to read *.result.json from
    suite: Suite | None = None  # results of this suite only, with what was published on it; default: of all there are
    store: str = ""  # fsspec URL of a shared store, whose results are fetched into the first of the folders
    protocol: Protocol | None = None  # show: of which protocol; default: linear
    # build: a file that ends in .html (the report; the default) or a folder (the site). export: a file or folder
    out: Path | None = None
    # export: a table, or records of the shared schema 0.3; default: csv
    format: Literal["csv", "every-eval-ever"] | None = None


OF_ACTIONS = {"protocol": ("show",), "out": ("build", "export"), "format": ("export",)}


def main(arguments: list[str]) -> int | None:
    """Parse and do."""
    if arguments[:1] == ["verify"]:  # it has options of its own
        from dabs.leaderboard.cli.verify import main as verify

        return verify(arguments[1:])
    options = tyro.cli(BoardOptions, prog="dabs leaderboard", args=arguments)
    for name, actions in OF_ACTIONS.items():
        if getattr(options, name) is not None and options.action not in actions:
            raise RequestError(
                f"`dabs leaderboard {options.action}` has no use for --{name}; it belongs to {' and '.join(actions)}. "
                "Leave it out."
            )
    if options.store:
        from dabs.grid.store import Store

        store = Store(options.store, options.results[0])
        for run in store.runs():
            store.fetch(run, results_only=True)
    if options.action == "show":
        show(list(options.results), protocol=options.protocol or "linear", suite=options.suite)
        return None
    roots, out = list(options.results), options.out or Path("report.html")
    if options.action == "export":
        where = f"export: {export(roots, options.format or 'csv', options.out, options.suite).resolve()}"
    elif out.suffix == ".html":
        where = f"report: {build(roots, out, suite=options.suite).resolve()}"
    else:
        where = f"site: {site(roots, out, options.suite) / 'index.html'}"
    Console().print(where, highlight=False, soft_wrap=True)
    return None


def show(
    roots: list[Path],
    *,
    protocol: str = "linear",
    console: Console | None = None,
    tasks: Tasks = None,
    suite: str | None = None,
) -> None:
    """Print the table of results below some folders, and apart from it what was published on their suite.

    Args:
        roots: folders to read.
        protocol: which protocol's results.
        console: where to print.
        tasks: those a whole table has (default: those seen).
        suite: which suite's results; all there are by default.
    """
    from dabs.leaderboard.tables.published import published_of, show_published
    from dabs.leaderboard.tables.render import show as show_table

    console = console or table_console()
    results = _results(roots, suite, console)
    published = published_of(suite or (results[0].suite if results else ""))
    if results or not published:
        show_table(results, protocol=protocol, tasks=tasks, console=console)
    else:
        console.print(f"no results of the {suite} suite in {', '.join(map(str, roots))}", highlight=False)
    if published:
        show_published(published, console)


def build(roots: list[Path], out: Path, tasks: Tasks = None, suite: str | None = None) -> Path:
    """Write the HTML report of results below some folders; `tasks` and `suite` as for `show`."""
    from dabs.leaderboard.site.report import build_report

    return build_report(_results(roots, suite), out, tasks)


def _results(roots: list[Path], suite: str | None, console: Console | None = None) -> list[Any]:
    """The results of one suite, or of all, without tuned rows, which are named.

    The folder of one's own runs need not be there to see what was published.
    """
    from dabs.results.entries import fixed_results

    if suite is not None and roots == [Path("runs")] and not roots[0].exists():
        return []
    results, left_out = fixed_results(roots, suite)
    if left_out:
        (console or Console()).print(left_out, highlight=False, markup=False, soft_wrap=True)
    return results


def site(roots: list[Path], out: Path, suite: str | None = None) -> Path:
    """Write the site of results and submissions below some folders, with the cards of the domains they are of."""
    from dabs.config import SUITES
    from dabs.leaderboard.site.build import build_site
    from dabs.registry import domain_names, find_domain
    from dabs.results.entries import load_entries

    rows = [row.of_suite(suite) for row in load_entries(*roots)]
    rows = [row for row in rows if row.placed]
    seen = {(result.domain, result.suite) for row in rows for result in row.results}
    known = set(domain_names())
    domains = [find_domain(name, of) for name, of in sorted(seen) if name in known and of in SUITES]
    return build_site(rows, out, domains=domains)


def export(roots: list[Path], kind: str, out: Path | None = None, suite: str | None = None) -> Path:
    """Write results of one suite, or all, as `csv` (a file) or `every-eval-ever` (a folder of records)."""
    from dabs.results.export import write_csv, write_records

    results = _results(roots, suite)
    if kind == "csv":
        return write_csv(results, out or Path("results.csv"))
    write_records(results, folder := out or Path("every-eval-ever"))
    return folder
