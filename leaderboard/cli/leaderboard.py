"""`dabs leaderboard show|build|export|verify`: tables, pages, exports, checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from dabs.cli.options import Command, choose
from dabs.cli.terminal import table_console
from dabs.config import Protocol, Suite
from dabs.errors import RequestError

Tasks = dict[str, tuple[str, ...]] | None  # domain -> all its tasks


@dataclass(frozen=True, kw_only=True)
class _ResultsOptions:
    """Which results are read."""

    # where to read *.result.json: folders, `published` for the project's own results, or hf://USER/NAME for a run
    results: tuple[str, ...] = ("runs",)
    suite: Suite | None = None  # only results of this suite; if not given: every suite
    store: str = ""  # fsspec URL of a shared store; its results are first fetched into the first of the folders


@dataclass(frozen=True, kw_only=True)
class ShowOptions(_ResultsOptions):
    """Print the table of results. With --suite the numbers published for that suite follow it, kept apart."""

    protocol: Protocol = "linear"  # how the encoders were evaluated


@dataclass(frozen=True, kw_only=True)
class BuildOptions(_ResultsOptions):
    """Write the results as one HTML file, the report, or as a site with a page for each algorithm and domain."""

    out: Path = Path("report.html")  # a file that ends in .html for the report, otherwise a folder for the site


@dataclass(frozen=True, kw_only=True)
class ExportOptions(_ResultsOptions):
    """Write the results for other tools: a table, or records of the shared schema Every Eval Ever 0.3."""

    format: Literal["csv", "every-eval-ever"] = "csv"  # csv: one file; every-eval-ever: a folder of records
    out: Path | None = None  # where to write; if not given: results.csv or the folder every-eval-ever


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """Check all results and submissions of a checkout, and that the tables on its pages are up to date."""

    root: Path = Path()  # the checkout
    suite: Literal["lite"] = "lite"  # which data


COMMANDS = (
    Command(
        words="leaderboard show",
        options=ShowOptions,
        examples=(
            ("the table of your runs", "dabs leaderboard show"),
            ("by nearest neighbours instead", "dabs leaderboard show --protocol knn"),
            ("the published results of a checkout", "dabs leaderboard show --results leaderboard/results"),
        ),
    ),
    Command(
        words="leaderboard build",
        options=BuildOptions,
        examples=(
            ("the report of your runs, report.html", "dabs leaderboard build"),
            (
                "the site of a checkout",
                "dabs leaderboard build --results leaderboard/results leaderboard/submissions --out site",
            ),
        ),
    ),
    Command(
        words="leaderboard export",
        options=ExportOptions,
        examples=(
            ("results.csv, one row per score", "dabs leaderboard export"),
            ("a folder of records", "dabs leaderboard export --format every-eval-ever --out records"),
        ),
    ),
    Command(
        words="leaderboard verify",
        options=VerifyOptions,
        examples=(
            ("at the top of a checkout, before a pull request", "dabs leaderboard verify"),
            ("a checkout elsewhere", "dabs leaderboard verify --root ../dabs"),
        ),
    ),
)
ABOUT = "Show the results, build pages from them, export them, or check those of a checkout."


def main(arguments: list[str]) -> int | None:
    """Parse the arguments and carry out the action; return the exit code of `verify`."""
    command, rest = choose("leaderboard", ABOUT, COMMANDS, arguments)
    options = command.parse(rest)
    if isinstance(options, VerifyOptions):
        return verify(options)
    from dabs.results.places import results_folder

    roots = [results_folder(place) for place in options.results]
    if options.store:
        from dabs.grid.store import Store

        if roots[0] != Path(options.results[0]):
            raise RequestError(
                f"--store fetches results into the first folder of --results, which cannot be {options.results[0]}. "
                "Name a folder before it."
            )
        store = Store(options.store, roots[0])
        for run in store.runs():
            store.fetch(run, results_only=True)
    if isinstance(options, ShowOptions):
        show(roots, protocol=options.protocol, suite=options.suite)
        return None
    if isinstance(options, ExportOptions):
        where = f"export: {export(roots, options.format, options.out, options.suite).resolve()}"
    elif options.out.suffix == ".html":
        where = f"report: {build_report(roots, options.out, suite=options.suite).resolve()}"
    else:
        where = f"site: {build_site(roots, options.out, options.suite) / 'index.html'}"
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
    """Print the table of the results below some folders and, separately, the numbers published for their suite.

    Args:
        roots: folders to read.
        protocol: which protocol's results.
        console: where to print.
        tasks: all tasks of each domain; by default those that have results.
        suite: only results of this suite; by default of all suites.
    """
    from dabs.leaderboard.tables.published import load_published, show_published
    from dabs.leaderboard.tables.render import show as show_table

    console = console or table_console()
    results = _load_results(roots, suite, console)
    published = load_published(suite or (results[0].suite if results else ""))
    if results or not published:
        show_table(results, protocol=protocol, tasks=tasks, console=console)
    else:
        console.print(f"no results of the {suite} suite in {', '.join(map(str, roots))}", highlight=False)
    if published:
        show_published(published, console)


def build_report(roots: list[Path], out: Path, tasks: Tasks = None, suite: str | None = None) -> Path:
    """Write the HTML report of the results below some folders; `tasks` and `suite` as for `show`."""
    from dabs.leaderboard.site.report import build_report as build

    return build(_load_results(roots, suite), out, tasks)


def build_site(roots: list[Path], out: Path, suite: str | None = None) -> Path:
    """Write the site of the results and submissions below some folders, with the cards of their domains."""
    from dabs.config import SUITES
    from dabs.leaderboard.site.build import build_site as build
    from dabs.registry import domain_names, find_domain, plugin_names
    from dabs.results.entries import load_entries

    rows = [row.of_suite(suite) for row in load_entries(*roots)]
    rows = [row for row in rows if row.placed]
    seen = {(result.domain, result.suite) for row in rows for result in row.results}
    known = {*domain_names(), *plugin_names()}
    domains = [find_domain(name, of) for name, of in sorted(seen) if name in known and of in SUITES]
    return build(rows, out, domains=domains)


def export(roots: list[Path], kind: str, out: Path | None = None, suite: str | None = None) -> Path:
    """Write the results of one suite, or of all, as `csv` (a file) or `every-eval-ever` (a folder of records)."""
    from dabs.results.export import write_csv, write_records

    results = _load_results(roots, suite)
    if kind == "csv":
        return write_csv(results, out or Path("results.csv"))
    write_records(results, folder := out or Path("every-eval-ever"))
    return folder


def verify(options: VerifyOptions) -> int:
    """Print every problem of the committed results, submissions and tables; return 1 if there is any, else 0."""
    from dabs.leaderboard.cli.suite_rules import build_rules, read_labels
    from dabs.leaderboard.submit.verify import find_problems

    console, suite = Console(), options.suite
    problems = find_problems(options.root, build_rules(suite), lambda domain, task: read_labels(suite, domain, task))
    for line in problems:
        console.print(f"- {line}", highlight=False, markup=False, soft_wrap=True, style="red")
    words = (
        f"{len(problems)} problem{'s' * (len(problems) != 1)}"
        if problems
        else "results, submissions and tables are as they should be"
    )
    console.print(words, highlight=False)
    return 1 if problems else 0


def _load_results(roots: list[Path], suite: str | None, console: Console | None = None) -> list[Any]:
    """Return the untuned results of one suite, or of all, and print a line that names the tuned rows left out.

    With --suite the default folder `runs` may be missing: what was published can be seen without runs of one's own.
    """
    from dabs.results.entries import fixed_results

    if suite is not None and roots == [Path("runs")] and not roots[0].exists():
        return []
    results, left_out = fixed_results(roots, suite)
    if left_out:
        (console or Console()).print(left_out, highlight=False, markup=False, soft_wrap=True)
    return results
