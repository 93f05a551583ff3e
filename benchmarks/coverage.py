"""Measure how often intervals of `dabs compare` cover the truth and its tests err.

    python benchmarks/coverage.py [--experiments 1000] [--resamples 200] [--only WORD]

Every experiment makes up results with a known truth, runs the code behind `dabs compare`, and counts. A model's answer
to an example is a latent number compared with a threshold. The number is the sum of the example's difficulty (shared by
all models), the algorithm's own view of the example, and noise of the seed's model; the seed's skill moves the
threshold. Seeds move the mean score by `sigma` (the sd over seeds; 0.011 to 0.017 was measured on lite), and `spread`
is the sd of log sigma between tasks.

Every table states the share of intervals that cover the truth (expected: 95 %, within 2 points) and the share of
experiments in which Holm's verdicts raise any false alarm (expected: at most 5 %). For comparison it adds two methods
that `dabs compare` does not use: resampling the examples only, and the plain hierarchical bootstrap (resampling seeds
and examples, with a normal quantile).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm, rankdata, t

from dabs.evaluation.bootstrap import SCORERS, covariance, resample_scores
from dabs.leaderboard.compare.pairwise import disagreements, estimate_difference
from dabs.leaderboard.compare.scores import Evidence, mean_evidence, shrink_seed_variance, variance_between
from dabs.leaderboard.compare.statistics import (
    draw_units,
    estimate_over_units,
    holm_correction,
    interquartile_mean,
    mcnemar_p,
    paired_proportions_error,
    resampled_interquartile_means,
    variance_of_mean,
)

LEVEL = 0.95
ALPHA = 1 - LEVEL


@dataclass(frozen=True, kw_only=True)
class World:
    """The distribution that the experiments of one row are drawn from."""

    metric: str = "accuracy"
    n: int = 500  # test examples
    tasks: int = 8
    seeds: tuple[int, int] = (2, 2)
    sigma: float = 0.012  # sd of a seed's effect on the score (accuracy) or on the latent correlation
    spread: float = 0.4  # sd of log sigma between tasks

    def __str__(self) -> str:
        counts = f"{self.tasks} tasks, n {self.n}, seeds {self.seeds[0]}+{self.seeds[1]}"
        return f"{self.metric}, {counts}, sigma {self.sigma:g}, spread {self.spread:g}"


def answers(world: World, seeds: int, skill_S: np.ndarray, difficulty_n: np.ndarray, rng: np.random.Generator) -> list:
    """Return the predictions of one algorithm's seeds on one task, as the metric takes them."""
    own_n = 0.6 * rng.standard_normal(world.n)
    noise_Sn = 0.6 * rng.standard_normal((seeds, world.n))
    if world.metric == "accuracy":
        latent_Sn = 0.8 * difficulty_n + own_n + noise_Sn
        cut_S = np.sqrt(0.64 + 0.36 + 0.36) * norm.ppf(np.clip(skill_S, 0.02, 0.98))
        return list((latent_Sn < cut_S[:, None]).astype(np.int64))
    value_Sn = (1 + 8 * skill_S[:, None]) * difficulty_n + own_n + noise_Sn
    if world.metric == "auroc":
        return list(value_Sn[:, :, None])
    return list((value_Sn > 0.8).astype(np.int64)) if world.metric == "matthews" else list(value_Sn)


def labels(world: World, difficulty_n: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return labels: for accuracy all 1, so that an answer of 1 is right; otherwise noisy difficulties."""
    if world.metric == "accuracy":
        return np.ones(world.n, dtype=np.int64)
    noisy_n = difficulty_n + 0.7 * rng.standard_normal(world.n)
    if world.metric == "spearman":
        return np.round(2 * noisy_n)
    hit_n = (noisy_n > 0.8).astype(np.int64)
    return hit_n[:, None] if world.metric == "auroc" else hit_n


def experiment(world: World, resamples: int, rng: np.random.Generator) -> dict[int, dict[str, Evidence]]:
    """Return the evidence on all tasks; a and b are equally good, so every true difference is 0."""
    drawn = [_draw_task(world, rng) for _ in range(world.tasks)]
    seed, models = int(rng.integers(2**60)), sum(world.seeds)
    if world.metric == "accuracy":  # the labels are the same, so the tasks can share their resamples
        predictions = [prediction for of_task, _ in drawn for prediction in of_task]
        draws = resample_scores(world.metric, predictions, drawn[0][1], resamples=resamples, seed=seed)
        parts = [draws[:, i * models : (i + 1) * models] for i in range(world.tasks)]
    else:
        parts = [resample_scores(world.metric, *task, resamples=resamples, seed=seed) for task in drawn]
    evidence = {
        i: _make_evidence(world, *task, part, str(i)) for i, (task, part) in enumerate(zip(drawn, parts, strict=True))
    }
    shrink_seed_variance(evidence)
    return evidence


def _draw_task(world: World, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the predictions of every seed of a, then of b, and the labels."""
    difficulty_n = rng.standard_normal(world.n)
    centre = rng.uniform(0.35, 0.65) if world.metric == "accuracy" else 0.0
    predictions = []
    for count in world.seeds:
        sigma = world.sigma * np.exp(world.spread * rng.standard_normal())
        predictions += answers(world, count, centre + sigma * rng.standard_normal(count), difficulty_n, rng)
    return predictions, labels(world, difficulty_n, rng)


def _make_evidence(
    world: World, predictions: list[np.ndarray], label: np.ndarray, draws: np.ndarray, test_split: str
) -> dict[str, Evidence]:
    ones = np.ones((world.n, 1), dtype=np.float32)
    scores = np.array([float(SCORERS[world.metric](prediction, label)(ones)[0]) for prediction in predictions])
    first, models = world.seeds[0], sum(world.seeds)
    return {
        name: Evidence(
            seeds=tuple(range(part.stop - part.start)),
            scores_S=scores[part],
            draws_RS=draws[:, part],
            right_Sn=np.array(predictions[part]) == label if world.metric == "accuracy" else None,
            published_error=np.nan,  # unused: there are predictions
            seedless=False,
            units=world.n,
            test_split=test_split,
        )
        for name, part in (("a", slice(0, first)), ("b", slice(first, models)))
    }


def tasks_row(world: World, experiments: int, resamples: int, rng: np.random.Generator) -> list[float]:
    """Measure coverage of the tasks' intervals and of the two other methods, and the rate of any false alarm."""
    hits, alarms = [], 0
    for _ in range(experiments):
        p_values = []
        for found in experiment(world, resamples, rng).values():
            a, b = found["a"], found["b"]
            estimate, *_ = estimate_difference(a, b, disagreements(a, b), ALPHA)
            p_values.append(estimate.p)
            hits.append([covers(estimate.low, estimate.high), *other_methods(a, b)])
        alarms += min(holm_correction(p_values)) < ALPHA
    return [*(100 * np.mean(hits, axis=0)), 100 * alarms / experiments]


def other_methods(a: Evidence, b: Evidence) -> tuple[bool, bool]:
    """Return whether 0 is covered by the bootstrap over examples alone, and by the plain hierarchical bootstrap."""
    cov = covariance(np.concatenate([a.draws_RS, b.draws_RS], axis=1))
    sizes = len(a.seeds), len(b.seeds)
    w = np.concatenate([np.full(sizes[0], 1 / sizes[0]), np.full(sizes[1], -1 / sizes[1])])
    examples = float(w @ cov @ w)
    seeds = float(np.var(a.scores_S) / sizes[0] + np.var(b.scores_S) / sizes[1])
    value, z = a.mean - b.mean, norm.ppf((1 + LEVEL) / 2)
    return abs(value) <= z * np.sqrt(examples), abs(value) <= z * np.sqrt(examples + seeds)


def covers(low: float | None, high: float | None, truth: float = 0.0) -> bool:
    """Return whether the interval contains the truth."""
    return low is not None and high is not None and low <= truth <= high


TASK_WORLDS: tuple[World, ...] = (
    *(World(seeds=(s, s), sigma=0.0, spread=0.0) for s in (1, 2, 3)),
    World(sigma=0.005),
    *(World(seeds=(s, s)) for s in (2, 3, 5)),
    *(World(seeds=(s, s), sigma=0.025) for s in (2, 3)),
    World(spread=0.0),
    *(World(seeds=(s, s), spread=0.8) for s in (2, 3)),
    World(seeds=(2, 3)),
    World(seeds=(3, 3), n=100),
    *(World(tasks=k) for k in (1, 2, 3, 24)),
    World(tasks=24, seeds=(3, 3)),
    *(World(metric=m, n=300) for m in ("auroc", "spearman", "matthews")),
)


def unit_experiments(
    domains: tuple[int, ...], seeds: int, experiments: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield scores (T, S) of two algorithms on the tasks of several domains, and the domain (T,) of each task.

    Over all possible tasks both are equally good. Each domain and task favours one or the other, and the seeds of a
    domain move all its tasks together.
    """
    domain_T = np.repeat(np.arange(len(domains)), domains)
    for _ in range(experiments):
        level_T = rng.uniform(0.2, 0.8, len(domain_T))
        gap_T = 0.04 * rng.standard_normal(len(domains))[domain_T] + 0.03 * rng.standard_normal(len(domain_T))
        sides = []
        for sign in (0.5, -0.5):
            seed_DS = 0.01 * rng.standard_normal((len(domains), seeds))
            noise_TS = 0.012 * rng.standard_normal((len(domain_T), seeds))
            sides.append((level_T + sign * gap_T)[:, None] + seed_DS[domain_T] + noise_TS)
        yield sides[0], sides[1], domain_T


def over_tasks_row(domains: tuple[int, ...], experiments: int, resamples: int, rng: np.random.Generator) -> list[float]:
    """Measure coverage over tasks: mean difference, IQM difference, mean rank, and a percentile bootstrap."""
    hits = []
    draws_RU = draw_units(len(domains), resamples)
    for a_TS, b_TS, domain_T in unit_experiments(domains, 2, experiments, rng):
        units = range(len(domains))
        gap_U = np.array([(a_TS - b_TS)[domain_T == u].mean() for u in units])
        drawn_R = gap_U[draws_RU].mean(axis=1)
        mean = estimate_over_units(float(gap_U.mean()), drawn_R, len(domains), LEVEL)
        unit_N = np.repeat(domain_T, a_TS.shape[1])
        iqm = [resampled_interquartile_means(side.ravel(), unit_N, draws_RU) for side in (a_TS, b_TS)]
        gap = interquartile_mean(a_TS) - interquartile_mean(b_TS)
        trimmed = estimate_over_units(gap, iqm[0] - iqm[1], len(domains), LEVEL)
        rank_T = rankdata(np.stack([-a_TS.mean(axis=1), -b_TS.mean(axis=1)]), axis=0)[0]
        rank_U = np.array([rank_T[domain_T == u].mean() for u in units])
        rank = estimate_over_units(float(rank_U.mean()), rank_U[draws_RU].mean(axis=1), len(domains), LEVEL)
        low, high = np.percentile(drawn_R, [2.5, 97.5])
        no_interval = rank.low is None  # all tasks rank the two alike
        hits.append(
            [
                covers(mean.low, mean.high),
                covers(trimmed.low, trimmed.high),
                no_interval or covers(rank.low, rank.high, 1.5),
                low <= 0 <= high,
            ]
        )
    return list(100 * np.mean(hits, axis=0))


def means_row(world: World, domains: tuple[int, ...], experiments: int, resamples: int, seed: int) -> list[float]:
    """Measure coverage for the mean difference of one domain and of all domains, on the given tasks."""
    rng, hits = np.random.default_rng(seed), []
    for _ in range(experiments):
        by_domain = {}
        for d, count in enumerate(domains):
            by_task = experiment(replace(world, tasks=count), resamples, rng)
            by_domain[d] = {name: mean_evidence([found[name] for found in by_task.values()]) for name in ("a", "b")}
        shrink_seed_variance(by_domain)
        overall = variance_of_mean(
            [variance_between(found["a"], found["b"], shrunk=False) for found in by_domain.values()]
        )
        value = float(np.mean([found["a"].mean - found["b"].mean for found in by_domain.values()]))
        total = overall.estimate(value, LEVEL)
        for found in by_domain.values():
            one = variance_between(found["a"], found["b"]).estimate(found["a"].mean - found["b"].mean, LEVEL)
            hits.append([covers(one.low, one.high), covers(total.low, total.high)])
    return list(100 * np.mean(hits, axis=0))


def mcnemar_row(n: int, disagreement: float, experiments: int, rng: np.random.Generator) -> list[float]:
    """Measure coverage and false alarms for two equally accurate models that disagree on a share of n examples."""
    hits = []
    for _ in range(experiments):
        differing = rng.binomial(n, disagreement)
        only_a = int(rng.binomial(differing, 0.5))
        only_b = int(differing - only_a)
        error = paired_proportions_error(only_a, only_b, n)
        half = t.ppf((1 + LEVEL) / 2, n - 1) * error
        hits.append([abs(only_a - only_b) / n <= half, mcnemar_p(only_a, only_b) < ALPHA])
    return list(100 * np.mean(hits, axis=0))


def print_section(
    title: str, columns: tuple[str, ...], rows: list[tuple[str, Callable[[], list[float]]]], only: str
) -> None:
    """Print one table, each row as soon as it is measured."""
    chosen = [(name, measure) for name, measure in rows if only in name or only in title]
    if not chosen:
        return
    print(f"\n{title}\n{'':66}" + "".join(f"{column:>14}" for column in columns), flush=True)
    for name, measure in chosen:
        print(f"{name:66}" + "".join(f"{value:14.1f}" for value in measure()), flush=True)


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--experiments", type=int, default=1000, help="experiments per row")
    parser.add_argument("--resamples", type=int, default=200, help="bootstrap resamples (the command uses 10,000)")
    parser.add_argument(
        "--only", default="", help="measure only rows whose name, or tables whose title, contain this word"
    )
    options = parser.parse_args()
    count, resamples, begun = options.experiments, options.resamples, time.perf_counter()
    head = ("interval", "examples only", "hierarchical", "any alarm")
    rows = [(str(w), lambda w=w: tasks_row(w, count, resamples, np.random.default_rng(1))) for w in TASK_WORLDS]
    print_section(
        "Tasks: % of 95 % intervals that cover the truth; % false alarms under Holm", head, rows, options.only
    )
    grid = ((1000, 0.5), (1000, 0.1), (1000, 0.01), (100, 0.2))
    rows = [
        (f"n {n}, disagreeing on {x:.0%}", lambda n=n, x=x: mcnemar_row(n, x, 10 * count, np.random.default_rng(2)))
        for n, x in grid
    ]
    print_section("One model each: interval and exact McNemar", ("interval", "false alarm"), rows, options.only)
    worlds = (World(), World(seeds=(3, 3)), World(sigma=0.0, spread=0.0), World(seeds=(1, 1), sigma=0.0, spread=0.0))
    rows = [
        (f"7 domains of {w}", lambda w=w: means_row(w, (w.tasks,) * 7, count, resamples, 3))
        for w in (replace(world, tasks=2) for world in worlds)
    ]
    print_section("Means of these tasks", ("domain", "all domains"), rows, options.only)
    head = ("mean", "IQM", "mean rank", "percentile")
    suites = ((2, 2, 5, 8, 2, 2, 3), (3,) * 4, (1,) * 20)
    rows = [
        (
            f"domains of {', '.join(map(str, s))} tasks",
            lambda s=s: over_tasks_row(s, count, resamples, np.random.default_rng(4)),
        )
        for s in suites
    ]
    print_section("Other tasks: bootstrap over domains", head, rows, options.only)
    print(f"\n{count} experiments per row, {resamples} resamples, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
