"""A table for the terminal and for Markdown files. Scores are shown times 100."""

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
    """A score times 100 with one decimal, or a dash."""
    return EMPTY if value is None else f"{100 * value:.1f}"


def best(values: Iterable[float | None]) -> set[int]:
    """Positions of the values that show as the largest (several when they look equal)."""
    shown = [None if value is None else round(100 * value, 1) for value in values]
    there = [value for value in shown if value is not None]
    return {i for i, value in enumerate(shown) if value is not None and value == max(there)}


def mark(table: Table, domain: str, task: str | None = None) -> str:
    """The sign of synthesised or generated data; a domain carries the signs of all its tasks."""
    if task is None:
        return "".join(MARKS[origin] for origin in table.origins(domain))
    info = table.info.get((domain, task))
    return MARKS[info.origin] if info else ""


def legend(table: Table) -> str:
    """What the signs mean (those that occur), as one line; empty when all data is recorded."""
    seen = {origin for domain in table.tasks for origin in table.origins(domain)}
    return ", ".join(words for origin, words in _LEGEND.items() if origin in seen)


def seeds_of(cells: Iterable[CellMean | None]) -> str:
    """How many seeds the cells have: `3 seeds`, or `1 to 3 seeds` where they differ."""
    counts = sorted({len(cell.seeds) for cell in cells if cell})
    if not counts:
        return "no seeds"
    last = f"{counts[-1]} seed{'s' if counts[-1] > 1 else ''}"
    return last if len(counts) == 1 else f"{counts[0]} to {last}"


def show(
    results: Sequence[Result], *, protocol: str = "linear", tasks: Tasks | None = None, console: Console | None = None
) -> None:
    """Print the table: a row a task under its domain, a column an algorithm, the best of a row in bold.

    A cell is the mean over seeds, with the sample standard deviation where there are several.

    Raises:
        RequestError: as `aggregate.build_table`.
    """
    table = build_table(results, protocol, tasks)
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    rich.add_column("domain, task", overflow="fold")
    for algorithm in table.algorithms:
        rich.add_column(Text(algorithm), justify="right", overflow="fold")  # a number is never cut
    for domain, names in table.tasks.items():
        means = [table.domain_mean(a, domain) for a in table.algorithms]
        _add(rich, f"{domain}{mark(table, domain)}", means, [points(m) for m in means], style="cyan")
        for task in names:
            cells = [table.cell(a, domain, task) for a in table.algorithms]
            values, texts = [c.mean if c else None for c in cells], [_with_deviation(c) for c in cells]
            _add(rich, f"  {task}{mark(table, domain, task)}", values, texts)
        rich.add_section()
    overall = [table.overall(a) for a in table.algorithms]
    _add(rich, "all domains", overall, [points(m) for m in overall], style="cyan")
    console = console or Console()
    console.print(rich)
    seeds = max((len(cell.seeds) for cell in table.cells.values()), default=0)
    legend = " After ±, in points: the sample standard deviation over seeds." if seeds > 1 else ""
    console.print(Text(_note(table) + legend, style="dim"))


def markdown_domains(table: Table) -> str:
    """A Markdown table with a row a domain, a column an algorithm, and the mean over all domains last."""
    rows = [_head(["domain", *table.algorithms])]
    for domain in table.tasks:
        values = [table.domain_mean(a, domain) for a in table.algorithms]
        rows.append(_row(f"{domain}{mark(table, domain)}", values, [points(v) for v in values]))
    overall = [table.overall(a) for a in table.algorithms]
    rows.append(_row("**all domains**", overall, [points(v) for v in overall], plain=False))
    return "\n".join([*rows, "", _note(table)])


def markdown_tasks(table: Table) -> str:
    """A Markdown table with a row a task and, for each algorithm, the mean and the interval over test examples."""
    rows = [_head(["domain", "task", "metric", *table.algorithms])]
    for domain, tasks in table.tasks.items():
        for task in tasks:
            cells = [table.cell(a, domain, task) for a in table.algorithms]
            info = table.info.get((domain, task))
            texts = [_with_interval(cell) for cell in cells]
            first = f"{domain} | {task}{mark(table, domain, task)} | {info.metric.name if info else EMPTY}"
            rows.append(_row(first, [c.mean if c else None for c in cells], texts, plain=False))
    return "\n".join([*rows, "", f"{_note(table)} In brackets the 95 % interval over test examples."])


def update_between_markers(path: Path, name: str, text: str) -> bool:
    """Replace what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->`; gives whether the file changed.

    Raises:
        DabsError: the file cannot be read, or does not hold the two markers once each, in this order.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    try:
        old = path.read_text(encoding="utf-8")
    except OSError as error:
        raise DabsError(f"cannot read {path}: {error.strerror or error}.") from error
    if old.count(begin) != 1 or old.count(end) != 1 or old.index(begin) > old.index(end):
        raise DabsError(f"{path} must hold the lines {begin} and {end} once each, in this order. Add them.")
    if begin in text or end in text:
        raise DabsError(f"the text for {path} holds one of its own markers, {begin} or {end}. Nothing was written.")
    before, after = old[: old.index(begin) + len(begin)], old[old.index(end) :]
    new = f"{before}\n{text.strip()}\n{after}"
    if new != old:
        with replacing(path) as temporary:
            temporary.write_text(new, encoding="utf-8")
    return new != old


def _note(table: Table) -> str:
    signs = legend(table)
    words = f"Score × 100, mean over pretraining seeds ({seeds_of(table.cells.values())}), {table.suite} suite, "
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


def _add(rich: RichTable, first: str, values: list[float | None], texts: list[str], *, style: str = "") -> None:
    winners = best(values)
    cells = [Text(text, style="bold" if i in winners else "") for i, text in enumerate(texts)]
    rich.add_row(Text(first), *cells, style=style or None)


def plain_markdown(text: str) -> str:
    """Names as plain text: nothing in them is read as Markdown or HTML."""
    return re.sub(r"([\\`*|<>\[\]~&])", r"\\\1", text)


def _head(names: list[str]) -> str:
    cells = " | ".join(plain_markdown(name) for name in names)
    left = sum(name in ("domain", "task", "metric") for name in names[:3])
    rule = " | ".join(["---"] * left + ["---:"] * (len(names) - left))
    return f"| {cells} |\n| {rule} |"


def _row(first: str, values: list[float | None], texts: list[str], *, plain: bool = True) -> str:
    winners = best(values)
    cells = [f"**{text}**" if i in winners else text for i, text in enumerate(texts)]
    return f"| {plain_markdown(first) if plain else first} | {' | '.join(cells)} |"
