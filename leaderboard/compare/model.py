"""The model of a comparison: numbers for every pair, and their JSON.

`dabs compare --format json` prints `Comparison.to_json()`; the site writes the pairs in the same form. `a` comes before
`b` in the order of `contestants`; `Pair.swapped()` is the same pair seen from the other side.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

FORMAT_VERSION = 2
# where the noise of a difference from the test examples is taken from:
PAIRED_PREDICTIONS = "paired predictions"  # both models' answers to each example
PUBLISHED_INTERVALS = "published intervals"  # without predictions, the two scores' own intervals as if independent
Verdict = Literal["win", "tie", "loss"]
OPPOSITE: dict[Verdict, Verdict] = {"win": "loss", "tie": "tie", "loss": "win"}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its uncertainty.

    Attributes:
        value: the estimate.
        low, high: ends of the interval; None where it cannot be computed (one task, no seeds).
        error: standard error.
        df: degrees of freedom of the interval's t distribution; None for other intervals.
        p: two-sided p of "the number is zero"; None where nothing was tested.
    """

    value: float
    low: float | None = None
    high: float | None = None
    error: float | None = None
    df: float | None = None
    p: float | None = None

    def mirrored(self, around: float = 0.0) -> Estimate:
        """Return the estimate for the swapped pair: `2 * around - value`."""
        low, high = (None if end is None else 2 * around - end for end in (self.high, self.low))
        return replace(self, value=2 * around - self.value, low=low, high=high)

    def shifted(self, by: float) -> Estimate:
        """Return the estimate of `value + by`; p still tests the old zero."""
        low, high = (None if end is None else end + by for end in (self.low, self.high))
        return replace(self, value=self.value + by, low=low, high=high)

    def without_p(self) -> Estimate:
        """Return the estimate without p, for a number for which zero means nothing."""
        return replace(self, p=None)


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """McNemar's test of two models with the same seed: the number of examples that only a or only b gets right."""

    seed: int
    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True, kw_only=True)
class TaskComparison:
    """Two contestants on one task.

    Attributes:
        a, b: mean scores over seeds; `scores_a` and `scores_b` hold one score per seed.
        difference: a minus b.
        p_holm: `difference.p` after Holm's correction over the pair's tasks; None where p is missing.
        verdict: a's, by `p_holm` at the stated alpha; a tie where p is missing.
        basis: `PAIRED_PREDICTIONS` or `PUBLISHED_INTERVALS`.
        covers: the sources of uncertainty in the interval: "test examples", "seeds and test examples".
        test: the test behind p, in words.
        mcnemar: for accuracy with predictions, one item per seed that both have.
        resampled: "examples", or "groups" where examples share one.
        units: number of test examples, or of groups where groups are resampled.
    """

    domain: str
    task: str
    metric: str
    resampled: str
    units: int
    a: float
    b: float
    seeds_a: tuple[int, ...]
    seeds_b: tuple[int, ...]
    scores_a: tuple[float, ...]
    scores_b: tuple[float, ...]
    difference: Estimate
    p_holm: float | None
    verdict: Verdict
    basis: str
    covers: str
    test: str
    mcnemar: tuple[Disagreement, ...]

    def swapped(self) -> TaskComparison:
        """Return the comparison of b with a."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            seeds_a=self.seeds_b,
            seeds_b=self.seeds_a,
            scores_a=self.scores_b,
            scores_b=self.scores_a,
            difference=self.difference.mirrored(),
            verdict=OPPOSITE[self.verdict],
            mcnemar=tuple(replace(m, only_a=m.only_b, only_b=m.only_a) for m in self.mcnemar),
        )


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """Two contestants over the tasks of a domain, or over all domains with equal weights.

    Attributes:
        scope: the domain, or "all domains".
        tasks: number of tasks that both have.
        complete: no task is missing; otherwise there are no means.
        wins, ties, losses: a's, by the verdicts on the tasks.
        a, b: means, as in the table.
        difference: a minus b, with the uncertainty from seeds and test examples.
        over_tasks: the same difference, with the uncertainty from the choice of tasks.
        improvement: probability that a run of a scores above a run of b, averaged over tasks (rliable).
        iqm_a, iqm_b, iqm_difference: interquartile mean over all runs and tasks of (score - chance) / (high - chance).
    """

    scope: str
    tasks: int
    complete: bool
    wins: int
    ties: int
    losses: int
    a: float | None = None
    b: float | None = None
    difference: Estimate | None = None
    over_tasks: Estimate | None = None
    improvement: Estimate | None = None
    iqm_a: float | None = None
    iqm_b: float | None = None
    iqm_difference: Estimate | None = None

    def swapped(self) -> Aggregate:
        """Return the comparison of b with a."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            wins=self.losses,
            losses=self.wins,
            iqm_a=self.iqm_b,
            iqm_b=self.iqm_a,
            difference=self.difference and self.difference.mirrored(),
            over_tasks=self.over_tasks and self.over_tasks.mirrored(),
            improvement=self.improvement and self.improvement.mirrored(0.5),
            iqm_difference=self.iqm_difference and self.iqm_difference.mirrored(),
        )


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two contestants: every task that both have, every domain, and all domains together."""

    a: str
    b: str
    tasks: tuple[TaskComparison, ...]
    domains: tuple[Aggregate, ...]
    overall: Aggregate

    def swapped(self) -> Pair:
        """Return the same pair with the sides exchanged."""
        return Pair(
            a=self.b,
            b=self.a,
            tasks=tuple(task.swapped() for task in self.tasks),
            domains=tuple(domain.swapped() for domain in self.domains),
            overall=self.overall.swapped(),
        )


@dataclass(frozen=True, kw_only=True)
class ContestantRecord:
    """A contestant's name in this comparison, its algorithm, and where its results came from."""

    name: str
    algorithm: str
    algorithm_sha256: str
    source: str
    seeds: tuple[int, ...]
    results: int


@dataclass(frozen=True, kw_only=True)
class Rank:
    """Mean rank over tasks with its interval over tasks; 1 is best, ties share their rank."""

    name: str
    rank: Estimate


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All pairs of contestants on one suite under one protocol.

    Attributes:
        alpha: level of the tests.
        level: confidence level of the intervals, 1 - alpha.
        resamples: number of bootstrap resamples.
        tasks: for each domain that is compared, the tasks that any contestant has.
        left_out: for each domain that is not compared because its results were made under different conditions, why;
            "all domains" are the others.
        pairs: all pairs, in the order of `contestants`.
        ranks: by scope (a domain, or "all domains"), over the tasks that all have; empty for two contestants.
        notes: caveats for the reader: what could not be computed, and which differences are allowed but matter.
    """

    suite: str
    protocol: str
    alpha: float
    level: float
    resamples: int
    contestants: tuple[ContestantRecord, ...]
    tasks: dict[str, tuple[str, ...]]
    left_out: dict[str, str]
    pairs: tuple[Pair, ...]
    ranks: dict[str, tuple[Rank, ...]]
    notes: tuple[str, ...]

    def pair(self, a: str, b: str) -> Pair:
        """Return the pair of two contestants, in either order.

        Raises:
            KeyError: one of the two is not in the comparison.
        """
        for pair in self.pairs:
            if (pair.a, pair.b) == (a, b):
                return pair
            if (pair.a, pair.b) == (b, a):
                return pair.swapped()
        raise KeyError((a, b))

    def to_json(self) -> dict[str, Any]:
        """Return plain values: every field under its name, and `format`."""
        return {"format": FORMAT_VERSION, **_plain(asdict(self))}


def _plain(value: Any) -> Any:
    """Turn tuples into lists, which is how JSON reads back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
