"""The variance of a mean score from test data and seeds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

MIN_GROUPS = 10  # with fewer, the groups can agree by luck and make their variance look small
PRIOR_DF = 2.0  # degrees of freedom that the mean variance over tasks adds to a task's own seeds
SeedVariance = tuple[float, float] | None  # variance of one seed's score and its degrees of freedom; None for one seed
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class ScoreVariance:
    """The variance of a mean score, or of the difference between two, split by where it comes from.

    Attributes:
        examples: from the choice of test examples (or groups), for exactly these models.
        shared: the part of `examples` that all seeds share, which more seeds would not reduce.
        df: degrees of freedom of `shared` and `examples`: test examples (or groups) less one.
        seeds: for each algorithm whose seeds vary, (variance of its mean, degrees of freedom). Each includes the effect
            of the examples on single seeds.
    """

    examples: float
    shared: float
    df: float
    seeds: tuple[tuple[float, float], ...] = ()

    @property
    def total(self) -> float:
        """The whole variance, never less than that from the examples alone."""
        return max(self.shared + sum(part for part, _ in self.seeds), self.examples)

    @property
    def total_df(self) -> float:
        """Satterthwaite's (1946) degrees of freedom of `total`, at least those of its least certain part.

        With fewer than `MIN_GROUPS` groups, they are at most those of the groups.
        """
        parts = [*self.seeds, (self.shared, self.df)] if self.seeds else [(self.examples, self.df)]
        doubt = sum(part**2 / df for part, df in parts)
        least = min(df for part, df in parts if part > 0 or doubt == 0)
        total_df = max(least, self.total**2 / doubt) if doubt > 0 else self.df
        return min(total_df, self.df) if self.df < MIN_GROUPS - 1 else total_df


def variance_of_mean(variances: Sequence[ScoreVariance]) -> ScoreVariance:
    """Return the variance of the mean of independent scores or differences."""
    scale = 1 / len(variances) ** 2
    shared = [one.shared for one in variances]
    doubt = sum(one.shared**2 / one.df for one in variances)
    return ScoreVariance(
        examples=scale * sum(one.examples for one in variances),
        shared=scale * sum(shared),
        df=sum(shared) ** 2 / doubt if doubt > 0 else max(one.df for one in variances),
        seeds=tuple((scale * part, df) for one in variances for part, df in one.seeds),
    )


def shrink_variances(variances: Sequence[float], dfs: Sequence[float]) -> list[tuple[float, float]]:
    """Shrink one algorithm's seed variances, one per task, towards their mean.

    Two seeds can agree by luck, which would make the task look certain. The mean over tasks therefore counts as
    `PRIOR_DF` further degrees of freedom for every task (fewer when there are too few other tasks). It is the
    arithmetic mean, which guards against tasks whose seeds really do differ more. This follows Smyth (2004), with a
    fixed prior in place of an estimated one.

    Args:
        variances: sample variance over seeds on each task.
        dfs: its degrees of freedom.

    Returns:
        The shrunk variance and its degrees of freedom for each task.
    """
    total_df = sum(dfs)
    mean = sum(variance * df for variance, df in zip(variances, dfs, strict=True)) / total_df if total_df else 0.0
    shrunk = []
    for variance, df in zip(variances, dfs, strict=True):
        prior_df = min(PRIOR_DF, total_df - df)
        shrunk.append(((prior_df * mean + df * variance) / (prior_df + df), prior_df + df))
    return shrunk


def shrink_all(variances: Mapping[Key, SeedVariance]) -> dict[Key, SeedVariance]:
    """Return `shrink_variances` of those that are known; the others stay None."""
    known = {key: found for key, found in variances.items() if found is not None}
    shrunk = shrink_variances([found[0] for found in known.values()], [found[1] for found in known.values()])
    return dict.fromkeys(variances) | dict(zip(known, shrunk, strict=True))
