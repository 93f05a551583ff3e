"""Coverage of the intervals of `dabs compare`, and false alarms of its tests.

    python benchmarks/coverage.py [--experiments 1000] [--resamples 200] [--only WORD]

Every experiment simulates results whose truth is known, and runs the code of `dabs compare` on them. A model answers an
example correctly if a latent number is below a threshold. That number is the sum of the example's difficulty, which all
models share, the algorithm's own view of the example, and noise of the model; the threshold follows from the skill of
the model's seed. `sigma` is the standard deviation of a seed's effect on the score (0.011 to 0.017 was measured on
lite), `unlike` that of log sigma between tasks.

Every table shows the share of intervals that cover the truth (expected: 95 %, within 2 points), and the share of
experiments with any false alarm among Holm's verdicts (expected: at most 5 %). For comparison, it shows two methods
that are not used: resampling examples alone, and the plain hierarchical bootstrap (seeds and examples resampled, normal
quantile).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm, rankdata, t

from dabs.leaderboard.compare.bootstrap import SCORERS, covariance, resampled_scores
from dabs.leaderboard.compare.scores import Evidence, mean_evidence, spread_between, steady
from dabs.leaderboard.compare.statistics import (
    holm,
    interquartile_mean,
    mcnemar,
    mean_spread,
    over_units,
    paired_proportions,
    student,
    trimmed_means,
    unit_draws,
)

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class World:
    """The distribution that the experiments of one row are drawn from."""

    metric: str = "accuracy"
    n: int = 500  # test examples
    tasks: int = 8
    seeds: tuple[int, int] = (2, 2)  # of algorithms a and b
    sigma: float = 0.012  # sd of a seed's effect on the score (accuracy) or on the latent correlation
    unlike: float = 0.4  # sd of log sigma between tasks

    def __str__(self) -> str:
        counts = f"{self.tasks} tasks, n {self.n}, seeds {self.seeds[0]}+{self.seeds[1]}"
        return f"{self.metric}, {counts}, sigma {self.sigma:g}, unlike {self.unlike:g}"


def answers(world: World, seeds: int, skill_S: np.ndarray, difficulty_n: np.ndarray, rng: np.random.Generator) -> list:
    """Draw the predictions of one algorithm's seeds on one task, in the form that the metric takes."""
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
    """Draw the labels: for accuracy all 1, the correct answer; else values that depend on the difficulty."""
    if world.metric == "accuracy":
        return np.ones(world.n, dtype=np.int64)
    noisy_n = difficulty_n + 0.7 * rng.standard_normal(world.n)
    if world.metric == "spearman":
        return np.round(2 * noisy_n)
    hit_n = (noisy_n > 0.8).astype(np.int64)
    return hit_n[:, None] if world.metric == "auroc" else hit_n


def experiment(world: World, resamples: int, rng: np.random.Generator) -> dict[int, dict[str, Evidence]]:
    """Draw the evidence on all tasks. The algorithms a and b are equally good, so every true difference is 0."""
    made = [_task(world, rng) for _ in range(world.tasks)]
    seed, models = int(rng.integers(2**60)), sum(world.seeds)
    if world.metric == "accuracy":  # the labels are the same, so the tasks can share their resamples
        every = [prediction for found, _ in made for prediction in found]
        draws = resampled_scores(world.metric, every, made[0][1], resamples=resamples, seed=seed)
        parts = [draws[:, i * models : (i + 1) * models] for i in range(world.tasks)]
    else:
        parts = [resampled_scores(world.metric, *one, resamples=resamples, seed=seed) for one in made]
    board = {i: _evidence(world, *one, part, str(i)) for i, (one, part) in enumerate(zip(made, parts, strict=True))}
    steady(board)
    return board


def _task(world: World, rng: np.random.Generator) -> tuple[list[np.ndarray], np.ndarray]:
    """Draw the predictions of every seed of a, then of b, and the labels."""
    difficulty_n = rng.standard_normal(world.n)
    centre = rng.uniform(0.35, 0.65) if world.metric == "accuracy" else 0.0
    found = []
    for count in world.seeds:
        sigma = world.sigma * np.exp(world.unlike * rng.standard_normal())
        found += answers(world, count, centre + sigma * rng.standard_normal(count), difficulty_n, rng)
    return found, labels(world, difficulty_n, rng)


def _evidence(
    world: World, found: list[np.ndarray], label: np.ndarray, draws: np.ndarray, rows: str
) -> dict[str, Evidence]:
    ones = np.ones((world.n, 1), dtype=np.float32)
    scores = np.array([float(SCORERS[world.metric](prediction, label)(ones)[0]) for prediction in found])
    first, models = world.seeds[0], sum(world.seeds)
    return {
        name: Evidence(
            seeds=tuple(range(part.stop - part.start)),
            scores_S=scores[part],
            draws_RS=draws[:, part],
            right_Sn=np.array(found[part]) == label if world.metric == "accuracy" else None,
            error=0.0,
            fixed=False,
            units=world.n,
            rows=rows,
        )
        for name, part in (("a", slice(0, first)), ("b", slice(first, models)))
    }


def tasks_row(world: World, experiments: int, resamples: int, rng: np.random.Generator) -> list[float]:
    """Return the coverage of the tasks' intervals and of the two other methods, and the rate of false alarms."""
    hits, alarms = [], 0
    for _ in range(experiments):
        p_values = []
        for found in experiment(world, resamples, rng).values():
            a, b = found["a"], found["b"]
            estimate = estimate_of(a, b)
            p_values.append(estimate.p)
            hits.append([covers(estimate.low, estimate.high), *other_methods(a, b)])
        alarms += min(holm(p_values)) < 1 - LEVEL
    return [*(100 * np.mean(hits, axis=0)), 100 * alarms / experiments]


def estimate_of(a: Evidence, b: Evidence):  # type: ignore[no-untyped-def]
    """Compare as `dabs.leaderboard.compare.pairwise` does, with McNemar's p if each side has one model."""
    if len(a.seeds) == len(b.seeds) == 1 and a.right_Sn is not None and b.right_Sn is not None:
        only_a, only_b = int((a.right_Sn & ~b.right_Sn).sum()), int((b.right_Sn & ~a.right_Sn).sum())
        error = paired_proportions(only_a, only_b, a.units)
        return replace(student(a.mean - b.mean, error, a.units - 1, LEVEL), p=mcnemar(only_a, only_b))
    return spread_between(a, b).estimate(a.mean - b.mean, LEVEL)


def other_methods(a: Evidence, b: Evidence) -> tuple[bool, bool]:
    """Return whether the bootstrap over examples alone covers 0, and whether the plain hierarchical one does."""
    cov = covariance(np.concatenate([a.draws_RS, b.draws_RS], axis=1))
    sizes = len(a.seeds), len(b.seeds)
    w = np.concatenate([np.full(sizes[0], 1 / sizes[0]), np.full(sizes[1], -1 / sizes[1])])
    examples = float(w @ cov @ w)
    seeds = float(np.var(a.scores_S) / sizes[0] + np.var(b.scores_S) / sizes[1])
    value, z = a.mean - b.mean, norm.ppf((1 + LEVEL) / 2)
    return abs(value) <= z * np.sqrt(examples), abs(value) <= z * np.sqrt(examples + seeds)


def covers(low: float | None, high: float | None, truth: float = 0.0) -> bool:
    """Whether the interval covers the truth."""
    return low is not None and high is not None and low <= truth <= high


TASKS: tuple[World, ...] = (
    *(World(seeds=(s, s), sigma=0.0, unlike=0.0) for s in (1, 2, 3)),
    World(sigma=0.005),
    *(World(seeds=(s, s)) for s in (2, 3, 5)),
    *(World(seeds=(s, s), sigma=0.025) for s in (2, 3)),
    World(unlike=0.0),
    *(World(seeds=(s, s), unlike=0.8) for s in (2, 3)),
    World(seeds=(2, 3)),
    World(seeds=(3, 3), n=100),
    *(World(tasks=k) for k in (1, 2, 3, 24)),
    World(tasks=24, seeds=(3, 3)),
    *(World(metric=m, n=300) for m in ("auroc", "spearman", "matthews")),
)


def unit_experiments(
    domains: tuple[int, ...], seeds: int, experiments: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the scores (T, S) of two algorithms on the tasks of several domains, and the domain (T,) of each task.

    Over all possible tasks both are equally good. Each domain and each task favours one of them, and a seed has the
    same effect on all tasks of a domain.
    """
    place_T = np.repeat(np.arange(len(domains)), domains)
    for _ in range(experiments):
        level_T = rng.uniform(0.2, 0.8, len(place_T))
        gap_T = 0.04 * rng.standard_normal(len(domains))[place_T] + 0.03 * rng.standard_normal(len(place_T))
        sides = []
        for sign in (0.5, -0.5):
            seed_DS = 0.01 * rng.standard_normal((len(domains), seeds))
            noise_TS = 0.012 * rng.standard_normal((len(place_T), seeds))
            sides.append((level_T + sign * gap_T)[:, None] + seed_DS[place_T] + noise_TS)
        yield sides[0], sides[1], place_T


def over_tasks_row(domains: tuple[int, ...], experiments: int, resamples: int, rng: np.random.Generator) -> list[float]:
    """Return the coverage of intervals over tasks: mean difference, IQM difference, mean rank, percentile bootstrap."""
    hits = []
    draws_RU = unit_draws(len(domains), resamples)
    for a_TS, b_TS, place_T in unit_experiments(domains, 2, experiments, rng):
        units = range(len(domains))
        gap_U = np.array([(a_TS - b_TS)[place_T == u].mean() for u in units])
        drawn_R = gap_U[draws_RU].mean(axis=1)
        mean = over_units(float(gap_U.mean()), drawn_R, len(domains), LEVEL)
        unit_N = np.repeat(place_T, a_TS.shape[1])
        iqm = [trimmed_means(side.ravel(), unit_N, draws_RU) for side in (a_TS, b_TS)]
        gap = interquartile_mean(a_TS) - interquartile_mean(b_TS)
        trimmed = over_units(gap, iqm[0] - iqm[1], len(domains), LEVEL)
        rank_T = rankdata(np.stack([-a_TS.mean(axis=1), -b_TS.mean(axis=1)]), axis=0)[0]
        rank_U = np.array([rank_T[place_T == u].mean() for u in units])
        rank = over_units(float(rank_U.mean()), rank_U[draws_RU].mean(axis=1), len(domains), LEVEL)
        low, high = np.percentile(drawn_R, [2.5, 97.5])
        same = rank.low is None  # no interval, because every task ranks alike
        hits.append(
            [
                covers(mean.low, mean.high),
                covers(trimmed.low, trimmed.high),
                same or covers(rank.low, rank.high, 1.5),
                low <= 0 <= high,
            ]
        )
    return list(100 * np.mean(hits, axis=0))


def means_row(world: World, domains: tuple[int, ...], experiments: int, resamples: int, seed: int) -> list[float]:
    """Return the coverage of the mean difference in one domain and over all domains, on the given tasks."""
    rng, hits = np.random.default_rng(seed), []
    for _ in range(experiments):
        whole = {}
        for d, count in enumerate(domains):
            board = experiment(replace(world, tasks=count), resamples, rng)
            whole[d] = {name: mean_evidence([found[name] for found in board.values()]) for name in ("a", "b")}
        steady(whole)
        overall = mean_spread([spread_between(found["a"], found["b"], raw=True) for found in whole.values()])
        value = float(np.mean([found["a"].mean - found["b"].mean for found in whole.values()]))
        total = overall.estimate(value, LEVEL)
        for found in whole.values():
            one = spread_between(found["a"], found["b"]).estimate(found["a"].mean - found["b"].mean, LEVEL)
            hits.append([covers(one.low, one.high), covers(total.low, total.high)])
    return list(100 * np.mean(hits, axis=0))


def mcnemar_row(n: int, disagreement: float, experiments: int, rng: np.random.Generator) -> list[float]:
    """Return coverage and false alarms for two equally accurate models that disagree on a share of n examples."""
    hits = []
    for _ in range(experiments):
        differ = rng.binomial(n, disagreement)
        only_a = int(rng.binomial(differ, 0.5))
        only_b = int(differ - only_a)
        error = paired_proportions(only_a, only_b, n)
        half = t.ppf((1 + LEVEL) / 2, n - 1) * error
        hits.append([abs(only_a - only_b) / n <= half, mcnemar(only_a, only_b) < 1 - LEVEL])
    return list(100 * np.mean(hits, axis=0))


def section(title: str, columns: tuple[str, ...], rows: list[tuple[str, Callable[[], list[float]]]], only: str) -> None:
    """Print one table, row by row as it is computed."""
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
    parser.add_argument("--only", default="", help="only rows whose name, or tables whose title, contain this word")
    options = parser.parse_args()
    count, resamples, begun = options.experiments, options.resamples, time.perf_counter()
    head = ("interval", "examples only", "hierarchical", "any alarm")
    rows = [(str(w), lambda w=w: tasks_row(w, count, resamples, np.random.default_rng(1))) for w in TASKS]
    section("Tasks: % of 95 % intervals that hold the truth; % false alarms under Holm", head, rows, options.only)
    grid = ((1000, 0.5), (1000, 0.1), (1000, 0.01), (100, 0.2))
    rows = [
        (f"n {n}, disagreeing on {x:.0%}", lambda n=n, x=x: mcnemar_row(n, x, 10 * count, np.random.default_rng(2)))
        for n, x in grid
    ]
    section("One model each: interval and exact McNemar", ("interval", "false alarm"), rows, options.only)
    worlds = (World(), World(seeds=(3, 3)), World(sigma=0.0, unlike=0.0), World(seeds=(1, 1), sigma=0.0, unlike=0.0))
    rows = [
        (f"7 domains of {w}", lambda w=w: means_row(w, (w.tasks,) * 7, count, resamples, 3))
        for w in (replace(world, tasks=2) for world in worlds)
    ]
    section("Means of these tasks", ("domain", "all domains"), rows, options.only)
    head = ("mean", "IQM", "mean rank", "percentile")
    suites = ((2, 2, 5, 8, 2, 2, 3), (3,) * 4, (1,) * 20)
    rows = [
        (
            f"domains of {', '.join(map(str, s))} tasks",
            lambda s=s: over_tasks_row(s, count, resamples, np.random.default_rng(4)),
        )
        for s in suites
    ]
    section("Other tasks: bootstrap over domains", head, rows, options.only)
    print(f"\n{count} experiments per row, {resamples} resamples, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
