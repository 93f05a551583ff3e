"""What is known of a contestant on a task or a domain: its scores, and how far test examples move them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import norm

from dabs.errors import DabsError
from dabs.leaderboard.compare.bootstrap import SCORERS, covariance, resampled_scores
from dabs.leaderboard.compare.contestants import Contestant, Key
from dabs.leaderboard.compare.statistics import Seeds, Spread, spread_of, steadied
from dabs.leaderboard.tables.compatibility import has_encoder
from dabs.results.entries import Placed
from dabs.results.predictions import find_mismatch

SAME = 1e-5  # how far a score may stand from the one its predictions give (they are weighed in float32)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A contestant on a task, or the mean of the tasks of a domain.

    Attributes:
        seeds: ascending; `scores_S` in the same order.
        draws_RS: the scores under resamples that all contestants share; None without predictions.
        right_Sn: for accuracy, whether each seed's model is right on each example.
        error: standard error of a score by the published intervals.
        fixed: there is no seed that could vary (the raw input).
        units: test examples, or groups when these are drawn.
        rows: hash of the test split; tasks with one hash ask about the same examples.
        steady: `spread_over_seeds` after `steady` drew it towards that of the other tasks.
    """

    seeds: tuple[int, ...]
    scores_S: np.ndarray
    draws_RS: np.ndarray | None
    right_Sn: np.ndarray | None
    error: float
    fixed: bool
    units: int
    rows: str

    steady: Seeds = None

    @property
    def spread_over_seeds(self) -> Seeds:
        """Sample variance of the scores and its degrees of freedom; None with one seed."""
        return (float(np.var(self.scores_S, ddof=1)), len(self.seeds) - 1.0) if len(self.seeds) > 1 else None

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(self.scores_S.mean())


def gather(
    contestants: Sequence[Contestant], key: Key, *, resamples: int, group_n: np.ndarray | None
) -> dict[str, Evidence]:
    """The evidence of every contestant on one task, by name; contestants without results are left out.

    Raises:
        DabsError: predictions that are not of the same examples, or do not give the score that the result states.
    """
    cells = {one.name: one.cells[key] for one in contestants if key in one.cells}
    read = {name: _read(cell) for name, cell in cells.items()}
    first = next(iter(cells.values()))[0].result
    arrays = [array for found in read.values() if found for array in found]
    draws = _draws(arrays, first.metric.name, first.data.split_sha256.test, resamples, group_n) if arrays else None
    evidence, start = {}, 0
    for name, cell in cells.items():
        found, mine = read[name], None
        if found and draws is not None:
            mine = draws[:, start : start + len(found)]
            start += len(found)
        evidence[name] = _evidence(cell, found, mine, group_n)
    return evidence


def _read(cell: tuple[Placed, ...]) -> list[dict[str, np.ndarray]] | None:
    """The predictions of every seed, checked against the scores; None when one of them is missing."""
    found = [(placed, placed.predictions()) for placed in cell]
    arrays = [array for _, array in found if array is not None]
    for placed, array in found:
        if array is not None:
            _check_score(placed, array)
    return arrays if len(arrays) == len(cell) else None


def _check_score(placed: Placed, array: Mapping[str, np.ndarray]) -> None:
    result = placed.result
    wrong = find_mismatch(result, array)
    if wrong:
        raise DabsError(f"{placed.path}: {wrong}. Make the result again with `dabs eval`.")
    ones = np.ones((len(array["label"]), 1), dtype=np.float32)
    score = float(SCORERS[result.metric.name](array["prediction"], array["label"])(ones)[0])
    if not abs(score - result.score) <= SAME:
        raise DabsError(
            f"{placed.path} states the score {result.score}, but its predictions give {score:.6f}: one of the two was "
            "changed. Make the result again with `dabs eval`."
        )


def _draws(
    arrays: Sequence[Mapping[str, np.ndarray]],
    metric: str,
    rows: str,
    resamples: int,
    group_n: np.ndarray | None,
) -> np.ndarray:
    label = arrays[0]["label"]
    if any(not np.array_equal(array["label"], label) for array in arrays):
        raise DabsError("predictions with different labels stand beside results of one test split; make them again.")
    if group_n is not None and len(group_n) != len(label):
        raise DabsError(f"the prepared test split has {len(group_n)} rows, the predictions have {len(label)}.")
    predictions = [array["prediction"] for array in arrays]
    return resampled_scores(metric, predictions, label, resamples=resamples, seed=int(rows[:16], 16), group_n=group_n)


def _evidence(
    cell: tuple[Placed, ...],
    arrays: list[dict[str, np.ndarray]] | None,
    draws_RS: np.ndarray | None,
    group_n: np.ndarray | None,
) -> Evidence:
    results = [placed.result for placed in cell]
    first = results[0]
    right = arrays is not None and first.metric.name == "accuracy"
    widths = [(r.interval.high - r.interval.low) / (2 * norm.ppf((1 + r.interval.level) / 2)) for r in results]
    return Evidence(
        seeds=tuple(result.seed for result in results),
        scores_S=np.array([result.score for result in results]),
        draws_RS=draws_RS,
        right_Sn=np.stack([a["prediction"] == a["label"] for a in arrays or []]) if right else None,
        error=float(np.mean(widths)),
        fixed=not has_encoder(first),
        units=first.counts.test if group_n is None else int(group_n.max()) + 1,
        rows=first.data.split_sha256.test,
    )


def mean_evidence(parts: Sequence[Evidence]) -> Evidence | None:
    """The evidence on the mean over tasks, seed by seed; None where the tasks were not done with the same seeds.

    Without predictions the errors of tasks that share their examples are taken as wholly dependent.
    """
    if len({part.seeds for part in parts}) != 1:
        return None
    by_rows: dict[str, float] = defaultdict(float)
    for part in parts:
        by_rows[part.rows] += part.error
    draws = [part.draws_RS for part in parts if part.draws_RS is not None]
    return Evidence(
        seeds=parts[0].seeds,
        scores_S=np.mean([part.scores_S for part in parts], axis=0),
        draws_RS=np.mean(draws, axis=0) if len(draws) == len(parts) else None,
        right_Sn=None,
        error=float(np.sqrt(sum(error**2 for error in by_rows.values()))) / len(parts),
        fixed=parts[0].fixed,
        units=min(part.units for part in parts),
        rows=parts[0].rows,
    )


def paired(a: Evidence, b: Evidence) -> bool:
    """Whether both have predictions, so that their answers can be compared example by example."""
    return a.draws_RS is not None and b.draws_RS is not None


def steady(board: Mapping[Any, dict[str, Evidence]]) -> None:
    """Fill in `steady` of every contestant's evidence from all its tasks (or domains)."""
    for name in {name for found in board.values() for name in found}:
        mine = {key: found[name] for key, found in board.items() if name in found}
        known = {key: one.spread_over_seeds for key, one in mine.items()}
        several = {key: value for key, value in known.items() if value is not None}
        rows = steadied([variance for variance, _ in several.values()], [df for _, df in several.values()])
        for key, row in zip(several, rows, strict=True):
            board[key][name] = replace(mine[key], steady=row)


def spread_between(a: Evidence, b: Evidence, *, raw: bool = False) -> Spread:
    """How uncertain mean(a) - mean(b) is; without predictions as if the two had met different examples.

    With `raw`, seeds vary as these scores do; else as `steady` says.
    """
    sizes = len(a.seeds), len(b.seeds)
    if a.draws_RS is not None and b.draws_RS is not None:
        cov = covariance(np.concatenate([a.draws_RS, b.draws_RS], axis=1))
    else:
        cov = np.zeros((sum(sizes), sum(sizes)))
        cov[: sizes[0], : sizes[0]], cov[sizes[0] :, sizes[0] :] = a.error**2, b.error**2
    seeds = (a.spread_over_seeds, b.spread_over_seeds) if raw else (a.steady, b.steady)
    return spread_of(cov, sizes, seeds, (a.fixed, b.fixed), max(a.units - 1, 1))
