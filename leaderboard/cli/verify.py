"""`dabs leaderboard verify`: what is committed against the schema, the rules and the tables, as CI does it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """Check all results and submissions of a checkout, and that the tables in its pages are made from them."""

    root: Path = Path()  # the checkout
    suite: Literal["lite"] = "lite"  # which data


def main(arguments: list[str]) -> int:
    """Parse, verify, print every problem; gives 1 when there is one."""
    options = tyro.cli(VerifyOptions, prog="dabs leaderboard verify", args=arguments)
    from dabs.leaderboard.cli.suite_rules import labels_of, rules_of
    from dabs.leaderboard.submit.verify import problems

    console = Console()
    found = problems(options.root, rules_of(options.suite), lambda domain, task: labels_of(options.suite, domain, task))
    for line in found:
        console.print(f"- {line}", highlight=False, markup=False, soft_wrap=True, style="red")
    words = (
        f"{len(found)} problem{'s' * (len(found) != 1)}"
        if found
        else "results, submissions and tables are as they should be"
    )
    console.print(words, highlight=False)
    return 1 if found else 0
