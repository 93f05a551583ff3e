"""The page of one row: its means, its tasks, its learning curves and its runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dabs.config import protocol_name
from dabs.evaluation.reference_rows import RANDOM, explanation_of
from dabs.leaderboard.site import plots, sheets, views
from dabs.leaderboard.site.bibliography import cite
from dabs.leaderboard.site.boards import Board
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.ranking import column_ranks
from dabs.leaderboard.tables.render import describe_failures, mark
from dabs.results.entries import Entry


def algorithm_values(row: Entry, boards: Sequence[Board], slug: str) -> dict[str, Any]:
    """Return what the page of one row shows: its means, tasks, learning curves and runs.

    Args:
        row: the row.
        boards: the boards, of which one has the row's ruleset.
        slug: the row's file name.
    """
    board = next(board for board in boards if board.ruleset == row.ruleset)
    results, name, tables = row.results, row.name, board.tables
    runs = views.pretraining_runs(results)
    options = {json.dumps(run.pretraining.config.get("options", {}), sort_keys=True) for run in runs}
    curves = views.learning_curves(results, plots.assign_styles([name]))
    means = [(domain, [views.mean_view(t, name, domain) for t in tables]) for domain in (None, *tables[0].tasks)]
    return {
        "row": row,
        "title": name[:80],
        "hash": results[0].algorithm_sha256,
        "parameters": sorted({result.encoder.parameters for result in results}),
        "options": json.loads(options.pop()) if len(options) == 1 else None,
        "tables_of": [(table.protocol, protocol_name(table.protocol)) for table in tables],
        "means": means,
        "wins": [table.beats(name) if _is_compared(table, name) else None for table in tables],
        "explanation": explanation_of(name),
        "failures": list(dict.fromkeys(filter(None, (describe_failures(table, name) for table in tables)))),
        "gap": any(view["gap"] is not None for _, cells in means for view in cells),
        "tasks": [
            (
                domain,
                task,
                mark(tables[0], domain, task),
                tables[0].info.get((domain, task)),
                [(table.protocol, table.cell(name, domain, task)) for table in tables],
            )
            for domain, names in tables[0].tasks.items()
            for task in names
        ],
        "curves": curves,
        "ranks": [column_ranks(table).get(name) for table in tables],
        "means_files": [*sheets.means_sheet(tables, name, slug).files, cite(tables[0].suite, [name], tables[0].tasks)],
        "tasks_files": sheets.row_sheet(tables, name, slug).files,
        "curve_files": views.curve_files(slug, curves, f"Learning curves of {name}"),
        "runs_files": sheets.runs_sheet(runs, f"{slug}.runs").files if runs else [],
        "runs": runs,
        "environments": views.count_environments(results),
    }


def _is_compared(table: Table, name: str) -> bool:
    """Return whether a row and the random encoder are both in a table, and are not the same."""
    return name != RANDOM and {name, RANDOM} <= set(table.algorithms)
