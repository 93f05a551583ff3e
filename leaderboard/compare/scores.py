"""What is known of a contestant's score: its seeds, and its response to resamples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dabs.errors import DabsError
from dabs.leaderboard.compare.contestants import Contestant, TaskKey
from dabs.leaderboard.compare.statistics import variance_of_difference
from dabs.leaderboard.tables.compatibility import has_encoder
from dabs.leaderboard.tables.intervals import published_error
from dabs.leaderboard.tables.variance import ScoreVariance, SeedVariance, shrink_all
from dabs.results.bootstrap import covariance, effective_units, groups_to_draw, resample_scores
from dabs.results.entries import Placed


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one contestant's score on a task, or of its mean over the tasks of a domain.

    Attributes:
        seeds: ascending; `scores_S` is in the same order.
        draws_RS: the scores under the resamples that all contestants share; None without predictions.
        right_Sn: for accuracy, whether each seed's model is right on each example.
        published_error: standard error of one score according to the published intervals.
        seedless: no seed could vary (the raw input).
        resampled: "examples", or "groups" where examples share one.
        units: number of test examples, or of groups where groups are resampled.
        df: degrees of freedom of what is learned from the test data: `effective_units` less one.
        test_split: hash of the test split; tasks with the same hash use the same examples.
        shrunk_variance: `seed_variance` after `shrink_seed_variance`.
    """

    seeds: tuple[int, ...]
    scores_S: np.ndarray
    draws_RS: np.ndarray | None
    right_Sn: np.ndarray | None
    published_error: float
    seedless: bool
    resampled: str
    units: int
    df: float
    test_split: str

    shrunk_variance: SeedVariance = None

    @property
    def seed_variance(self) -> SeedVariance:
        """Sample variance of the scores over seeds and its degrees of freedom; None for one seed."""
        return (float(np.var(self.scores_S, ddof=1)), len(self.seeds) - 1.0) if len(self.seeds) > 1 else None

    @property
    def mean(self) -> float:
        """Mean score over seeds."""
        return float(self.scores_S.mean())


def gather_evidence(contestants: Sequence[Contestant], key: TaskKey, *, resamples: int) -> dict[str, Evidence]:
    """Return the evidence of every contestant on one task, by name; contestants without results are left out.

    Where examples share a group, groups are resampled.

    Args:
        contestants: all contestants, so that they share their resamples.
        key: domain and task.
        resamples: number of resamples.

    Raises:
        DabsError: predictions are not about the same examples, or do not give the score that the result states.
    """
    cells = {one.name: one.cells[key] for one in contestants if key in one.cells}
    arrays_of = {name: _read_predictions(cell) for name, cell in cells.items()}
    first = next(iter(cells.values()))[0].result
    arrays = [array for found in arrays_of.values() if found for array in found]
    group_n = _shared_groups(arrays)
    draws = _resample(arrays, first.metric.name, first.data.split_sha256.test, resamples, group_n) if arrays else None
    evidence, start = {}, 0
    for name, cell in cells.items():
        found, own_draws = arrays_of[name], None
        if found and draws is not None:
            own_draws = draws[:, start : start + len(found)]
            start += len(found)
        evidence[name] = _make_evidence(cell, found, own_draws, group_n)
    return evidence


def _read_predictions(cell: tuple[Placed, ...]) -> list[dict[str, np.ndarray]] | None:
    """Return the predictions of every seed, checked against the scores; None when any is missing."""
    arrays = [array for array in (placed.predictions() for placed in cell) if array is not None]
    return arrays if len(arrays) == len(cell) else None


def _shared_groups(arrays: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray | None:
    """Return the groups to resample, on which all predictions of a task agree; None to resample single examples."""
    if not arrays:
        return None
    group = arrays[0]["group"]
    if any(not np.array_equal(array["group"], group) for array in arrays):
        raise DabsError("results of one test split have predictions with different groups; make them again.")
    return groups_to_draw(group)


def _resample(
    arrays: Sequence[Mapping[str, np.ndarray]],
    metric: str,
    test_split: str,
    resamples: int,
    group_n: np.ndarray | None,
) -> np.ndarray:
    """Return the scores (R, K) of all models of all contestants; the test split's hash is the seed."""
    label = arrays[0]["label"]
    if any(not np.array_equal(array["label"], label) for array in arrays):
        raise DabsError("results of one test split have predictions with different labels; make them again.")
    predictions, seed = [array["prediction"] for array in arrays], int(test_split[:16], 16)
    return resample_scores(metric, predictions, label, resamples=resamples, seed=seed, group_n=group_n)


def _make_evidence(
    cell: tuple[Placed, ...],
    arrays: list[dict[str, np.ndarray]] | None,
    draws_RS: np.ndarray | None,
    group_n: np.ndarray | None,
) -> Evidence:
    results = [placed.result for placed in cell]
    first = results[0]
    has_answers = arrays is not None and first.metric.name == "accuracy"
    units = first.interval.units
    effective = effective_units(first.counts.test, group_n) if arrays else units
    return Evidence(
        seeds=tuple(result.seed for result in results),
        scores_S=np.array([result.score for result in results]),
        draws_RS=draws_RS,
        right_Sn=np.stack([a["prediction"] == a["label"] for a in arrays or []]) if has_answers else None,
        published_error=float(np.sqrt(np.mean([published_error(result) ** 2 for result in results]))),
        seedless=not has_encoder(first),
        resampled=first.interval.resampled,
        units=units,
        df=max(effective - 1, 1),
        test_split=first.data.split_sha256.test,
    )


def mean_evidence(parts: Sequence[Evidence]) -> Evidence | None:
    """Return the evidence on the mean over tasks, seed by seed; None where the tasks have different seeds.

    Without predictions, the errors of tasks on the same examples are taken as fully dependent.
    """
    if len({part.seeds for part in parts}) != 1:
        return None
    by_split: dict[str, float] = defaultdict(float)
    for part in parts:
        by_split[part.test_split] += part.published_error
    draws = [part.draws_RS for part in parts if part.draws_RS is not None]
    return Evidence(
        seeds=parts[0].seeds,
        scores_S=np.mean([part.scores_S for part in parts], axis=0),
        draws_RS=np.mean(draws, axis=0) if len(draws) == len(parts) else None,
        right_Sn=None,
        published_error=float(np.sqrt(sum(error**2 for error in by_split.values()))) / len(parts),
        seedless=parts[0].seedless,
        resampled=parts[0].resampled,
        units=min(part.units for part in parts),
        df=min(part.df for part in parts),
        test_split=parts[0].test_split,
    )


def is_paired(a: Evidence, b: Evidence) -> bool:
    """Return whether both have predictions, so that their answers can be compared example by example."""
    return a.draws_RS is not None and b.draws_RS is not None


def shrink_seed_variance(evidence: Mapping[Any, dict[str, Evidence]]) -> None:
    """Fill in `shrunk_variance` of every contestant's evidence, from all its tasks (or domains)."""
    for name in {name for found in evidence.values() for name in found}:
        own = {key: found[name] for key, found in evidence.items() if name in found}
        for key, shrunk in shrink_all({key: one.seed_variance for key, one in own.items()}).items():
            evidence[key][name] = replace(own[key], shrunk_variance=shrunk)


def variance_between(a: Evidence, b: Evidence, *, shrunk: bool = True) -> ScoreVariance:
    """Return the variance of mean(a) - mean(b); without predictions as if the two had seen different examples.

    Args:
        a, b: the two sides.
        shrunk: use the seed variance from `shrink_seed_variance`; otherwise that of these scores alone.
    """
    sizes = len(a.seeds), len(b.seeds)
    if a.draws_RS is not None and b.draws_RS is not None:
        cov = covariance(np.concatenate([a.draws_RS, b.draws_RS], axis=1))
    else:
        cov = np.zeros((sum(sizes), sum(sizes)))
        cov[: sizes[0], : sizes[0]], cov[sizes[0] :, sizes[0] :] = a.published_error**2, b.published_error**2
    variances = (a.shrunk_variance, b.shrunk_variance) if shrunk else (a.seed_variance, b.seed_variance)
    return variance_of_difference(cov, sizes, variances, (a.seedless, b.seedless), min(a.df, b.df))
