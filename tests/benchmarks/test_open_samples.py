"""The script on the samples of the suite `open`: its table, and what is not run again."""

from __future__ import annotations

import json

import pytest

from dabs.registry import find_domain
from tests.helpers.benchmarks import load_benchmark


@pytest.fixture(scope="module")
def script():
    return load_benchmark("open_samples")


def cell(algorithm: str, score: float, domain: str = "sensor", task: str = "pamap2", minutes: float = 1.0) -> dict:
    scores = {task: [score, score - 0.1, score + 0.1]}
    rows = {"pretrain": 131, task: 11}
    about = {"domain": domain, "algorithm": algorithm, "seed": 4, "minutes": minutes}
    return about | {"scores": scores, "steps": 1200, "seconds": 60.0, "learning": None, "rows": rows}


def test_the_table_has_a_column_for_each_algorithm_and_leaves_gaps(script):
    cells = [cell("none", 0.5), cell("shed", 0.7), cell("shed", 0.1, minutes=2.0)]
    cells.append(cell("none", 0.82, "chest_xray", "pneumonia_mnist"))
    assert script.table(cells, 1.0).splitlines() == [
        "| domain, task | train rows | test rows | none | shed |",
        "|---|---:|---:|---:|---:|",
        "| sensor, pamap2 | 131 | 11 | 50.0 [40.0, 60.0] | 70.0 [60.0, 80.0] |",
        "| sensor, steps | | | 1,200 | 1,200 |",
        "| chest_xray, pneumonia_mnist | 131 | 11 | 82.0 [72.0, 92.0] | – |",
        "| chest_xray, steps | | | 1,200 | – |",
    ]


def test_a_cell_that_is_done_is_not_run_again(script, tmp_path, monkeypatch):
    out, ran = tmp_path / "cells.jsonl", []
    out.write_text(json.dumps(cell("none", 0.5)) + "\n")

    def run(algorithm, domain, seed, minutes):
        ran.append(algorithm)
        return {name: value for name, value in cell(algorithm, 0.6).items() if name in ("scores", "steps", "seconds")}

    monkeypatch.setattr(script, "run_cell", run)
    script.run_all(out, ["sensor"], ["none", "shed"], 4, 1.0)
    assert ran == ["shed"]
    assert [c["algorithm"] for c in script.read_cells(out)] == ["none", "shed"]


def test_its_tasks_are_of_the_suite(script):
    for domain, tasks in script.TASKS.items():
        assert set(tasks) <= {task.name for task in find_domain(domain, "open").tasks}
