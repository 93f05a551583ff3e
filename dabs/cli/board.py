"""`dabs leaderboard show|build`: the table of results in the terminal; the HTML report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console

Tasks = dict[str, tuple[str, ...]] | None  # domain -> all its tasks


@dataclass(frozen=True, kw_only=True)
class BoardOptions:
    """Show the table of results, or build the HTML report."""

    action: tyro.conf.Positional[Literal["show", "build"]]
    results: tuple[Path, ...] = (Path("runs"),)  # folders to read *.result.json from
    store: str = ""  # fsspec URL of a shared store, whose results are fetched into the first of the folders
    protocol: Literal["linear", "knn", "finetune"] = "linear"  # which protocol the table shows
    out: Path = Path("report.html")  # where the report is written


def main(arguments: list[str]) -> None:
    """Parse and do."""
    options = tyro.cli(BoardOptions, prog="dabs leaderboard", args=arguments)
    if options.store:
        from dabs.store import Store

        store = Store(options.store, options.results[0])
        for run in store.runs():
            store.fetch(run, results_only=True)
    if options.action == "show":
        show(list(options.results), protocol=options.protocol)
        return
    path = build(list(options.results), options.out)
    Console().print(f"report: {path.resolve()}", highlight=False, soft_wrap=True)


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
