"""The JSON behind each number of the site: a file a cell, which refers to its task's and to its pretraining runs'.

Together they hold everything the result files hold; what several results share stands once, which makes them a fifth of
the size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dabs.leaderboard.tables.aggregate import CellMean, Table
from dabs.results.schema import Result

SHARED = ("schema_version", "suite", "domain", "task", "protocol", "algorithm", "algorithm_sha256", "evaluation")
TASK = ("metric", "counts", "data")  # equal for all results of a task; `build_table` refuses others
OWN = ("seed", "score", "interval", "validation_score", "selected", "predictions", "timings")
RUN = ("pretraining", "encoder", "environment")


class Runs:
    """The pretraining runs of one row: `name` gives the file of a result's run, `files` what to write."""

    def __init__(self) -> None:
        self.firsts: dict[str, Result] = {}

    def name(self, result: Result) -> str:
        """The file of the run a result was read from; results of one run share it."""
        number = 1
        while True:
            again = f".{number}" if number > 1 else ""  # the same encoder, evaluated in another environment
            file = f"{result.domain}.seed{result.seed}{again}.run.json"
            first = self.firsts.setdefault(file, result)
            if all(getattr(first, key) == getattr(result, key) for key in RUN):
                return file
            number += 1

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Each file's content."""
        return {file: first.model_dump(mode="json", include=set(RUN)) for file, first in self.firsts.items()}


def cell_json(name: str, cell: CellMean, results: Sequence[Result], runs: Runs) -> dict[str, Any]:
    """One cell with all its results (of any order), as its file holds it."""
    ordered = sorted(results, key=lambda result: result.seed)
    first = ordered[0].model_dump(mode="json", include=set(SHARED))
    return {
        "name": name,
        **{key: first[key] for key in SHARED},
        "about": f"../{task_file(cell.domain, cell.task)}",
        "mean": cell.mean,
        "deviation": cell.deviation,
        "low": cell.interval[0],
        "high": cell.interval[1],
        "results": [_own(result, runs) for result in ordered],
    }


def _own(result: Result, runs: Runs) -> dict[str, Any]:
    whole = result.model_dump(mode="json", include=set(OWN))
    return {key: whole[key] for key in OWN} | {"run": runs.name(result)}


def summary_json(name: str, tables: Iterable[Table]) -> dict[str, Any]:
    """The means of one row: overall and a domain, with intervals and the files of the cells they are means of."""
    return {"name": name, "protocols": {table.protocol: _means(name, table) for table in tables}}


def _means(name: str, table: Table) -> dict[str, Any]:
    def mean(value: float | None, interval: tuple[float, float] | None) -> dict[str, Any]:
        low, high = interval or (None, None)
        return {"mean": value, "low": low, "high": high}

    return {
        "overall": mean(table.overall(name), table.overall_interval(name)),
        "domains": {
            domain: {
                **mean(table.domain_mean(name, domain), table.domain_interval(name, domain)),
                "cells": [cell_file(domain, t, table.protocol) for t in tasks if table.cell(name, domain, t)],
            }
            for domain, tasks in table.tasks.items()
        },
    }


def cell_file(domain: str, task: str, protocol: str) -> str:
    """The file name of a cell in its row's folder."""
    return f"{domain}.{task}.{protocol}.json"


def task_json(result: Result) -> dict[str, Any]:
    """What any result of a task says of it."""
    whole = result.model_dump(mode="json")
    return {key: whole[key] for key in ("suite", "domain", "task", *TASK)}


def task_file(domain: str, task: str) -> str:
    """The file name of a task beside the rows' folders."""
    return f"{domain}.{task}.json"
