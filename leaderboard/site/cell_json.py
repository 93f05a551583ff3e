"""The JSON behind each number of the site: one file per cell, task, run and row.

A cell's file names the files of its task and of its pretraining runs. Together they hold everything that the result
files hold; what several results share is stored once, which makes them a fifth of the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dabs.evaluation.reference_rows import SUPERVISED
from dabs.leaderboard.tables.aggregate import CellMean, Table
from dabs.leaderboard.tables.standing import gap_closed
from dabs.results.schema import Result

# the fields of a result, by the file that holds them
CELL_FIELDS = ("schema_version", "suite", "domain", "task", "protocol", "algorithm", "algorithm_sha256", "evaluation")
TASK_FIELDS = ("metric", "counts", "data")  # the same in all results of a task; `build_table` refuses others
SEED_FIELDS = ("seed", "score", "interval", "validation_score", "selected", "predictions", "timings")  # in the cell's
RUN_FIELDS = ("pretraining", "encoder", "environment")


class RunFiles:
    """The files of one row's pretraining runs. Results that were read from the same run share a file."""

    def __init__(self) -> None:
        self._firsts: dict[str, Result] = {}  # file name -> the first result of its run

    def name_of(self, result: Result) -> str:
        """Return the name of the file of a result's run, which is added if it is new."""
        # the supervised encoder is trained anew for every task
        place = f"{result.domain}.{result.task}" if result.algorithm == SUPERVISED else result.domain
        number = 1
        while True:
            suffix = f".{number}" if number > 1 else ""  # the same encoder, evaluated in another environment
            file = f"{place}.seed{result.seed}{suffix}.run.json"
            first = self._firsts.setdefault(file, result)
            if all(getattr(first, field) == getattr(result, field) for field in RUN_FIELDS):
                return file
            number += 1

    @property
    def contents(self) -> dict[str, dict[str, Any]]:
        """What each file holds, by file name."""
        return {file: first.model_dump(mode="json", include=set(RUN_FIELDS)) for file, first in self._firsts.items()}


def cell_to_json(name: str, cell: CellMean, results: Sequence[Result], run_files: RunFiles) -> dict[str, Any]:
    """Return the content of a cell's file.

    Args:
        name: the row's name.
        cell: its mean over seeds.
        results: the cell's results, in any order.
        run_files: the files of the row's runs; those of new runs are added.
    """
    by_seed = sorted(results, key=lambda result: result.seed)
    first = by_seed[0].model_dump(mode="json", include=set(CELL_FIELDS))
    return {
        "name": name,
        **{field: first[field] for field in CELL_FIELDS},
        "about": f"../{task_file_name(cell.domain, cell.task)}",
        "mean": cell.mean,
        "deviation": cell.deviation,
        "failed": list(cell.failed),
        "low": cell.interval[0],
        "high": cell.interval[1],
        "results": [_seed_to_json(result, run_files) for result in by_seed],
    }


def _seed_to_json(result: Result, run_files: RunFiles) -> dict[str, Any]:
    values = result.model_dump(mode="json", include=set(SEED_FIELDS))
    return {field: values[field] for field in SEED_FIELDS} | {"run": run_files.name_of(result)}


def summary_to_json(name: str, tables: Iterable[Table]) -> dict[str, Any]:
    """Return a row's means, overall and per domain, with intervals and the files of the cells they are means of."""
    return {"name": name, "protocols": {table.protocol: _means_to_json(name, table) for table in tables}}


def _means_to_json(name: str, table: Table) -> dict[str, Any]:
    def mean_to_json(domain: str | None, value: float | None, interval: tuple[float, float] | None) -> dict[str, Any]:
        low, high = interval or (None, None)
        standing = {"gap_closed": gap_closed(table, name, domain), "failed": table.has_failed(name, domain)}
        return {"mean": value, "low": low, "high": high, **standing}

    return {
        "overall": mean_to_json(None, table.overall(name), table.overall_interval(name)),
        "domains": {
            domain: {
                **mean_to_json(domain, table.domain_mean(name, domain), table.domain_interval(name, domain)),
                "cells": [cell_file_name(domain, t, table.protocol) for t in tasks if table.cell(name, domain, t)],
            }
            for domain, tasks in table.tasks.items()
        },
    }


def cell_file_name(domain: str, task: str, protocol: str) -> str:
    """Return the name of a cell's file in its row's folder."""
    return f"{domain}.{task}.{protocol}.json"


def task_to_json(result: Result) -> dict[str, Any]:
    """Return what all results of a task share, from any one of them."""
    values = result.model_dump(mode="json")
    return {field: values[field] for field in ("suite", "domain", "task", *TASK_FIELDS)}


def task_file_name(domain: str, task: str) -> str:
    """Return the name of a task's file, which is in the folder that holds the rows' folders."""
    return f"{domain}.{task}.json"
