"""What a comparison holds: numbers for every pair of contestants, and the JSON that the command and the site share.

The site embeds `Comparison.to_json()` of the algorithms it shows (all pairs are in it, `a` before `b` in the order of
`contestants`) and its compare view only looks a pair up; for the pair the other way round it takes `Pair.swapped()`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

FORMAT = 1
PREDICTIONS = "paired predictions"  # the example noise of a difference comes from both models' answers to each example
INTERVALS = "published intervals"  # there are no predictions: the two scores' own intervals, taken as independent
Verdict = Literal["win", "tie", "loss"]
SWAPPED: dict[Verdict, Verdict] = {"win": "loss", "tie": "tie", "loss": "win"}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its uncertainty.

    Attributes:
        value: the estimate.
        low, high: ends of the interval; None where nothing can be said (one task, no seeds).
        error: standard error.
        df: degrees of freedom of the t distribution that the interval uses; None for other intervals.
        p: two-sided p of "the number is zero"; None where it is not a test.
    """

    value: float
    low: float | None = None
    high: float | None = None
    error: float | None = None
    df: float | None = None
    p: float | None = None

    def mirrored(self, around: float = 0.0) -> Estimate:
        """The same for the pair the other way round: `2 * around - value`."""
        low, high = (None if end is None else 2 * around - end for end in (self.high, self.low))
        return replace(self, value=2 * around - self.value, low=low, high=high)

    def shifted(self, by: float) -> Estimate:
        """The same for `value + by`; p stays that of the old zero."""
        low, high = (None if end is None else end + by for end in (self.low, self.high))
        return replace(self, value=self.value + by, low=low, high=high)

    def untested(self) -> Estimate:
        """Without p, for a number whose being zero means nothing."""
        return replace(self, p=None)


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """McNemar's test for two models of one seed: on how many examples only one of the two is right."""

    seed: int
    only_a: int
    only_b: int
    p: float


@dataclass(frozen=True, kw_only=True)
class TaskComparison:
    """Two contestants on one task.

    Attributes:
        a, b: mean scores over seeds; `scores_a`, `scores_b` are those of the seeds.
        difference: a less b.
        p_holm: `difference.p` after Holm's correction over the pair's tasks.
        verdict: of a, at the stated alpha, by `p_holm`.
        basis: `PREDICTIONS` or `INTERVALS`.
        covers: what the interval allows for: "test examples", "seeds and test examples".
        test: the test behind p, in words.
        mcnemar: for accuracy with predictions: each seed that both have.
        units: how many test examples (or groups, when these are resampled) the uncertainty comes from.
    """

    domain: str
    task: str
    metric: str
    units: int
    a: float
    b: float
    seeds_a: tuple[int, ...]
    seeds_b: tuple[int, ...]
    scores_a: tuple[float, ...]
    scores_b: tuple[float, ...]
    difference: Estimate
    p_holm: float
    verdict: Verdict
    basis: str
    covers: str
    test: str
    mcnemar: tuple[Disagreement, ...]

    def swapped(self) -> TaskComparison:
        """b against a."""
        return replace(
            self,
            a=self.b,
            b=self.a,
            seeds_a=self.seeds_b,
            seeds_b=self.seeds_a,
            scores_a=self.scores_b,
            scores_b=self.scores_a,
            difference=self.difference.mirrored(),
            verdict=SWAPPED[self.verdict],
            mcnemar=tuple(replace(m, only_a=m.only_b, only_b=m.only_a) for m in self.mcnemar),
        )


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """Two contestants over the tasks of a domain, or over all domains (each counting the same).

    Attributes:
        scope: the domain, or "all domains".
        tasks: how many both have. complete: whether no task is missing; without it there are no means.
        a, b, difference: means as in the table, and their difference; uncertain by seeds and test examples.
        over_tasks: the same difference, uncertain by the choice of tasks.
        wins, ties, losses: of a, by the tasks' verdicts.
        improvement: probability that a run of a scores above a run of b, mean over tasks (rliable).
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
        """b against a."""
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
    """One contestant against another: every task both have, every domain, and all domains together."""

    a: str
    b: str
    tasks: tuple[TaskComparison, ...]
    domains: tuple[Aggregate, ...]
    overall: Aggregate

    def swapped(self) -> Pair:
        """The pair the other way round."""
        return Pair(
            a=self.b,
            b=self.a,
            tasks=tuple(task.swapped() for task in self.tasks),
            domains=tuple(domain.swapped() for domain in self.domains),
            overall=self.overall.swapped(),
        )


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One contestant: its name in this comparison, where its results came from, and what they are of."""

    name: str
    algorithm: str
    algorithm_sha256: str
    source: str
    seeds: tuple[int, ...]
    results: int


@dataclass(frozen=True, kw_only=True)
class Rank:
    """Mean rank over tasks (1 is best, ties share), with its interval over tasks."""

    name: str
    rank: Estimate


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All pairs of contestants on one suite under one protocol.

    Attributes:
        tasks: the tasks of each domain that any contestant has.
        pairs: every two contestants, in the order of `contestants`.
        ranks: by scope (a domain, or "all domains"), over the tasks that all have; empty for two contestants.
        resampled: "examples" or "groups".
        notes: what a reader must know: what could not be computed, and what differs without forbidding the comparison.
    """

    suite: str
    protocol: str
    alpha: float
    level: float
    resamples: int
    resampled: str
    contestants: tuple[Entry, ...]
    tasks: dict[str, tuple[str, ...]]
    pairs: tuple[Pair, ...]
    ranks: dict[str, tuple[Rank, ...]]
    notes: tuple[str, ...]

    def pair(self, a: str, b: str) -> Pair:
        """The pair of two contestants, either way round.

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
        """Plain values: every field by its name, and `format`."""
        return {"format": FORMAT, **_plain(asdict(self))}


def _plain(value: Any) -> Any:
    """Tuples as lists, as a reader of the JSON would meet them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
