"""Scores, intervals and groups of results follow from their predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dabs.evaluation.metrics import METRICS, bootstrap_interval
from dabs.leaderboard.submit.consistency import SeenArrays, check_predictions
from dabs.leaderboard.submit.verify import find_wrong_predictions
from dabs.results.files import read_result
from tests.helpers.made_results import make_payload, write_payload

N = 120


def write(folder: Path, group: np.ndarray, seed: int = 0, **interval: Any) -> Path:
    """Write a result whose numbers follow from its predictions, except those named."""
    rng = np.random.default_rng(seed)
    arrays = {
        "label": np.ones(N, dtype=np.int64),
        "prediction": (rng.random(N) < 0.7).astype(np.int64),
        "group": group,
    }
    payload = make_payload(seed=seed, score=METRICS["accuracy"].score(arrays["prediction"], arrays["label"]))
    payload["interval"] = bootstrap_interval("accuracy", **arrays) | interval
    payload["counts"]["test"] = N
    return write_payload(folder / f"seed{seed}", payload, arrays)


def problems(path: Path, seen: SeenArrays | None = None) -> list[str]:
    return check_predictions(path, read_result(path), lambda domain, task: None, {} if seen is None else seen)


@pytest.mark.parametrize("size", [1, 6])
def test_a_whole_result_has_no_problem(tmp_path: Path, size: int) -> None:
    assert problems(write(tmp_path, np.arange(N) // size)) == []


def test_an_interval_that_hides_its_groups_is_found(tmp_path: Path) -> None:
    """An interval over single examples of 20 groups is too narrow."""
    group = np.arange(N) // 6
    narrow = bootstrap_interval("accuracy", np.ones(N, dtype=int), np.ones(N, dtype=int), np.arange(N))
    found = problems(write(tmp_path, group, resampled=narrow["resampled"], units=narrow["units"]))
    assert [line.split(": ")[1].split(",")[0] for line in found] == [
        "interval.resampled is 'examples'",
        f"interval.units is {N}",
    ]


def test_an_edited_end_is_found(tmp_path: Path) -> None:
    (line,) = problems(write(tmp_path, np.arange(N), low=0.0))
    assert "interval.low is 0, its predictions give" in line


def test_groups_are_those_of_the_other_results_of_the_task(tmp_path: Path) -> None:
    seen: SeenArrays = {}
    group = np.arange(N) // 6
    assert problems(write(tmp_path, group), seen) == []
    assert problems(write(tmp_path, group, seed=1), seen) == []
    (line,) = problems(write(tmp_path, group[::-1].copy(), seed=2), seen)
    assert "the groups stored with its predictions are not those of the other results" in line


def test_committed_results_need_their_predictions(tmp_path: Path) -> None:
    paths = [write(tmp_path, np.arange(N) // 6, seed=seed) for seed in (0, 1)]
    assert find_wrong_predictions(tmp_path, lambda domain, task: None, {}) == []
    (paths[1].parent / read_result(paths[1]).predictions.file).unlink()
    (line,) = find_wrong_predictions(tmp_path, lambda domain, task: None, {})
    assert "cannot read" in line
    assert str(paths[1]) in line
