"""`dabs leaderboard show|build|export|verify`: tables, pages, exports, checks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from dabs.cli.options import Command, choose
from dabs.cli.terminal import table_console
from dabs.config import Protocol, Suite
from dabs.errors import RequestError

if TYPE_CHECKING:
    from dabs.leaderboard.tables.ranking import TestedRanks
    from dabs.results.entries import Reading

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
    # of pretraining: 0.25, 1, 4 or 10 times the standard steps; all: every budget beside its cost
    budget: float | Literal["all"] = 1.0
    tests: bool = False  # also rank by paired tests, as `dabs compare` does: about 5 s for each algorithm


@dataclass(frozen=True, kw_only=True)
class BuildOptions(_ResultsOptions):
    """Write the results as one HTML file, the report, or as a site with a page for each algorithm and domain."""

    budget: float = 1.0  # of pretraining: 0.25, 1, 4 or 10 times the standard steps
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
            ("each row at every budget, with its seconds and FLOPs", "dabs leaderboard show --budget all"),
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


def main(arguments: list[str]) -> int:
    """Parse the arguments, carry out the action and return the exit code: 1 if a file was left out as broken."""
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
    reading = read_rows(roots, options.suite)
    if isinstance(options, ShowOptions):
        _show(reading, options)
    else:
        console = Console()
        explain(reading, console, tuned=isinstance(options, ExportOptions) or options.out.suffix == ".html")
        console.print(_write(reading, options), highlight=False, soft_wrap=True)
    return 1 if reading.broken else 0


def _show(every: Reading, options: ShowOptions) -> None:
    """Print the table that the options ask for."""
    if options.budget == "all":
        if options.tests:
            raise RequestError("--tests ranks the rows of one budget, not of all. Name one with --budget.")
        console = table_console()
        explain(every, console)
        show_budgets(every, console, protocol=options.protocol)
        return
    reading, others = _at_budget(every, options.budget)
    if others:
        text = f"left out, at other budgets (--budget): {others}; `--budget all` shows each"
        Console().print(text, highlight=False, markup=False)
    console = table_console()
    explain(reading, console)
    show(reading, console, protocol=options.protocol, suite=options.suite, tests=options.tests)


def _at_budget(reading: Reading, budget: float) -> tuple[Reading, str]:
    """Return the results of one budget, and which other budgets there are, separated by commas.

    Raises:
        RequestError: there are results of other budgets only.
    """
    found = reading.budgets()
    others = ", ".join(f"{one:g}" for one in found if one != budget)
    if others and budget not in found:
        raise RequestError(
            f"there are no results at budget {budget:g}. There are some at: {others}; name one with --budget."
        )
    return reading.at_budget(budget), others


def _write(every: Reading, options: BuildOptions | ExportOptions) -> str:
    """Write what the options ask for, and return a line that says where it is."""
    if isinstance(options, ExportOptions):
        return f"export: {export(every, options.format, options.out).resolve()}"
    reading, others = _at_budget(every, options.budget)
    if others:
        text = f"at other budgets, and so in the figures of cost only (--budget): {others}"
        Console().print(text, highlight=False, markup=False)
    if options.out.suffix == ".html":
        return f"report: {build_report(reading, options.out, every=every).resolve()}"
    return f"site: {build_site(reading, options.out, every=every) / 'index.html'}"


def explain(reading: Reading, console: Console, *, tuned: bool = True) -> None:
    """Print what a table leaves out, and what could not be checked.

    Args:
        reading: what was read.
        console: where to print.
        tuned: whether tuned entries are left out.
    """
    for line in reading.left_out():
        console.print(line, highlight=False, markup=False, soft_wrap=True, style="red")
    for line in (*(reading.tuned() if tuned else ()), *reading.unchecked()):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def show(
    reading: Reading,
    console: Console,
    *,
    protocol: str = "linear",
    tasks: Tasks = None,
    suite: str | None = None,
    tests: bool = False,
) -> None:
    """Print the table of some results and, separately, the numbers published for their suite.

    Args:
        reading: the results, of one suite or of all.
        console: where to print.
        protocol: which protocol's results.
        tasks: all tasks of each domain; by default those that have results.
        suite: whose published numbers follow; by default that of the results.
        tests: also rank by paired tests.
    """
    from dabs.leaderboard.tables.published import load_published, show_published
    from dabs.leaderboard.tables.render import show as show_table

    results = reading.fixed_results()
    published = load_published(suite or (results[0].suite if results else ""))
    if results or not published:
        tested = rank_by_tests(reading, protocol, tasks) if tests else None
        show_table(results, protocol=protocol, tasks=tasks, tested=tested, console=console)
        if tested == {}:
            console.print("no tested ranks: there are fewer than two algorithms", highlight=False)
    else:
        console.print(f"there are no results of the {suite} suite yet", highlight=False)
    if published:
        show_published(published, console)


def show_budgets(reading: Reading, console: Console, *, protocol: str = "linear") -> None:
    """Print each row at every budget, with what its pretraining cost."""
    from dabs.leaderboard.tables.budget_text import show_budgets as show_table
    from dabs.leaderboard.tables.budgets import build_budget_tables

    results = reading.fixed_results()
    if not any(result.protocol == protocol for result in results):
        raise RequestError(f"there are no results for the protocol {protocol!r}. Name another with --protocol.")
    show_table(build_budget_tables(results, protocol), console)


def rank_by_tests(reading: Reading, protocol: str, tasks: Tasks = None) -> TestedRanks:
    """Return the ranks of the algorithms of one protocol by paired tests; nothing for fewer than two."""
    from dabs.leaderboard.compare.ranks import rank_entries
    from dabs.leaderboard.tables.aggregate import build_table

    table = build_table(reading.fixed_results(), protocol, tasks)
    return rank_entries([entry for entry in reading.entries if entry.ruleset == "fixed"], table)


def build_report(reading: Reading, out: Path, tasks: Tasks = None, *, every: Reading | None = None) -> Path:
    """Write the HTML report of some results.

    Args:
        reading: the results of one budget.
        out: the HTML file.
        tasks: as for `show`.
        every: the results of every budget, for the figures of cost.
    """
    from dabs.leaderboard.site.report import build_report as build
    from dabs.leaderboard.tables.aggregate import protocols_of

    results = reading.fixed_results()
    tested = {protocol: rank_by_tests(reading, protocol, tasks) for protocol in protocols_of(results)}
    return build(results, out, tasks, every=every.fixed_results() if every else (), tested=tested)


def build_site(reading: Reading, out: Path, *, every: Reading | None = None) -> Path:
    """Write the site of some results and submissions, with the cards of their domains.

    Args:
        reading: the rows of one budget.
        out: the folder.
        every: the rows at every budget, for the figures of cost.
    """
    from dabs.config import SUITES
    from dabs.leaderboard.site.build import build_site as build
    from dabs.registry import domain_names, find_domain, plugin_names

    seen = {(result.domain, result.suite) for row in reading.entries for result in row.results}
    known = {*domain_names(), *plugin_names()}
    domains = [find_domain(name, of) for name, of in sorted(seen) if name in known and of in SUITES]
    return build(reading.entries, out, domains=domains, every=every.entries if every else ())


def export(reading: Reading, kind: str, out: Path | None = None) -> Path:
    """Write some results as `csv` (a file) or `every-eval-ever` (a folder of records)."""
    from dabs.results.export import write_csv, write_records

    results = reading.fixed_results()
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


def read_rows(roots: list[Path], suite: str | None = None) -> Reading:
    """Read the results of one suite, or of all, below some folders.

    With a suite the default folder `runs` may be missing: what was published can be seen without runs of one's own.
    """
    from dabs.results.entries import Reading, read_entries

    if suite is not None and roots == [Path("runs")] and not roots[0].exists():
        return Reading()
    return read_entries(*roots).of_suite(suite)
