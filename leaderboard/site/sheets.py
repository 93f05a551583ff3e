"""The tables of the site and the report as sheets to download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dabs.config import protocol_name
from dabs.evaluation.reference_rows import is_reference, reference_place
from dabs.leaderboard.site.downloads import Sheet, SheetLine, Value
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.ranking import column_leader, column_ranks
from dabs.leaderboard.tables.render import ALL_DOMAINS, EMPTY
from dabs.results.schema import Result

Place = tuple[Table, str | None, str | None]  # a column of a table: its domain, and its task


def overall_sheet(table: Table, ruleset: str = "fixed", tested: Mapping[str, int] | None = None) -> Sheet:
    """Return the table of the first page: all domains, and each domain; `tested` has ranks by paired tests."""
    places: list[Place] = [(table, domain, None) for domain in (None, *table.tasks)]
    caption = f"Means of the {table.suite} suite, {protocol_name(table.protocol)}"
    return _sheet(f"{table.suite}.{ruleset}.{table.protocol}", caption, [ALL_DOMAINS, *table.tasks], places, tested)


def domain_sheet(table: Table, domain: str, ruleset: str = "fixed", tested: Mapping[str, int] | None = None) -> Sheet:
    """Return the table of a domain: its mean, and each of its tasks; `tested` has ranks by paired tests."""
    places: list[Place] = [(table, domain, None), *((table, domain, task) for task in table.tasks[domain])]
    name = f"{table.suite}.{domain}.{ruleset}.{table.protocol}"
    caption = f"Scores in {domain}, {protocol_name(table.protocol)}"
    return _sheet(name, caption, ["mean", *table.tasks[domain]], places, tested)


def task_sheet(tables: Sequence[Table], domain: str, task: str, ruleset: str = "fixed") -> Sheet:
    """Return the table of a task: one column per protocol, with ranks by the first."""
    places: list[Place] = [(table, domain, task) for table in tables]
    heads = [protocol_name(table.protocol) for table in tables]
    return _sheet(f"{tables[0].suite}.{domain}.{task}.{ruleset}", f"Scores on {domain}/{task}", heads, places)


def _sheet(
    name: str,
    caption: str,
    heads: Sequence[str],
    places: Sequence[Place],
    tested: Mapping[str, int] | None = None,
) -> Sheet:
    """Return a sheet with one line per row, in the order of the first column and with the reference rows last."""
    table, domain, task = places[0]
    ranks = column_ranks(table, domain, task)
    leaders = [column_leader(*place) for place in places]

    def order(row: str) -> tuple[int, float, str]:
        value = _value(places[0], row).value
        group = 1 + reference_place(row) if is_reference(row) else 0
        return (group, float("inf") if value is None else -value, row)

    lines = [
        SheetLine(
            texts=(row, str(ranks.get(row, EMPTY)), *([str(tested.get(row, EMPTY))] if tested else [])),
            values=tuple(_value(place, row, bold=row == leader) for place, leader in zip(places, leaders, strict=True)),
            reference=is_reference(row),
        )
        for row in sorted(table.algorithms, key=order)
    ]
    texts = ("algorithm", "rank", *(["tested rank"] if tested else []))
    return Sheet(name=name, caption=caption, texts=texts, values=tuple(heads), lines=tuple(lines))


def _value(place: Place, row: str, *, bold: bool = False) -> Value:
    table, domain, task = place
    if domain is not None and task is not None:
        cell = table.cell(row, domain, task)
        return (
            Value(value=cell.mean, ends=cell.interval, bold=bold, failed=bool(cell.failed))
            if cell
            else Value(value=None)
        )
    mean = table.overall(row) if domain is None else table.domain_mean(row, domain)
    ends = table.overall_interval(row) if domain is None else table.domain_interval(row, domain)
    return Value(value=mean, ends=ends, bold=bold, failed=mean is not None and table.has_failed(row, domain))


def all_tasks_sheet(table: Table) -> Sheet:
    """Return the report's table of all numbers: one line per task, one column per row, reference rows last."""
    names = [*(n for n in table.algorithms if not is_reference(n)), *(n for n in table.algorithms if is_reference(n))]
    lines = []
    for domain, tasks in table.tasks.items():
        for task in tasks:
            info, leader = table.info.get((domain, task)), column_leader(table, domain, task)
            values = [_value((table, domain, task), name, bold=name == leader) for name in names]
            chance = Value(value=info.metric.chance if info else None)
            texts = (task, domain, info.metric.name if info else EMPTY)
            lines.append(SheetLine(texts=texts, values=(chance, *values)))
    return Sheet(
        name=f"{table.suite}.tasks.{table.protocol}",
        caption=f"Every task of the {table.suite} suite, {protocol_name(table.protocol)}",
        texts=("task", "domain", "metric"),
        values=("chance", *names),
        lines=tuple(lines),
    )


def means_sheet(tables: Sequence[Table], name: str, slug: str) -> Sheet:
    """Return the means of one row: one line per domain, one column per protocol."""
    lines = [
        SheetLine(texts=(domain or ALL_DOMAINS,), values=tuple(_value((table, domain, None), name) for table in tables))
        for domain in (None, *tables[0].tasks)
    ]
    heads = tuple(protocol_name(table.protocol) for table in tables)
    return Sheet(name=f"{slug}.means", caption=f"Means of {name}", texts=("domain",), values=heads, lines=tuple(lines))


def row_sheet(tables: Sequence[Table], name: str, slug: str) -> Sheet:
    """Return every task of one row: one line per task, one column per protocol."""
    lines = []
    for domain, tasks in tables[0].tasks.items():
        for task in tasks:
            info = tables[0].info.get((domain, task))
            values = [_value((table, domain, task), name) for table in tables]
            chance = Value(value=info.metric.chance if info else None)
            texts = (task, domain, info.metric.name if info else EMPTY)
            lines.append(SheetLine(texts=texts, values=(chance, *values)))
    heads = ("chance", *(protocol_name(table.protocol) for table in tables))
    return Sheet(
        name=f"{slug}.tasks",
        caption=f"Every task of {name}",
        texts=("task", "domain", "metric"),
        values=heads,
        lines=tuple(lines),
    )


def data_sheet(results: Sequence[Result], name: str) -> Sheet:
    """Return the table of the data: sizes and hashes, from one result of each task."""
    lines = [
        SheetLine(
            texts=(
                *(r.task, r.domain, r.data.origin, str(r.counts.train), str(r.counts.validation), str(r.counts.test)),
                *(r.data.sha256.train, r.data.sha256.validation, r.data.sha256.test),
            )
        )
        for r in results
    ]
    texts = ("task", "domain", "origin", "train", "validation", "test", "sha256 train", "sha256 validation")
    return Sheet(name=name, caption="The data of each task", texts=(*texts, "sha256 test"), lines=tuple(lines))


def runs_sheet(runs: Sequence[Result], name: str) -> Sheet:
    """Return the table of training runs, from one result of each."""
    lines = []
    for r in runs:
        p = r.pretraining
        learned = "yes" if p.learning.learned else f"no: {p.learning.reason}"
        lines.append(
            SheetLine(
                texts=(
                    *(r.algorithm, r.domain, str(r.seed), str(p.steps), str(p.examples_seen), f"{p.wall_seconds:.1f}"),
                    *(f"{p.final_loss:.6g}", learned, f"{p.learning.effective_rank:.1f}", str(r.encoder.parameters)),
                    *(r.environment.device, r.environment.precision, p.weights_sha256),
                )
            )
        )
    texts = ("algorithm", "domain", "seed", "steps", "examples seen", "seconds", "final loss", "learned")
    more = ("effective rank", "parameters", "device", "precision", "weights sha256")
    return Sheet(name=name, caption="Training runs", texts=(*texts, *more), lines=tuple(lines))
