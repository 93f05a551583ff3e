"""Tables for the terminal and for Markdown files, with scores times 100."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dabs.config import protocol_name
from dabs.errors import DabsError
from dabs.leaderboard.tables.aggregate import CellMean, Table, Tasks, build_table
from dabs.results.schema import Result
from dabs.utils.files import replacing

EMPTY = "–"
MARKS = {"recorded": "", "synthesised": "†", "generated": "‡"}
_LEGEND = {"synthesised": "† synthesised data", "generated": "‡ generated data"}


def points(value: float | None) -> str:
    """Format a score times 100 with one decimal, or as a dash when it is missing."""
    return EMPTY if value is None else f"{100 * value:.1f}"


def best_positions(values: Iterable[float | None]) -> set[int]:
    """Return the positions of the largest values, several when they look equal after rounding."""
    rounded = [None if value is None else round(100 * value, 1) for value in values]
    known = [value for value in rounded if value is not None]
    return {i for i, value in enumerate(rounded) if value is not None and value == max(known)}


def mark(table: Table, domain: str, task: str | None = None) -> str:
    """Return the mark of synthesised or generated data; a domain carries the marks of all its tasks."""
    if task is None:
        return "".join(MARKS[origin] for origin in table.origins(domain))
    info = table.info.get((domain, task))
    return MARKS[info.origin] if info else ""


def legend(table: Table) -> str:
    """Return in one line what the marks that occur mean; empty when all data is recorded."""
    seen = {origin for domain in table.tasks for origin in table.origins(domain)}
    return ", ".join(words for origin, words in _LEGEND.items() if origin in seen)


def describe_seeds(cells: Iterable[CellMean | None]) -> str:
    """Return how many seeds the cells have: `3 seeds`, or `1 to 3 seeds` where they differ."""
    counts = sorted({len(cell.seeds) for cell in cells if cell})
    if not counts:
        return "no seeds"
    last = f"{counts[-1]} seed{'s' if counts[-1] > 1 else ''}"
    return last if len(counts) == 1 else f"{counts[0]} to {last}"


def show(
    results: Sequence[Result], *, protocol: str = "linear", tasks: Tasks | None = None, console: Console | None = None
) -> None:
    """Print the table: one row per task, grouped by domain, and one column per algorithm.

    A cell is the mean over seeds, with the sample standard deviation when there are several. The best cell of a row is
    bold.

    Args:
        results, protocol, tasks: as for `aggregate.build_table`.
        console: where to print; by default the terminal.

    Raises:
        RequestError: as `aggregate.build_table` does.
    """
    table = build_table(results, protocol, tasks)
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    rich.add_column("domain, task", overflow="fold")
    for algorithm in table.algorithms:
        rich.add_column(Text(algorithm), justify="right", overflow="fold")  # a number is never cut
    for domain, names in table.tasks.items():
        means = [table.domain_mean(a, domain) for a in table.algorithms]
        _add_row(rich, f"{domain}{mark(table, domain)}", means, [points(m) for m in means], style="cyan")
        for task in names:
            cells = [table.cell(a, domain, task) for a in table.algorithms]
            values, texts = [c.mean if c else None for c in cells], [_with_deviation(c) for c in cells]
            _add_row(rich, f"  {task}{mark(table, domain, task)}", values, texts)
        rich.add_section()
    overall = [table.overall(a) for a in table.algorithms]
    _add_row(rich, "all domains", overall, [points(m) for m in overall], style="cyan")
    console = console or Console()
    console.print(rich)
    seeds = max((len(cell.seeds) for cell in table.cells.values()), default=0)
    about_deviation = " After ±, in points: the sample standard deviation over seeds." if seeds > 1 else ""
    console.print(Text(_note(table) + about_deviation, style="dim"))


def markdown_domains(table: Table) -> str:
    """Return a Markdown table with one row per domain, one column per algorithm, and the overall mean last."""
    rows = [_markdown_head(["domain", *table.algorithms])]
    for domain in table.tasks:
        values = [table.domain_mean(a, domain) for a in table.algorithms]
        rows.append(_markdown_row(f"{domain}{mark(table, domain)}", values, [points(v) for v in values]))
    overall = [table.overall(a) for a in table.algorithms]
    rows.append(_markdown_row("**all domains**", overall, [points(v) for v in overall], plain=False))
    return "\n".join([*rows, "", _note(table)])


def markdown_tasks(table: Table) -> str:
    """Return a Markdown table with one row per task: each algorithm's mean and interval over test examples."""
    rows = [_markdown_head(["domain", "task", "metric", *table.algorithms])]
    for domain, tasks in table.tasks.items():
        for task in tasks:
            cells = [table.cell(a, domain, task) for a in table.algorithms]
            info = table.info.get((domain, task))
            texts = [_with_interval(cell) for cell in cells]
            first = f"{domain} | {task}{mark(table, domain, task)} | {info.metric.name if info else EMPTY}"
            rows.append(_markdown_row(first, [c.mean if c else None for c in cells], texts, plain=False))
    return "\n".join([*rows, "", f"{_note(table)} In brackets the 95 % interval over test examples."])


def update_between_markers(path: Path, name: str, text: str) -> bool:
    """Replace the text between `<!-- NAME:begin -->` and `<!-- NAME:end -->`; return whether the file changed.

    Raises:
        DabsError: the file cannot be read, or does not contain each marker exactly once and in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        old = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DabsError(f"cannot read {path}: {error.strerror or error}.") from error
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise DabsError(f"{path} must contain {begin} and {end} once each, in this order. Add them.")
    if begin in text or end in text:
        raise DabsError(f"the text for {path} contains one of its own markers, {begin} or {end}. Nothing was written.")
    before, after = old[: old.index(begin) + len(begin)], old[old.index(end) :]
    new = f"{before}\n{text.strip()}\n{after}"
    if new != old:
        with replacing(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
    return new != old


def _note(table: Table) -> str:
    signs = legend(table)
    words = f"Score × 100, mean over pretraining seeds ({describe_seeds(table.cells.values())}), {table.suite} suite, "
    return f"{words}{protocol_name(table.protocol)}; {EMPTY} means a missing task.{f' {signs}.' if signs else ''}"


def _with_deviation(cell: CellMean | None) -> str:
    if cell is None:
        return EMPTY
    spread = "" if cell.deviation is None else f" ±{100 * cell.deviation:.1f}"
    return f"{points(cell.mean)}{spread}"


def _with_interval(cell: CellMean | None) -> str:
    if cell is None:
        return EMPTY
    low, high = cell.interval
    return f"{points(cell.mean)} ({points(low)} to {points(high)})"


def _add_row(rich: RichTable, first: str, values: list[float | None], texts: list[str], *, style: str = "") -> None:
    winners = best_positions(values)
    cells = [Text(text, style="bold" if i in winners else "") for i, text in enumerate(texts)]
    rich.add_row(Text(first), *cells, style=style or None)


def plain_markdown(text: str) -> str:
    """Escape text so that nothing in it is read as Markdown or HTML."""
    return re.sub(r"([\\`*|<>\[\]~&])", r"\\\1", text)


def _markdown_head(names: list[str]) -> str:
    cells = " | ".join(plain_markdown(name) for name in names)
    left = sum(name in ("domain", "task", "metric") for name in names[:3])
    rule = " | ".join(["---"] * left + ["---:"] * (len(names) - left))
    return f"| {cells} |\n| {rule} |"


def _markdown_row(first: str, values: list[float | None], texts: list[str], *, plain: bool = True) -> str:
    winners = best_positions(values)
    cells = [f"**{text}**" if i in winners else text for i, text in enumerate(texts)]
    return f"| {plain_markdown(first) if plain else first} | {' | '.join(cells)} |"
