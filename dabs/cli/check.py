"""`dabs check ALGORITHM`: test its promises before spending hours on a real run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console
from rich.text import Text

from dabs.cli.options import Command
from dabs.cli.terminal import warn_unless_clean
from dabs.config import Suite

if TYPE_CHECKING:
    from dabs.check.suite import Finding
    from dabs.specs import Specs

COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow"}


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """Test every promise of an algorithm, on synthetic batches of every kind of input and of each domain's inputs."""

    algorithm: tyro.conf.Positional[str]  # a name, or path/to/file.py:Class
    domains: tuple[str, ...] = ()  # whose inputs are tested besides one of each kind; all official if none is named
    suite: Suite = "lite"  # suite of the domains
    limit: float = 10.0  # how many times as much as a plain step a step may cost: time, memory, dropped parameters
    only: tuple[str, ...] = ()  # which checks to run, by the names that are printed; all if none is named


COMMAND = Command(
    words="check",
    options=CheckOptions,
    examples=(
        ("your own algorithm, on every kind of input", "dabs check my_idea.py:MyIdea"),
        ("faster: the inputs of one domain, besides one of each kind", "dabs check shed --domains sensor"),
        ("on the inputs of the paper's datasets", "dabs check my_idea.py:MyIdea --suite paper"),
    ),
)


def main(arguments: list[str]) -> int:
    """Parse, check, print the outcomes; return 1 if a check failed."""
    options = COMMAND.parse(arguments)
    from dabs.check.suite import run_checks
    from dabs.registry import find_algorithm

    algorithm, specs = find_algorithm(options.algorithm), specs_of(options.domains, options.suite)
    console, begun = Console(), time.perf_counter()
    findings: list[Finding] = []
    said: dict[tuple[str, str], str] = {}
    with console.status("building") as live:
        for finding in run_checks(algorithm, specs, limit=options.limit, only=options.only):
            if findings and finding.check != findings[-1].check:
                show(console, [f for f in findings if f.check == findings[-1].check], said)
            findings.append(finding)
            live.update(f"{finding.check}: {finding.case}")
    show(console, [f for f in findings if f.check == findings[-1].check], said)
    counts = {word: sum(f.outcome == word for f in findings) for word in COLOURS}
    words = ", ".join(f"{count} {word}" for word, count in counts.items())
    console.print(f"{words} in {time.perf_counter() - begun:.0f} s", highlight=False)
    warn_unless_clean(console)
    return 1 if counts["failed"] else 0


def specs_of(names: tuple[str, ...], suite: str) -> dict[str, Specs]:
    """Return the specs of domains; domains with equal specs share one entry."""
    from dabs.registry import domain_names, find_domain

    groups: dict[Specs, list[str]] = {}
    for name in names or tuple(domain_names(suite)):
        groups.setdefault(find_domain(name, suite).specs, []).append(name)
    return {" and ".join(alike): specs for specs, alike in groups.items()}


def show(console: Console, findings: Sequence[Finding], said: dict[tuple[str, str], str]) -> None:
    """Print the findings of one check, with one line for all inputs that share an outcome and its reason.

    Args:
        console: where to print.
        findings: of one check.
        said: the reasons and places of earlier failures, and the check that printed them; this check's are added.
    """
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for f in findings:
        groups.setdefault((f.check, f.outcome, f.reason, f.place), []).append(f.case)
    for (check, outcome, reason, place), cases in groups.items():
        line = Text.assemble((f"{outcome:8}", COLOURS[outcome]), f"{check:28}")
        everywhere = len(cases) == len(findings) > 1
        line.append(f"all {len(cases)} inputs" if everywhere else ", ".join(cases))
        earlier = said.setdefault((reason, place), check) if outcome == "failed" else check
        line.append(
            f": {reason}"
            if reason and earlier == check
            else f": the reason given under {earlier!r}" * (earlier != check)
        )
        console.print(line, soft_wrap=True)
        if place and earlier == check:
            console.print(Text(f"{'':8}{_relative(place)}", style="bold"), soft_wrap=True)


def _relative(place: str) -> str:
    """Return a place relative to the current folder, if it lies below it."""
    here = f"{Path.cwd()}/"
    return place.removeprefix(here)
