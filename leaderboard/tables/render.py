"""Tables for the terminal and for Markdown files, with scores times 100."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dabs.errors import DabsError
from dabs.evaluation.reference_rows import RANDOM, SUPERVISED, explanation_of, has_no_seed, is_reference
from dabs.leaderboard.tables.aggregate import CellMean, Table, Tasks, build_table, order_algorithms
from dabs.leaderboard.tables.ranking import RANKS, TESTED_RANKS, TestedRanks, column_leader, column_ranks, describe_bold
from dabs.leaderboard.tables.standing import cut_name, failed_runs, gap_closed, has_gap
from dabs.official import OFFICIAL_TASKS
from dabs.results.schema import Result
from dabs.utils.files import replacing

EMPTY = "–"
FAILED = "✗"  # the mark of a run that did not learn, and of every mean that includes one
ALL_DOMAINS = "all domains"
RANK, TESTED_RANK = "rank", "tested rank"
MAX_LISTED = 8  # failures that a note lists
READERS = {  # what each protocol reads a representation with
    "linear": "linear probe on mean-pooled features",
    "knn": "k nearest neighbours on mean-pooled features",
    "linear_tokens": "linear probe on all positions, reduced to 256 principal components",
    "finetune": "fine-tuning",
}
COVERS = "test data and seeds"  # what the intervals of cells and means cover
GAP = f"Share of the gap between the random encoder (none, 0 %) and the one trained with labels ({SUPERVISED}, 100 %)"
MARKS = {"recorded": "", "synthesised": "†", "generated": "‡"}
_LEGEND = {"synthesised": "† synthesised data", "generated": "‡ generated data"}


def points(value: float | None) -> str:
    """Format a score times 100 with one decimal, or as a dash when it is missing."""
    return EMPTY if value is None else f"{100 * value:.1f}"


def percent(share: float | None) -> str:
    """Format a share as a whole percentage, or as a dash when it is missing."""
    return EMPTY if share is None else f"{100 * share:.0f} %".replace("-0 %", "0 %").replace("-", "−")


def name_of_all(table: Table) -> str:
    """Return what the mean over domains is called: "all domains", or how many if the suite has others."""
    missing = set(OFFICIAL_TASKS.get(table.suite, ())) - set(table.counted)
    return f"mean of {len(table.counted)} domains" if missing else ALL_DOMAINS


def _scopes(table: Table) -> tuple[str | None, ...]:
    """Return the domains, and None for the mean over them if it is of more than one."""
    return (*table.tasks, None) if len(table.counted) > 1 else tuple(table.tasks)


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
    """Return how many seeds the cells have: `3 seeds`, or `1 to 3 seeds`; rows without an encoder have no seed."""
    counts = sorted({len(cell.seeds) for cell in cells if cell and not has_no_seed(cell.algorithm)})
    if not counts:
        return "no seed"
    last = f"{counts[-1]} seed{'s' if counts[-1] > 1 else ''}"
    return last if len(counts) == 1 else f"{counts[0]} to {last}"


def describe_failures(table: Table, algorithm: str | None = None) -> str:
    """Return a sentence that lists the runs that did not learn, of one row or of all; empty if all learned."""
    found = failed_runs(table, algorithm)
    if not found:
        return ""
    more = f"; and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    listed = "; ".join(map(str, found[:MAX_LISTED]))
    return (
        f"{FAILED} did not learn: {listed}{more}. Every mean with {FAILED} includes such a run: its own objective was "
        "not learned, whatever it scores."
    )


def describe_single_seeds(table: Table) -> str:
    """Return a sentence that names the rows whose intervals say nothing about other seeds; empty without any."""
    names = [cut_name(name) for name in table.algorithms if table.test_data_only(name)]
    if not names:
        return ""
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return f"With one seed only, an interval says nothing about other seeds: {', '.join(names[:MAX_LISTED])}{more}."


def explain_references(algorithms: Iterable[str]) -> list[tuple[str, str]]:
    """Return the name and the explanation of each reference row among some algorithms, in the order of a table."""
    return [(name, explanation_of(name)) for name in order_algorithms(set(algorithms)) if is_reference(name)]


def show(
    results: Sequence[Result],
    *,
    protocol: str = "linear",
    tasks: Tasks | None = None,
    tested: TestedRanks | None = None,
    console: Console | None = None,
) -> None:
    """Print the table: one row per task, grouped by domain, and one column per algorithm.

    A cell is the mean over seeds, with the sample standard deviation when there are several. The reference rows come
    first, in italics; the last row has the ranks of the others. Below it are the reference rows in words, the runs that
    did not learn, and the share of the gap that each algorithm closes.

    Args:
        results, protocol, tasks: as for `aggregate.build_table`.
        tested: ranks by paired tests, which get a row of their own.
        console: where to print; by default the terminal.

    Raises:
        RequestError: as `aggregate.build_table` does.
    """
    table = build_table(results, protocol, tasks)
    console = console or Console()
    tested_ranks = (tested or {}).get(None, {})
    scores, about_deviation = _rich_scores(table, _with_deviation, tested_ranks), ""
    if any(cell.deviation is not None for cell in table.cells.values()):
        about_deviation = " After ±, in points: the sample standard deviation over seeds."
        if console.measure(scores, options=console.options.update(width=10_000)).maximum > console.width:
            scores = _rich_scores(table, _without_deviation, tested_ranks)
            about_deviation = " A wider terminal shows the standard deviations over seeds as well."
    console.print(scores)
    ranks = f"{RANKS}. {TESTED_RANKS}." if tested_ranks else f"{RANKS}."
    console.print(Text(f"{_note(table)} {ranks}{about_deviation}", style="dim"))
    for name, words in explain_references(table.algorithms):
        console.print(Text(f"{name}: {words}.", style="dim"))
    failures = describe_failures(table)
    if failures:
        console.print(Text(failures, style="yellow"))
    if has_gap(table):
        console.print(_rich_gaps(table))
        console.print(Text(f"{GAP} that each row closes.", style="dim"))


def _rich_scores(table: Table, text_of: Callable[[CellMean | None], str], tested: Mapping[str, int]) -> RichTable:
    rich = _rich_table("domain, task", table.algorithms)
    for domain, names in table.tasks.items():
        _add_row(rich, f"{domain}{mark(table, domain)}", bold_means(table, domain), style="cyan")
        for task in names:
            texts = {name: text_of(table.cell(name, domain, task)) for name in table.algorithms}
            leader = column_leader(table, domain, task)
            _add_row(rich, f"  {task}{mark(table, domain, task)}", [(texts[a], a == leader) for a in table.algorithms])
        rich.add_section()
    if len(table.counted) > 1:
        _add_row(rich, name_of_all(table), bold_means(table), style="cyan")
    _add_row(rich, RANK, [(text, False) for text in _rank_texts(table)])
    if tested:
        _add_row(rich, TESTED_RANK, [(str(tested.get(name, EMPTY)), False) for name in table.algorithms])
    return rich


def _rich_gaps(table: Table) -> RichTable:
    names = _gap_rows(table)
    rich = _rich_table("gap closed", names)
    for domain in _scopes(table):
        shares = [gap_text(table, name, domain) for name in names]
        rich.add_row(domain or name_of_all(table), *shares, style=None if domain else "cyan")
    return rich


def _rich_table(first: str, names: Iterable[str]) -> RichTable:
    rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    rich.add_column(first, overflow="fold")
    for name in names:
        style = "italic" if is_reference(name) else ""
        rich.add_column(Text(name, style=style), justify="right", overflow="fold")  # a number is never cut
    return rich


def gap_text(table: Table, algorithm: str, domain: str | None = None) -> str:
    """Return the share of the gap that a row closes, marked if its mean includes a run that did not learn."""
    share = gap_closed(table, algorithm, domain)
    return f"{percent(share)}{FAILED * (share is not None and table.has_failed(algorithm, domain))}"


def _gap_rows(table: Table) -> list[str]:
    """Return the rows between the two ends of the gap: all but the random and the supervised encoder."""
    return [name for name in table.algorithms if name not in (RANDOM, SUPERVISED)]


def bold_means(table: Table, domain: str | None = None) -> list[tuple[str, bool]]:
    """Return each row's mean of a domain, or of all, as text, and whether it is bold.

    A mean is marked if it includes a run that did not learn.
    """
    leader, found = column_leader(table, domain), []
    for name in table.algorithms:
        mean = table.overall(name) if domain is None else table.domain_mean(name, domain)
        found.append((f"{points(mean)}{FAILED * table.has_failed(name, domain)}", name == leader))
    return found


def _rank_texts(table: Table) -> list[str]:
    """Return each row's rank by the mean of all domains; a dash for the reference rows and for incomplete rows."""
    ranks = column_ranks(table)
    return [str(ranks[name]) if name in ranks else EMPTY for name in table.algorithms]


def markdown_domains(table: Table) -> str:
    """Return a Markdown table with one row per domain, one column per algorithm, and the overall mean last.

    Below it are a note, the reference rows in words, and the runs that did not learn.
    """
    rows = [_markdown_head(["domain", *table.algorithms])]
    for domain in table.tasks:
        rows.append(markdown_row(plain_markdown(f"{domain}{mark(table, domain)}"), bold_means(table, domain)))
    if len(table.counted) > 1:
        rows.append(markdown_row(f"**{name_of_all(table)}**", bold_means(table)))
    explained = "; ".join(f"`{name}` is {words}" for name, words in explain_references(table.algorithms))
    return "\n".join([*rows, "", markdown_note(table), *([f"\nReference rows: {explained}."] if explained else [])])


def markdown_references(algorithms: Iterable[str]) -> list[str]:
    """Return one item of a Markdown list for each reference row among some algorithms."""
    return [f"- `{name}`: {words}." for name, words in explain_references(algorithms)]


def markdown_gaps(table: Table) -> str:
    """Return a Markdown table of the share of the gap that each row closes, by domain; empty if there is no gap."""
    names = _gap_rows(table)
    if not has_gap(table) or not names:
        return ""
    rows = [_markdown_head(["domain", *names])]
    for domain in _scopes(table):
        first = plain_markdown(domain) if domain else f"**{name_of_all(table)}**"
        rows.append(f"| {first} | {' | '.join(gap_text(table, name, domain) for name in names)} |")
    return "\n".join(
        [*rows, "", f"{GAP} that each row closes; {EMPTY} where the supervised one is not ahead by a point."]
    )


def markdown_tasks(table: Table) -> str:
    """Return a Markdown table with one row per task: each algorithm's mean and its interval."""
    rows = [_markdown_head(["domain", "task", "metric", *table.algorithms])]
    for domain, tasks in table.tasks.items():
        for task in tasks:
            info, leader = table.info.get((domain, task)), column_leader(table, domain, task)
            cells = [(_with_interval(table.cell(name, domain, task)), name == leader) for name in table.algorithms]
            first = f"{domain} | {task}{mark(table, domain, task)} | {info.metric.name if info else EMPTY}"
            rows.append(markdown_row(first, cells))
    single = plain_markdown(describe_single_seeds(table))
    note = f"{markdown_note(table)} In brackets the 95 % interval over {COVERS}. {single}"
    return "\n".join([*rows, "", note.strip()])


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
    """Return in words how a table is read: the reader, the seeds, what is bold, and the marks that occur."""
    signs = legend(table)
    reader = f"Reader: {READERS[table.protocol]}; {table.title}."
    scores = f"Score × 100, mean over pretraining seeds ({describe_seeds(table.cells.values())})"
    bold = describe_bold(table.algorithms)
    return f"{reader} {scores}; {EMPTY} means a missing task. {bold}.{f' {signs}.' if signs else ''}"


def markdown_note(table: Table) -> str:
    return " ".join(filter(None, (_note(table), plain_markdown(describe_failures(table)))))


def _without_deviation(cell: CellMean | None) -> str:
    return EMPTY if cell is None else f"{points(cell.mean)}{FAILED * bool(cell.failed)}"


def _with_deviation(cell: CellMean | None) -> str:
    spread = "" if cell is None or cell.deviation is None else f" ±{100 * cell.deviation:.1f}"
    return f"{_without_deviation(cell)}{spread}"


def _with_interval(cell: CellMean | None) -> str:
    if cell is None:
        return EMPTY
    low, high = cell.interval
    return f"{_without_deviation(cell)} ({points(low)} to {points(high)})"


def _add_row(rich: RichTable, first: str, cells: list[tuple[str, bool]], *, style: str = "") -> None:
    rich.add_row(Text(first), *(Text(text, style="bold" if bold else "") for text, bold in cells), style=style or None)


def plain_markdown(text: str) -> str:
    """Escape text so that nothing in it is read as Markdown or HTML."""
    return re.sub(r"([\\`*|<>\[\]~&])", r"\\\1", text)


def _markdown_head(names: list[str]) -> str:
    """Return the head of a table; the reference rows are in italics."""
    cells = " | ".join(f"*{name}*" if is_reference(name) else plain_markdown(name) for name in names)
    left = sum(name in ("domain", "task", "metric") for name in names[:3])
    rule = " | ".join(["---"] * left + ["---:"] * (len(names) - left))
    return f"| {cells} |\n| {rule} |"


def markdown_row(first: str, cells: list[tuple[str, bool]]) -> str:
    return f"| {first} | {' | '.join(f'**{text}**' if bold else text for text, bold in cells)} |"
