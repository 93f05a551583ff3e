"""Build the site: static pages that open from disk, with no server and no network.

At the top are index, compare, cards and submit; domains/, tasks/ and algorithms/ have one page per domain, task and
row; data/ has the JSON behind every number; downloads/ has the tables and figures as files; rest/ has the later rows of
long tables. `site.json` marks the folder as one that may be replaced. docs/site.md says more.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dabs.data.domain import Domain
from dabs.errors import RequestError
from dabs.leaderboard.site.boards import Board, build_boards
from dabs.leaderboard.site.cell_json import (
    RunFiles,
    cell_file_name,
    cell_to_json,
    summary_to_json,
    task_file_name,
    task_to_json,
)
from dabs.leaderboard.site.compare_data import MAX_TESTED, compare_best_rows, compare_scripts
from dabs.leaderboard.site.links import Links
from dabs.leaderboard.site.long_tables import render_rest_script
from dabs.leaderboard.site.pages import Page, build_pages
from dabs.leaderboard.site.templating import read_asset, template_environment
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
    max_tested: int = MAX_TESTED,
    tasks: Tasks | None = None,
    every: Sequence[Entry] = (),
) -> Path:
    """Write the site of all rows into the folder `out` and return its path. The same rows always give the same bytes.

    Args:
        rows: rows of one suite; those of the ruleset "tuned" get tables of their own.
        out: created if it does not exist; replaced as a whole if it holds a site.
        domains: the domains whose cards are shown; other domains get a page of numbers only.
        max_tested: how many rows are tested against each other; the compare page shows the others without tests.
        tasks: all tasks of each domain, as in `aggregate.build_table`.
        every: the same rows at every budget, for the figures of cost; `rows` by default.

    Raises:
        RequestError: no rows, two rows of the same name, results that may not share a table, or a folder that holds
            something else.
        DabsError: the folder cannot be written.
    """
    if not rows:
        raise RequestError("there are no results to make a site of. Make some with `dabs run`.")
    refuse_duplicate_names(rows)
    rows = sorted(rows, key=lambda row: row.name)
    out = out.resolve()
    _refuse_other_folder(out)
    boards = build_boards(rows, tasks, every)
    names = slugs(row.name for row in rows)
    with replacing_with_lock(out) as folder:
        comparisons = compare_best_rows(rows, boards, max_tested=max_tested)
        for page in build_pages(rows, boards, {domain.name: domain for domain in domains}, names, comparisons):
            _write_page(folder, page, names)
        for path, value in _json_files(rows, boards, names):
            _write(folder / path, _compact_json(value))
        for path, text in compare_scripts(boards, comparisons, names):
            _write(folder / path, text)
        for name in ASSETS:
            _write(folder / name, read_asset(name))
        listed = [{"name": row.name, "slug": names[row.name], "ruleset": row.ruleset} for row in rows]
        _write(folder / MARKER, _compact_json({"made_by": "dabs leaderboard build", "rows": listed}))
    return out


def _refuse_other_folder(out: Path) -> None:
    """Refuse a folder that is neither a site nor empty, since building a site replaces the whole folder."""
    if out.exists() and not (out / MARKER).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise RequestError(
            f"{out} exists and is not a site (it has no {MARKER}), and building a site replaces the whole folder. "
            "Name another folder, or a file that ends in .html for the one-file report."
        )


def _write_page(folder: Path, page: Page, names: dict[str, str]) -> None:
    """Write a page, its downloads and, if its tables are long, the script with the rest of their rows."""
    links = Links(root="../" * page.path.count("/"), slugs=names)
    script, rest = render_rest_script(page.tables, links), ""
    if script:
        rest = f"rest/{page.path.removesuffix('.html').replace('/', '.')}.js"
        _write(folder / rest, script)
    for file in page.files:
        _write(folder / links.download_folder / file.name, file.text)
    template = template_environment().get_template(f"site/{page.template}.html.j2")
    _write(folder / page.path, template.render(links=links, rest=rest, **page.values))


def _json_files(rows: Sequence[Entry], boards: Sequence[Board], names: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield the path and the content of every JSON file."""
    for result in {(r.domain, r.task): r for board in boards for r in board.results}.values():
        yield f"data/{task_file_name(result.domain, result.task)}", task_to_json(result)
    for row in rows:
        board = next(board for board in boards if board.ruleset == row.ruleset)
        folder, run_files = f"data/{names[row.name]}", RunFiles()
        cells = defaultdict(list)
        for result in row.results:
            cells[result.domain, result.task, result.protocol].append(result)
        for (domain, task, protocol), results in cells.items():
            cell = board.table(protocol).cells[row.name, domain, task]
            file = cell_file_name(domain, task, protocol)
            yield f"{folder}/{file}", cell_to_json(row.name, cell, results, run_files)
        yield from ((f"{folder}/{file}", content) for file, content in run_files.contents.items())
        yield f"{folder}/summary.json", summary_to_json(row.name, board.tables)


def _compact_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
