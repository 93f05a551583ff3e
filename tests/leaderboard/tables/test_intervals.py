"""Intervals of means over seeds, tasks and domains, against the definitions and against repeated experiments."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy import stats

from dabs.evaluation.log_odds import log_odds_interval
from dabs.leaderboard.tables.intervals import TableIntervals, build_intervals, published_error, scores_of_cell
from dabs.leaderboard.tables.variance import ScoreVariance
from dabs.results.schema import Result
from tests.helpers.made_results import alter, make_payload

UNITS = 1031
SENSOR = ("exercise", "side")


def result(score: float, error: float, *, split: str = "", units: int = UNITS, **changes: Any) -> Result:
    """Return a result whose published interval has this standard error."""
    payload = make_payload(score=score, **changes)
    low, high = log_odds_interval(score, error, units - 1, 0.95, (payload["metric"]["low"], 1.0))
    payload["interval"] |= {"low": low, "high": high, "units": units}
    if split:
        payload = alter(payload, "data.split_sha256.test", split * 64)
    return Result.model_validate_json(json.dumps(payload))


def intervals(results: list[Result], tasks: dict[str, tuple[str, ...]] | None = None) -> TableIntervals:
    """Return the intervals of results of one protocol; the tasks are those of the results by default."""
    cells: dict[tuple[str, str, str], list[Result]] = {}
    for one in results:
        cells.setdefault((one.algorithm, one.domain, one.task), []).append(one)
    found: dict[str, tuple[str, ...]] = {}
    for _, domain, task in cells:
        found[domain] = tuple(dict.fromkeys((*found.get(domain, ()), task)))
    return build_intervals(cells, tasks or found, tasks or found)


def half_width(ends: tuple[float, float]) -> float:
    return (ends[1] - ends[0]) / 2


def test_the_error_of_a_published_interval_is_found_again() -> None:
    assert published_error(result(0.71, 0.02, units=24)) == pytest.approx(0.02)


def test_one_seed_has_its_published_interval_and_says_so() -> None:
    one = result(0.9, 0.02, units=20)
    found = intervals([one]).cells["shed", "sensor", "exercise"]
    assert found.ends == pytest.approx((one.interval.low, one.interval.high))
    assert (found.test_data_only, found.covers) == (True, "test data only, one seed")


def test_the_raw_input_has_no_seed_to_cover() -> None:
    raw = Result.model_validate_json(json.dumps(alter(make_payload(algorithm="raw"), "encoder.parameters", 0)))
    found = intervals([raw])
    assert not found.cells["raw", "sensor", "exercise"].test_data_only
    assert not found.overall["raw"].test_data_only


def test_seeds_alone_give_students_interval() -> None:
    scores = (0.50, 0.53, 0.51, 0.47)
    found = intervals([result(score, 1e-6, seed=seed) for seed, score in enumerate(scores)])
    expected = stats.ttest_1samp(scores, 0).confidence_interval()
    assert found.cells["shed", "sensor", "exercise"].ends == pytest.approx((expected.low, expected.high), abs=1e-3)


def test_every_seed_shares_the_test_data() -> None:
    """Seeds that agree do not make the mean more certain than one seed is."""
    found = intervals([result(0.71, 0.02, seed=seed) for seed in range(3)]).cells["shed", "sensor", "exercise"]
    one = intervals([result(0.71, 0.02)]).cells["shed", "sensor", "exercise"]
    assert found.ends == pytest.approx(one.ends, abs=2e-3)
    assert not found.test_data_only


def test_the_seeds_add_their_variance() -> None:
    scores, error = (0.48, 0.52, 0.50), 0.01
    found = intervals([result(score, error, seed=seed) for seed, score in enumerate(scores)])
    seeds = np.var(scores, ddof=1) / 3
    df = (error**2 + seeds) ** 2 / (error**4 / (UNITS - 1) + seeds**2 / 2)
    expected = stats.t.ppf(0.975, df) * np.sqrt(error**2 + seeds)
    assert half_width(found.cells["shed", "sensor", "exercise"].ends) == pytest.approx(expected, rel=1e-2)


def test_tasks_on_other_examples_add_in_quadrature_and_on_the_same_examples_in_full() -> None:
    apart = intervals([result(0.5, 0.03, task=task, split=s) for task, s in zip(SENSOR, "ab", strict=True)])
    together = intervals([result(0.5, 0.03, task=task, split="a") for task in SENSOR])
    z = stats.t.ppf(0.975, UNITS - 1)
    assert half_width(apart.domains["shed", "sensor"].ends) == pytest.approx(z * 0.03 / np.sqrt(2), rel=1e-2)
    assert half_width(together.domains["shed", "sensor"].ends) == pytest.approx(z * 0.03, rel=1e-2)


def test_a_seed_moves_the_tasks_of_a_domain_together() -> None:
    """Tasks that move in opposite directions leave the mean where it is; domains are independent."""
    apart = intervals(
        [
            result(0.5 + sign * 0.03 * (s - 1), 1e-6, task=t, seed=s)
            for t, sign in zip(SENSOR, (1, -1), strict=True)
            for s in (0, 1, 2)
        ]
    )
    assert half_width(apart.domains["shed", "sensor"].ends) < 1e-4
    together = intervals([result(0.5 + 0.03 * (s - 1), 1e-6, task=t, seed=s) for t in SENSOR for s in (0, 1, 2)])
    expected = stats.t.ppf(0.975, 2) * 0.03 / np.sqrt(3)
    assert half_width(together.domains["shed", "sensor"].ends) == pytest.approx(expected, rel=2e-2)


def test_tasks_with_other_seeds_are_taken_as_moved_alike() -> None:
    same = [result(0.5 + 0.03 * (s - 1), 1e-6, task=t, seed=s) for t in SENSOR for s in (0, 1, 2)]
    other = [one if one.task == "side" else one.model_copy(update={"seed": one.seed + 7}) for one in same]
    wide, narrow = intervals(other).domains["shed", "sensor"], intervals(same).domains["shed", "sensor"]
    assert not wide.test_data_only
    # the cells' seed variances are shrunk, which adds two degrees of freedom
    expected = stats.t.ppf(0.975, 4) * 0.03 / np.sqrt(3)
    assert half_width(wide.ends) == pytest.approx(expected, rel=2e-2)
    assert half_width(wide.ends) < half_width(narrow.ends)


def test_domains_are_independent() -> None:
    def scores(domain: str, task: str) -> list[Result]:
        return [result(0.5 + 0.02 * (s - 1), 0.01, domain=domain, task=task, seed=s) for s in (0, 1, 2)]

    found = intervals(scores("sensor", "exercise") + scores("speech", "word"))
    error = np.sqrt((0.01**2 + 0.02**2 / 3) / 2)
    df = (0.01**2 + 0.02**2 / 3) ** 2 * 2 / (0.01**4 / (UNITS - 1) + (0.02**2 / 3) ** 2 / 2)
    assert half_width(found.overall["shed"].ends) == pytest.approx(stats.t.ppf(0.975, df) * error, rel=1e-2)


def test_an_overall_mean_with_a_domain_of_one_seed_covers_test_data_only() -> None:
    results = [result(0.5 + 0.2 * s, 0.01, seed=s) for s in (0, 1)]
    found = intervals([*results, result(0.5, 0.01, domain="speech", task="word")])
    assert not found.domains["shed", "sensor"].test_data_only
    assert found.overall["shed"].test_data_only
    assert half_width(found.overall["shed"].ends) == pytest.approx(1.96 * 0.01 / np.sqrt(2), rel=2e-2)


def test_intervals_stay_within_the_bounds() -> None:
    found = intervals([result(score, 0.02, seed=seed) for seed, score in enumerate((0.92, 0.97, 0.98))])
    low, high = found.cells["shed", "sensor", "exercise"].ends
    assert 0.8 < low < 0.92
    assert high == 1


def test_a_mean_that_lacks_a_task_has_no_interval() -> None:
    found = intervals([result(0.5, 0.01)], {"sensor": ("exercise", "side"), "speech": ("word",)})
    assert (found.domains, found.overall) == ({}, {})


def test_few_groups_keep_their_degrees_of_freedom() -> None:
    variance = ScoreVariance(examples=1e-6, shared=1e-6, df=1, seeds=((0.01, 3.0), (0.01, 3.0)))
    assert variance.total_df == 1
    assert ScoreVariance(examples=1e-6, shared=1e-6, df=30, seeds=((0.01, 3.0), (0.01, 3.0))).total_df > 5


def test_the_scores_of_a_cell_are_in_the_order_of_the_seeds() -> None:
    cell = scores_of_cell([result(0.6, 0.01, seed=2), result(0.5, 0.01, seed=0)])
    assert (cell.seeds, cell.scores, cell.mean) == ((0, 2), (0.5, 0.6), pytest.approx(0.55))


@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_intervals_of_means_cover_the_truth(sigma: float) -> None:
    """Three seeds on test data that all share; the truth is the mean over seeds and test data."""
    rng, hits = np.random.default_rng(1), []
    for _ in range(150):
        results = []
        for task, split in zip(SENSOR, "ab", strict=True):
            luck = 0.02 * rng.standard_normal()
            results += [
                result(
                    float(np.clip(0.6 + luck + sigma * rng.standard_normal(), 0.1, 0.9)),
                    0.02,
                    task=task,
                    seed=s,
                    split=split,
                )
                for s in range(3)
            ]
        found = intervals(results)
        for one in (*found.cells.values(), found.domains["shed", "sensor"]):
            hits.append(one.low <= 0.6 <= one.high)
    assert 0.925 <= np.mean(hits) <= 0.98
