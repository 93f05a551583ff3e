"""`dabs leaderboard show|build`: the table of results in the terminal; the HTML report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console

from dabs.registry import Suite

Tasks = dict[str, tuple[str, ...]] | None  # domain -> all its tasks


@dataclass(frozen=True, kw_only=True)
class BoardOptions:
    """Show the table of results, or build the HTML report."""

    action: tyro.conf.Positional[Literal["show", "build"]]
    results: tuple[Path, ...] = (Path("runs"),)  # folders to read *.result.json from
    suite: Suite | None = None  # results of this suite only, with what was published on it; default: of all there are
    protocol: Literal["linear", "knn", "finetune"] = "linear"  # which protocol the table shows
    out: Path = Path("report.html")  # where the report is written


def main(arguments: list[str]) -> None:
    """Parse and do."""
    options = tyro.cli(BoardOptions, prog="dabs leaderboard", args=arguments)
    if options.action == "show":
        show(list(options.results), protocol=options.protocol, suite=options.suite)
        return
    path = build(list(options.results), options.out, suite=options.suite)
    Console().print(f"report: {path.resolve()}", highlight=False, soft_wrap=True)


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
    from leaderboard.published import published_of, show_published
    from leaderboard.table import show as show_table

    console = console or Console()
    results = _results(roots, suite)
    published = published_of(suite or (results[0].suite if results else ""))
    if results or not published:
        show_table(results, protocol=protocol, tasks=tasks, console=console)
    else:
        console.print(f"no results of the {suite} suite in {', '.join(map(str, roots))}", highlight=False)
    if published:
        show_published(published, console)


def build(roots: list[Path], out: Path, tasks: Tasks = None, suite: str | None = None) -> Path:
    """Write the HTML report of results below some folders; `tasks` and `suite` as for `show`."""
    from leaderboard.report import build_report

    return build_report(_results(roots, suite), out, tasks)


def _results(roots: list[Path], suite: str | None) -> list[Any]:
    """The results of one suite, or of all; the folder of one's own runs need not be there to see what was published."""
    from leaderboard.results import load_results

    if suite is not None and roots == [Path("runs")] and not roots[0].exists():
        return []
    return [result for result in load_results(*roots) if suite in (None, result.suite)]
