"""`dabs compare A B ...`: which is better, on which tasks, how certainly."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from dabs.cli.options import Command
from dabs.cli.terminal import table_console
from dabs.config import Protocol


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Compare algorithms: each SOURCE is a folder of results (runs, a submission), `published` for the project's own
    results, or a run on the hub (hf://USER/NAME), and may end in :ALGORITHM.
    """

    sources: tyro.conf.Positional[tuple[str, ...]]  # places of results, each optionally with :ALGORITHM appended
    algorithms: tuple[str, ...] = ()  # which algorithms of the sources; if none is named: all of a single source
    protocol: Protocol = "linear"  # protocol whose scores to compare
    budget: float | None = None  # only results of this multiple of the standard steps: 0.25, 1, 4 or 10
    alpha: float = 0.05  # two-sided level of the tests; intervals have level 1 - alpha
    resamples: int = 10_000  # number of bootstrap resamples of test examples or groups, and of tasks
    format: Literal["table", "json", "markdown", "html", "latex"] = "table"  # output format
    out: Path | None = None  # file to write; if not given, the comparison is printed
    figure: Path | None = None  # also draw two sides as this .svg or .pdf file: scores and their difference by domain


COMMAND = Command(
    words="compare",
    options=CompareOptions,
    examples=(
        ("two algorithms of your runs", "dabs compare runs --algorithms MyIdea emix"),
        ("yours against a published row", "dabs compare runs/lite:MyIdea leaderboard/results/lite:shed"),
        ("a figure for a paper", "dabs compare published --algorithms shed emix --figure shed-emix.svg"),
        ("all of them, as a page to send", "dabs compare runs --format html --out comparison.html"),
    ),
)


def main(arguments: list[str]) -> int:
    """Parse the arguments, compare, print or write the comparison; return 1 if a broken file was left out, else 0."""
    options = COMMAND.parse(arguments)
    if options.figure is not None:
        from dabs.leaderboard.site.comparison_figure import refuse_other_formats

        refuse_other_formats(options.figure)
    from dabs.leaderboard.compare.contestants import load_contestants
    from dabs.leaderboard.compare.pairwise import compare_contestants

    contestants = load_contestants(options.sources, options.protocol, options.algorithms, options.budget)
    comparison = compare_contestants(contestants, alpha=options.alpha, resamples=options.resamples)
    from dabs.leaderboard.compare.formats import FORMATS, as_text, show

    if options.format == "table" and options.out is None:
        show(comparison, table_console())
    else:
        write(as_text(comparison) if options.format == "table" else FORMATS[options.format](comparison), options.out)
    if options.figure is not None:
        from dabs.leaderboard.site.comparison_figure import write_comparison

        write_comparison(comparison, contestants, options.figure)
    return 1 if any(one.left_out for one in contestants) else 0


def write(text: str, out: Path | None) -> None:
    """Write text to a file, atomically, or to the terminal."""
    from dabs.utils.files import replacing

    if out is None:
        sys.stdout.write(text)
        return
    with replacing(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
