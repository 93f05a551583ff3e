"""Made-up results with a known truth, for `coverage.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.stats import norm

from dabs.leaderboard.compare.scores import Evidence, shrink_seed_variance
from dabs.results.bootstrap import SCORERS, effective_units, resample_scores


@dataclass(frozen=True, kw_only=True)
class World:
    """The distribution that the experiments of one row are drawn from."""

    metric: str = "accuracy"
    n: int = 500  # test examples
    groups: int = 0  # what they share; 0 if each example is its own
    alike: float = 0.0  # the part of the variance that is the group's
    unequal: float = 0.0  # coefficient of variation of the groups' sizes
    name: str = ""
    tasks: int = 8
    seeds: tuple[int, int] = (2, 2)
    sigma: float = 0.02  # sd of a seed's effect on the score (accuracy) or on the latent correlation
    spread: float = 0.4  # sd of log sigma between tasks

    def __str__(self) -> str:
        counts = f"{self.tasks} tasks, n {self.n}, seeds {self.seeds[0]}+{self.seeds[1]}"
        of = f"{self.groups} {self.name}, " if self.groups else ""
        return f"{self.metric}, {of}{counts}, sigma {self.sigma:g}, spread {self.spread:g}"

    @cached_property
    def group_n(self) -> np.ndarray | None:
        """The group of each example; None if each is its own."""
        if not self.groups:
            return None
        rng, share = np.random.default_rng(self.groups), np.ones(self.groups)
        if self.unequal:
            share = rng.gamma(self.unequal**-2, size=self.groups)
        more = (
            rng.choice(self.groups, self.n - self.groups, p=share / share.sum())
            if self.unequal
            else np.arange(self.n - self.groups)
        )
        return np.sort(np.concatenate([np.arange(self.groups), more % self.groups]))

    def normal(self, rng: np.random.Generator, count: int = 1) -> np.ndarray:
        """Return standard normal numbers (count, n), of which examples of a group share a part."""
        own = rng.standard_normal((count, self.n))
        if self.group_n is None:
            return own
        shared = rng.standard_normal((count, self.groups))[:, self.group_n]
        return np.asarray(np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * own)


def answers(world: World, seeds: int, skill_S: np.ndarray, difficulty_n: np.ndarray, rng: np.random.Generator) -> list:
    """Return the predictions of one algorithm's seeds on one task, as the metric takes them."""
    own_n = 0.6 * world.normal(rng)[0]
    noise_Sn = 0.6 * world.normal(rng, seeds)
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
    noisy_n = difficulty_n + 0.7 * world.normal(rng)[0]
    if world.metric == "spearman":
        return np.round(2 * noisy_n)
    hit_n = (noisy_n > 0.8).astype(np.int64)
    return hit_n[:, None] if world.metric == "auroc" else hit_n


def experiment(
    world: World, resamples: int, rng: np.random.Generator, *, by_group: bool = True
) -> dict[int, dict[str, Evidence]]:
    """Return the evidence on all tasks; a and b are equally good, so every true difference is 0.

    Without `by_group`, single examples are resampled although they share groups.
    """
    drawn = [draw_task(world, rng) for _ in range(world.tasks)]
    return evidence_of(world, drawn, resamples, int(rng.integers(2**60)), world.group_n if by_group else None)


Drawn = tuple[list[np.ndarray], np.ndarray, float]  # predictions of every seed of a, then of b; labels; true accuracy


def evidence_of(
    world: World, drawn: list[Drawn], resamples: int, seed: int, group_n: np.ndarray | None
) -> dict[int, dict[str, Evidence]]:
    """Return the evidence on tasks with these predictions."""
    models, options = sum(world.seeds), {"resamples": resamples, "seed": seed, "group_n": group_n}
    if world.metric == "accuracy":  # the labels are the same, so the tasks can share their resamples
        predictions = [prediction for of_task, *_ in drawn for prediction in of_task]
        draws = resample_scores(world.metric, predictions, drawn[0][1], **options)
        parts = [draws[:, i * models : (i + 1) * models] for i in range(world.tasks)]
    else:
        parts = [resample_scores(world.metric, *task[:2], **options) for task in drawn]
    evidence = {
        i: _make_evidence(world, *task[:2], part, str(i), group_n)
        for i, (task, part) in enumerate(zip(drawn, parts, strict=True))
    }
    shrink_seed_variance(evidence)
    return evidence


def draw_task(world: World, rng: np.random.Generator) -> Drawn:
    difficulty_n = world.normal(rng)[0]
    centre = rng.uniform(0.35, 0.65) if world.metric == "accuracy" else 0.0
    predictions = []
    for count in world.seeds:
        sigma = world.sigma * np.exp(world.spread * rng.standard_normal())
        predictions += answers(world, count, centre + sigma * rng.standard_normal(count), difficulty_n, rng)
    return predictions, labels(world, difficulty_n, rng), centre


def _make_evidence(
    world: World,
    predictions: list[np.ndarray],
    label: np.ndarray,
    draws: np.ndarray,
    test_split: str,
    group_n: np.ndarray | None,
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
            resampled="examples" if group_n is None else "groups",
            units=world.n if group_n is None else world.groups,
            df=effective_units(world.n, group_n) - 1,
            test_split=test_split,
        )
        for name, part in (("a", slice(0, first)), ("b", slice(first, models)))
    }


DRAWINGS = World(name="drawings", n=1000, groups=125, alike=0.62)
VOICES = World(name="voices", n=1000, groups=24, alike=0.1)
RECORDINGS = World(name="recordings", n=1000, groups=56, alike=0.3, unequal=0.5)
PHOTOGRAPHS = World(name="photographs", n=1000, groups=20, alike=0.9)
GROUPED = (DRAWINGS, VOICES, RECORDINGS, PHOTOGRAPHS)
SEEDS = tuple(
    replace(world, seeds=(seeds, seeds), sigma=sigma)
    for world in (World(), *GROUPED)
    for seeds, sigma in ((2, 0.02), (3, 0.02), (3, 0.03))
)
TASK_WORLDS: tuple[World, ...] = (
    *(replace(world, seeds=(1, 1), sigma=0.0, spread=0.0) for world in (World(), *GROUPED)),
    *SEEDS,
    *(World(seeds=(s, s), sigma=0.0, spread=0.0) for s in (2, 3)),
    *(World(seeds=(s, s), spread=0.8) for s in (2, 3)),
    World(seeds=(2, 3)),
    World(seeds=(5, 5)),
    World(seeds=(3, 3), n=100),
    *(World(tasks=k, seeds=(3, 3)) for k in (1, 2, 24)),
    *(World(metric=m, n=300, seeds=(3, 3)) for m in ("auroc", "spearman", "matthews")),
    *(replace(RECORDINGS, metric=m, n=600, seeds=(3, 3)) for m in ("auroc", "spearman", "matthews")),
)
