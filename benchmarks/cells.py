"""Cells of experiments: pretrain, read by the linear probe, and keep in a file what validation says."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from dabs.config import PretrainConfig
from dabs.data.domain import TRAIN
from dabs.data.prepared import open_prepared
from dabs.evaluation.evaluate import evaluate
from dabs.registry import find_domain
from dabs.results.schema import Pretraining
from dabs.training.pretrain import pretrain

Cell = dict[str, Any]


def run_cell(config: PretrainConfig) -> tuple[Cell, Pretraining]:
    """Pretrain and read one cell; return its validation scores, time and data, and how the run went."""
    with tempfile.TemporaryDirectory() as folder:
        run = pretrain(config, Path(folder) / "run", logger="none")
        results = [item.result for item in evaluate(run, protocols=("linear",))]
    cell = {
        "validation": {result.task: round(result.validation_score, 4) for result in results},
        "seconds": round(results[0].pretraining.wall_seconds, 1),
        "data": open_prepared(find_domain(config.domain)).entry(TRAIN).sha256[:12],
    }
    return cell, results[0].pretraining


def validation_cell(config: PretrainConfig) -> Cell:
    """Pretrain and read one cell; return its validation scores, how the run ended, and what it was trained on."""
    cell, pretraining = run_cell(config)
    return {**cell, "learning": pretraining.learning.model_dump()}


def read_cells(out: Path) -> list[Cell]:
    """Return the cells in a file of earlier runs; none if there is no file."""
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []


def keep_cell(out: Path, cell: Cell) -> None:
    """Append a cell to a file, so that a stopped script goes on after it."""
    with open(out, "a", encoding="utf-8") as handle:
        handle.write(json.dumps(cell) + "\n")
