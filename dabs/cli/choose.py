"""`dabs choose ALGORITHM`: the best setting of a sweep, by validation scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console
from rich.table import Table

from dabs.cli.options import Command
from dabs.cli.terminal import table_console
from dabs.config import Protocol
from dabs.registry import domain_names
from dabs.utils.files import write_json

if TYPE_CHECKING:
    from dabs.grid.choice import Choice


@dataclass(frozen=True, kw_only=True)
class ChooseOptions:
    """Compare the settings of an algorithm that a sweep of `dabs run` tried, by validation scores alone.

    Into a folder that is named go choice.json, which `dabs run` reads, and tuning.json for a tuned submission. Run the
    choice with seeds that it was not made with.
    """

    algorithm: tyro.conf.Positional[str]  # whose settings to compare
    results: tuple[str, ...] = ("runs",)  # folders to read results from, or `published`
    protocol: Protocol = "linear"  # whose validation scores decide
    out: Path | None = None  # folder for choice.json and tuning.json


COMMAND = Command(
    words="choose",
    options=ChooseOptions,
    examples=(
        ("which setting of ShED is best in each domain, and over all", "dabs choose shed --results runs"),
        ("keep the choice of each domain", "dabs choose shed --out chosen"),
    ),
)


def main(arguments: list[str]) -> None:
    """Parse, compare, print, write."""
    options = COMMAND.parse(arguments)
    from dabs.grid.choice import choose
    from dabs.results.entries import load_entries
    from dabs.results.places import results_folder

    folders = [results_folder(place) for place in options.results]
    results = [result for entry in load_entries(*folders) for result in entry.results]
    choice = choose(results, options.algorithm, options.protocol)
    console = table_console()
    table = Table(title=f"validation scores of {choice.algorithm} x 100 ({options.protocol})")
    mean = "all domains" if set(choice.domains) == set(domain_names("lite")) else "mean"
    for column in ("setting", *choice.domains, mean):
        table.add_column(column, justify="left" if column == "setting" else "right")
    for setting, scores in choice.scores.items():
        failed = [domain for domain in choice.domains if (setting, domain) in choice.failed]
        best = [domain for domain in choice.domains if setting == choice.best(domain)]
        cells = [_cell(scores[domain], domain in best, domain in failed) for domain in choice.domains]
        table.add_row(setting, *cells, _cell(choice.mean(setting), setting == choice.best(), bool(failed)))
    console.print(table)
    if choice.failed:
        console.print("✗ a run of this setting did not learn (see `dabs leaderboard show`)", style="yellow")
    for setting, domains in choice.left_out.items():
        console.print(f"left out {setting}: it has no results in {', '.join(domains)}", highlight=False)
    console.print(f"best by the mean over domains: {choice.best()}; * marks the best of each column", highlight=False)
    if options.out is not None:
        _write(options.out, choice, options.protocol, console)


def _cell(score: float, best: bool, failed: bool) -> str:
    return f"{100 * score:.1f}{'✗' * failed}{'*' if best else ' '}"


def _write(folder: Path, choice: Choice, protocol: str, console: Console) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "choice.json", {"algorithm": choice.algorithm, "options": choice.per_domain()})
    write_json(folder / "tuning.json", choice.tuning(protocol))
    console.print(f"wrote {folder / 'choice.json'} and {folder / 'tuning.json'}", highlight=False, soft_wrap=True)
    some = "" if set(choice.domains) == set(domain_names("lite")) else f" --domains {' '.join(choice.domains)}"
    console.print(
        f"next: dabs run --algorithms {choice.algorithm}{some} --choice {folder / 'choice.json'} --seeds 3 "
        f"--out {folder / 'runs'}",
        highlight=False,
        soft_wrap=True,
    )
