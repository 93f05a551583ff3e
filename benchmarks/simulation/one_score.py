"""Coverage of three intervals of one accuracy whose examples come in groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from dabs.evaluation.log_odds import log_odds_interval
from dabs.results.bootstrap import effective_units, spread_correction

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class GroupedScore:
    """A model that is right where a latent normal number is below a threshold; a part `alike` of it is the group's."""

    groups: int
    size: int  # mean number of examples in a group
    accuracy: float
    alike: float
    unequal: float = 0.0  # coefficient of variation of the sizes

    def __str__(self) -> str:
        sizes = f"of {self.size}" if not self.unequal else f"of about {self.size}"
        return f"{self.groups} groups {sizes}, accuracy {self.accuracy:.0%}, alike {self.alike:g}"


SCORES = tuple(
    GroupedScore(groups=groups, size=size, accuracy=accuracy, alike=alike, unequal=unequal)
    for groups, size, alike in (
        (10, 50, 0.1),
        (20, 50, 0.1),
        (20, 50, 0.3),
        (56, 20, 0.4),
        (125, 8, 0.6),
        (1000, 1, 0.0),
    )
    for accuracy in (0.5, 0.8, 0.95)
    for unequal in ((0.0, 0.7) if size > 1 else (0.0,))
)


def one_score_row(world: GroupedScore, experiments: int, resamples: int, rng: np.random.Generator) -> list[float]:
    """Return the percentage covered by a percentile interval, by Student's, and by that on the scale of log odds.

    Only the last is the published one: the other two take every group for as large as the others.
    """
    drawn_RG = rng.integers(0, world.groups, (resamples, world.groups))
    weights_RG = np.stack([np.bincount(drawn, minlength=world.groups) for drawn in drawn_RG]).astype(float)
    hits = []
    for _ in range(experiments):
        sizes_G, right_G = _draw(world, rng)
        draws_R = (weights_RG @ right_G) / (weights_RG @ sizes_G)
        score, count = right_G.sum() / sizes_G.sum(), int(sizes_G.sum())
        tails = np.percentile(draws_R, [2.5, 97.5])
        half = t.ppf((1 + LEVEL) / 2, world.groups - 1) * draws_R.std() * spread_correction(world.groups)
        units = effective_units(count, np.repeat(np.arange(world.groups), sizes_G))
        error = float(draws_R.std() * spread_correction(units))
        low, high = log_odds_interval(score, error, units - 1, LEVEL, (0.0, 1.0), world.groups)
        truth = world.accuracy
        hits.append([tails[0] <= truth <= tails[1], abs(score - truth) <= half, low <= truth <= high])
    return list(100 * np.mean(hits, axis=0))


def _draw(world: GroupedScore, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of examples, and of right answers, in each group."""
    sizes_G = np.full(world.groups, world.size)
    if world.unequal:
        drawn_G = rng.gamma(world.unequal**-2, world.size * world.unequal**2, world.groups)
        sizes_G = np.maximum(1, np.round(drawn_G)).astype(int)
    group_G = np.sqrt(world.alike) * rng.standard_normal(world.groups)
    share_G = norm.cdf((norm.ppf(world.accuracy) - group_G) / np.sqrt(1 - world.alike))
    return sizes_G, rng.binomial(sizes_G, share_G).astype(float)
