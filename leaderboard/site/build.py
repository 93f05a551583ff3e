"""The site: a folder of static pages that opens from disk, with neither a server nor the network (docs/site.md).

At the top index, compare, cards and submit; a page a domain, a task and a row under domains/, tasks/ and algorithms/;
the JSON behind every number under data/; the later rows of long tables under rest/. `site.json` is written last and
marks the folder as one that may be replaced.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dabs.data.domain import Domain
from dabs.errors import RequestError
from dabs.leaderboard.site import cell_json as parts
from dabs.leaderboard.site import pages as site_pages
from dabs.leaderboard.site.boards import Board, Links, boards_of
from dabs.leaderboard.site.compare_data import TESTED, compare_scripts, comparisons_of
from dabs.leaderboard.site.long_tables import rest_script
from dabs.leaderboard.site.templating import asset, pages
from dabs.leaderboard.tables.aggregate import Tasks
from dabs.results.entries import Entry, refuse_duplicate_names, slugs
from dabs.utils.files import replacing_with_lock

MARKER = "site.json"
ASSETS = ("style.css", "site.js", "compare.js")


def build_site(
    rows: Sequence[Entry],
    out: Path,
    *,
    domains: Sequence[Domain] = (),
    tested: int = TESTED,
    tasks: Tasks | None = None,
) -> Path:
    """Write the site of all rows into the folder `out` and give its path. The same rows give the same bytes.

    Args:
        rows: of one suite; those of the ruleset "tuned" get a table of their own.
        out: made when it is not there; replaced as a whole when it holds a site.
        domains: those whose cards are shown; domains without one get a page of numbers only.
        tested: rows that are tested against each other; the compare page shows the others' scores without tests.
        tasks: all tasks of each domain, as in `aggregate.build_table`.

    Raises:
        RequestError: no rows, two of one name, results that may not share a table, or a folder with other things in it.
        DabsError: the folder cannot be written.
    """
    if not rows:
        raise RequestError("there are no results to make a site of. Make some with `dabs run`.")
    refuse_duplicate_names(rows)
    rows = sorted(rows, key=lambda row: row.name)
    out = out.resolve()
    _refuse_foreign(out)
    boards = boards_of(rows, tasks)
    names = slugs(row.name for row in rows)
    with replacing_with_lock(out) as folder:
        for path, template, context, tables in site_pages.every_page(rows, boards, {d.name: d for d in domains}, names):
            links = Links(root="../" * path.count("/"), slugs=names)
            script, rest = rest_script(tables, links), ""
            if script:
                rest = f"rest/{path.removesuffix('.html').replace('/', '.')}.js"
                _write(folder / rest, script)
            page = pages().get_template(f"site/{template}.html.j2")
            _write(folder / path, page.render(links=links, rest=rest, **context))
        for path, value in _data(rows, boards, names):
            _write(folder / path, _compact(value))
        for path, text in compare_scripts(boards, comparisons_of(rows, boards, most=tested), names):
            _write(folder / path, text)
        for name in ASSETS:
            _write(folder / name, asset(name))
        listed = [{"name": row.name, "slug": names[row.name], "ruleset": row.ruleset} for row in rows]
        _write(folder / MARKER, _compact({"made_by": "dabs leaderboard build", "rows": listed}))
    return out


def _refuse_foreign(out: Path) -> None:
    """A folder is replaced as a whole, so it must be a site (or empty, or not there)."""
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(
            f"{out} is there and holds no site (no {MARKER}), and building one replaces the whole folder. "
            "Name another folder, or a file that ends in .html for the one-file report."
        )


def _data(rows: Sequence[Entry], boards: Sequence[Board], names: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Every JSON file: its path and its value."""
    for result in {(r.domain, r.task): r for board in boards for r in board.results}.values():
        yield f"data/{parts.task_file(result.domain, result.task)}", parts.task_json(result)
    for row in rows:
        board = next(board for board in boards if board.ruleset == row.ruleset)
        folder, runs = f"data/{names[row.name]}", parts.Runs()
        groups = defaultdict(list)
        for result in row.results:
            groups[result.domain, result.task, result.protocol].append(result)
        for (domain, task, protocol), group in groups.items():
            cell = board.table(protocol).cells[row.name, domain, task]
            yield f"{folder}/{parts.cell_file(domain, task, protocol)}", parts.cell_json(row.name, cell, group, runs)
        yield from ((f"{folder}/{file}", run) for file, run in runs.files.items())
        yield f"{folder}/summary.json", parts.summary_json(row.name, board.tables)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
