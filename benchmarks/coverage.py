"""Measure how often intervals cover the truth, and how often tests err.

    python benchmarks/coverage.py [--experiments 400] [--resamples 1000] [--only WORD] [--quick]

Every experiment makes up results with a known truth, runs the code behind `dabs compare` and the tables, and counts. A
model's answer to an example is a latent number compared with a threshold. The number is the sum of the example's
difficulty (shared by all models), the algorithm's own view of the example, and noise of the seed's model; the seed's
skill moves the threshold. Seeds move the mean score by `sigma` (the sd over seeds; lite has 0.020 to 0.031), and
`spread` is the sd of log sigma between tasks.

Where examples share a group (a drawing, a voice, a recording, a photograph), a part `alike` of the variance of each of
the three numbers is the group's. `wider` is how many times larger that makes the standard error of an accuracy.

Every table states the share of intervals that cover the truth (expected: 95 %, within 2 points) and the share of
experiments in which Holm's verdicts raise any false alarm (expected: at most 5 %). For comparison it adds methods that
`dabs compare` does not use: resampling single examples although they share groups, no seeds, and the plain hierarchical
bootstrap (resampling seeds and examples, with a normal quantile).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import norm, rankdata, t

from dabs.evaluation.metrics import bootstrap_interval
from dabs.leaderboard.compare.pairwise import disagreements, estimate_difference
from dabs.leaderboard.compare.scores import Evidence, mean_evidence, shrink_seed_variance, variance_between
from dabs.leaderboard.compare.statistics import (
    draw_units,
    estimate_over_units,
    estimate_with,
    holm_correction,
    interquartile_mean,
    mcnemar_p,
    paired_proportions_error,
    resampled_interquartile_means,
)
from dabs.leaderboard.tables.intervals import SeedScores, interval_of_scores, mean_of_tasks, variance_of_scores
from dabs.leaderboard.tables.variance import shrink_all, variance_of_mean
from dabs.results.bootstrap import covariance

sys.path[:0] = [str(Path(__file__).parent)]

from simulation.one_score import SCORES, one_score_row  # noqa: E402
from simulation.worlds import GROUPED, SEEDS, TASK_WORLDS, World, draw_task, evidence_of, experiment  # noqa: E402

LEVEL = 0.95
ALPHA = 1 - LEVEL


def tasks_row(world: World, experiments: int, resamples: int, rng: np.random.Generator) -> list[float]:
    """Measure coverage of the tasks' intervals and of other methods, and the rate of any false alarm.

    Returns:
        Coverage of `dabs compare`, of single examples with seeds, of no seeds, of the hierarchical bootstrap; how often
        a false alarm is raised; all in percent. Then how much wider groups make the standard error of an accuracy.
    """
    hits, alarms, wider = [], 0, []
    for _ in range(experiments):
        drawn, seed = [draw_task(world, rng) for _ in range(world.tasks)], int(rng.integers(2**60))
        grouped = evidence_of(world, drawn, resamples, seed, world.group_n)
        single = grouped if world.group_n is None else evidence_of(world, drawn, resamples, seed, None)
        p_values = []
        for key, found in grouped.items():
            estimate, other = (
                estimate_difference(x["a"], x["b"], disagreements(x["a"], x["b"]), ALPHA)[0]
                for x in (found, single[key])
            )
            p_values.append(estimate.p)
            hit = [covers(one.low, one.high) for one in (estimate, other)]
            hits.append([*hit, *other_methods(found["a"], found["b"])])
            if world.metric == "accuracy":
                wider.append([np.var(x["a"].draws_RS[:, 0]) for x in (found, single[key])])
        alarms += min(holm_correction(p_values)) < ALPHA
    ratio = float(np.sqrt(np.divide(*np.mean(wider, axis=0)))) if wider else float("nan")
    return [*(100 * np.mean(hits, axis=0)), 100 * alarms / experiments, ratio]


def scores_row(world: World, experiments: int, resamples: int, rng: np.random.Generator) -> list[float]:
    """Measure coverage of the intervals of scores: a published one, those of means over seeds, and of a mean of tasks.

    Returns:
        Percent covered by one result's published interval, by single examples in its place, by the interval of the mean
        over seeds in the tables, and of the mean over the tasks of a domain.
    """
    hits = []
    for _ in range(experiments):
        drawn = [draw_task(replace(world, seeds=(world.seeds[0], 1)), rng) for _ in range(world.tasks)]
        own = replace(world, seeds=(world.seeds[0], 1))
        cells = {
            i: _seed_scores(own, found["a"])
            for i, found in evidence_of(own, drawn, resamples, 1, world.group_n).items()
        }
        shrunk, truths = (
            shrink_all({i: one.seed_variance for i, one in cells.items()}),
            [centre for *_, centre in drawn],
        )
        domain = mean_of_tasks(list(cells.values()), list(shrunk.values()))
        means = [interval_of_scores(one, variance_of_scores(one, shrunk[i])) for i, one in cells.items()]
        whole = interval_of_scores(domain, variance_of_scores(domain, domain.seed_variance))
        cover = [covers(*one.ends, truth) for one, truth in zip(means, truths, strict=True)]
        one = draw_task(replace(own, seeds=(1, 1), sigma=0.0), rng)  # the truth is that of this model alone
        group_n = np.arange(world.n) if world.group_n is None else world.group_n
        published = [
            bootstrap_interval("accuracy", one[0][0], one[1], group) for group in (group_n, np.arange(world.n))
        ]
        model = [covers(found["low"], found["high"], one[2]) for found in published]
        hits.append([*model, np.mean(cover), covers(*whole.ends, float(np.mean(truths)))])
    return list(100 * np.mean(hits, axis=0))


def _seed_scores(world: World, found: Evidence) -> SeedScores:
    """Return what a table would know of these scores: they and the standard errors of their published intervals."""
    return SeedScores(
        seeds=found.seeds,
        scores=tuple(found.scores_S.tolist()),
        mean=found.mean,
        test_error=float(np.sqrt(np.var(found.draws_RS, axis=0).mean())),
        units=found.units,
        test_split=found.test_split,
        seedless=False,
        level=LEVEL,
        bounds=(0.0, 1.0),
    )


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


def means_row(worlds: tuple[World, ...], experiments: int, resamples: int, seed: int) -> list[float]:
    """Measure coverage for the mean difference of one domain and of all domains, one per world, on the given tasks.

    Returns:
        Coverage of domains and of all domains, and how often either is a false alarm for the whole, in percent.
    """
    rng, hits = np.random.default_rng(seed), []
    for _ in range(experiments):
        by_domain = {}
        for d, world in enumerate(worlds):
            by_task = experiment(world, resamples, rng)
            by_domain[d] = {name: mean_evidence([found[name] for found in by_task.values()]) for name in ("a", "b")}
        shrink_seed_variance(by_domain)
        overall = variance_of_mean(
            [variance_between(found["a"], found["b"], shrunk=False) for found in by_domain.values()]
        )
        value = float(np.mean([found["a"].mean - found["b"].mean for found in by_domain.values()]))
        total = estimate_with(value, overall, LEVEL)
        for found in by_domain.values():
            one = estimate_with(found["a"].mean - found["b"].mean, variance_between(found["a"], found["b"]), LEVEL)
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
    print(f"\n{title}\n{'':80}" + "".join(f"{column:>14}" for column in columns), flush=True)
    for name, measure in chosen:
        print(
            f"{name:80}" + "".join(f"{value:14.1f}" if np.isfinite(value) else f"{'':14}" for value in measure()),
            flush=True,
        )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--experiments", type=int, default=400, help="experiments per row")
    parser.add_argument("--resamples", type=int, default=1000, help="bootstrap resamples (`dabs compare` uses 10,000)")
    parser.add_argument(
        "--only", default="", help="measure only rows whose name, or tables whose title, contain this word"
    )
    parser.add_argument("--quick", action="store_true", help="50 experiments and 100 resamples: does everything run?")
    options = parser.parse_args()
    count, resamples = (50, 100) if options.quick else (options.experiments, options.resamples)
    begun = time.perf_counter()
    head = ("percentile", "Student's t", "published")
    rows = [(str(w), lambda w=w: one_score_row(w, 5 * count, resamples, np.random.default_rng(6))) for w in SCORES]
    print_section("One accuracy of examples in groups", head, rows, options.only)
    head = ("published", "by example", "over seeds", "domain")
    rows = [
        (str(w), lambda w=w: scores_row(w, count, resamples, np.random.default_rng(5))) for w in SEEDS if w.seeds[0] > 2
    ]
    print_section("Scores in tables: % of 95 % intervals that cover the truth", head, rows, options.only)
    head = ("interval", "by example", "no seeds", "hierarchical", "any alarm", "wider")
    rows = [(str(w), lambda w=w: tasks_row(w, count, resamples, np.random.default_rng(1))) for w in TASK_WORLDS]
    print_section(
        "Tasks: % of 95 % intervals that cover the truth; % false alarms under Holm", head, rows, options.only
    )
    grid = ((1000, 0.5), (1000, 0.1), (1000, 0.01), (100, 0.2))
    rows = [
        (f"n {n}, disagreeing on {x:.0%}", lambda n=n, x=x: mcnemar_row(n, x, 25 * count, np.random.default_rng(2)))
        for n, x in grid
    ]
    print_section("One model each: interval and exact McNemar", ("interval", "false alarm"), rows, options.only)
    mixed = tuple(replace(w, seeds=(3, 3), tasks=2) for w in (World(), World(), World(), *GROUPED))
    rows = [
        (f"7 domains of {w}", lambda w=w: means_row((w,) * 7, count, resamples, 3))
        for w in (replace(world, tasks=2) for world in SEEDS[1::3])
    ]
    for sigma in (0.02, 0.03):
        worlds = tuple(replace(w, sigma=sigma) for w in mixed)
        rows.append(
            (
                f"3 domains of examples and 4 of groups, sigma {sigma:g}",
                lambda w=worlds: means_row(w, count, resamples, 3),
            )
        )
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
