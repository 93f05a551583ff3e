"""The rows at every budget as a table for the terminal and for Markdown files."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dabs.evaluation.reference_rows import SUPERVISED, is_reference
from dabs.leaderboard.tables.budgets import BudgetTables, Level, Point
from dabs.leaderboard.tables.costs import RunCost
from dabs.leaderboard.tables.ranking import Ends
from dabs.leaderboard.tables.render import (
    COVERS,
    EMPTY,
    FAILED,
    MAX_LISTED,
    READERS,
    legend,
    mark,
    name_of_all,
    plain_markdown,
    points,
)
from dabs.leaderboard.tables.standing import failed_runs

BUSY = 1.5  # a seed that took this many times as long as another says that the machine was not idle


def budget_text(budget: float) -> str:
    """Return a budget as tables and figures write it: `0.25×`."""
    return f"{budget:g}×"


def seconds_text(seconds: float | None) -> str:
    """Return seconds, with one decimal below ten, or a dash where they are unknown."""
    if seconds is None:
        return f"{EMPTY} s"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def flops_text(flops: float | None) -> str:
    """Return FLOPs with two digits, such as `3.1e15`, or a dash where they are unknown."""
    return EMPTY if flops is None else f"{flops:.1e}".replace("e+", "e").replace("e0", "e")


def cost_text(cost: RunCost) -> str:
    """Return what pretraining cost: seconds, then FLOPs."""
    return f"{seconds_text(cost.seconds)}, {flops_text(cost.flops)}"


def describe_machine(budgets: BudgetTables) -> str:
    """Return in sentences whose seconds are shown, and how far they can be trusted; empty without any run."""
    if not budgets.runs:
        return ""
    words = f"Seconds are of one machine ({budgets.machine}) and cannot be compared with those of another"
    if budgets.elsewhere:
        words += f"; {budgets.elsewhere} of {budgets.runs} runs were made elsewhere, and their seconds are left out"
    if budgets.spread > BUSY:
        words += (
            f". It was not idle: the slowest seed of a row took up to {budgets.spread:.1f} times as long as the fastest"
        )
    return f"{words}."


def describe_levels(budgets: BudgetTables) -> str:
    """Return a sentence about the rows without pretraining; empty without any."""
    names = [level.algorithm for level in _levels_anywhere(budgets)]
    return f"Without pretraining, and so the same at every budget: {', '.join(names)}." if names else ""


def describe_supervised(budgets: BudgetTables) -> str:
    """Return a sentence about the cost of the supervised row; empty without it."""
    return f"The cost of {SUPERVISED} is the sum over its tasks." if SUPERVISED in budgets.trained else ""


def show_budgets(budgets: BudgetTables, console: Console) -> None:
    """Print each row's score, interval and cost: a column for each budget, the domains below one another."""
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1), pad_edge=False)
    rich.add_column("domain, row", overflow="fold")
    for budget in budgets.tables:
        rich.add_column(budget_text(budget), justify="right", overflow="fold")
    for title, rows in _sections(budgets):
        rich.add_row(Text(title, style="cyan"))
        for name, cells in rows:
            first = Text(f"  {name}", style="italic" if is_reference(name) else "")
            rich.add_row(first, *(Text.assemble(score, (f"\n{cost}" * bool(cost), "dim")) for score, cost in cells))
        rich.add_section()
    console.print(rich)
    for sentence in _notes(budgets):
        console.print(Text(sentence, style="yellow" if sentence.startswith(FAILED) else "dim"))


def markdown_budgets(budgets: BudgetTables) -> str:
    """Return a Markdown table of what `show_budgets` prints, with a row for each domain and row of results."""
    heads = ["domain", "row", *map(budget_text, budgets.tables)]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * len(budgets.tables)}"]
    for title, rows in _sections(budgets):
        for name, cells in rows:
            shown = f"*{name}*" if is_reference(name) else plain_markdown(name)
            texts = [", ".join(filter(None, (score, cost))) for score, cost in cells]
            lines.append(f"| {plain_markdown(title)} | {shown} | {' | '.join(texts)} |")
    return "\n".join([*lines, "", " ".join(plain_markdown(sentence) for sentence in _notes(budgets))])


Cells = list[tuple[str, str]]  # for each budget: the score with its interval, and the cost


def _sections(budgets: BudgetTables) -> Iterator[tuple[str, list[tuple[str, Cells]]]]:
    """Yield the title and the rows of each domain, and of all domains if there are several."""
    table = budgets.first
    for domain in (*table.tasks, *([None] if len(table.counted) > 1 else [])):
        levels = {level.algorithm: level for level in budgets.levels(domain)}
        rows: list[tuple[str, Cells]] = []
        for name, level in levels.items():
            rows.append((name, [(_score_text(level.score, level.interval), "")] * len(budgets.tables)))
        for name in budgets.trained:
            found = {point.budget: point for point in budgets.points(name, domain)}
            rows.append((name, [_cell(found.get(budget)) for budget in budgets.tables]))
        yield (f"{domain}{mark(table, domain)}" if domain else name_of_all(table)), rows


def _levels_anywhere(budgets: BudgetTables) -> list[Level]:
    """Return the rows without pretraining that have a mean of any domain, each once."""
    found = {level.algorithm: level for domain in budgets.first.tasks for level in budgets.levels(domain)}
    return list(found.values())


def _cell(point: Point | None) -> tuple[str, str]:
    return (_score_text(point.score, point.interval, point.failed), cost_text(point.cost)) if point else (EMPTY, "")


def _score_text(score: float, interval: Ends, failed: bool = False) -> str:
    return f"{points(score)}{FAILED * failed} [{points(interval[0])}, {points(interval[1])}]"


def _notes(budgets: BudgetTables) -> list[str]:
    """Return in sentences how the table is read, where its seconds are from, and what did not learn."""
    table = budgets.first
    signs = legend(table)
    reading = (
        f"Reader: {READERS[table.protocol]}; {table.suite} suite. A column is a budget: that multiple of the standard "
        f"steps. Score × 100 with its 95 % interval over {COVERS}, then the seconds and FLOPs of pretraining "
        f"(mean over seeds; of several domains, the sum); {EMPTY} means a missing task or an unknown cost."
    )
    words = [reading, signs and f"{signs}.", describe_levels(budgets), describe_supervised(budgets)]
    return [" ".join(filter(None, [*words, describe_machine(budgets)])), *_failures(budgets)]


def _failures(budgets: BudgetTables) -> list[str]:
    """Return a sentence that lists the runs that did not learn, at each budget; nothing if all learned."""
    found = [f"{run} at {budget_text(b)}" for b, table in budgets.tables.items() for run in failed_runs(table)]
    more = f"; and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    listed = "; ".join(found[:MAX_LISTED])
    return [f"{FAILED} did not learn: {listed}{more}. Every mean with {FAILED} includes such a run."] if found else []
