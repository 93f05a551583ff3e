"""Whether the order of the rows at one budget is their order at another.

Only pairs that `compare` tells apart at both budgets are counted, because the order of two rows that it cannot tell
apart is noise. Pairs of two rows without pretraining are left out: they are the same at every budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dabs.config import without_budget
from dabs.evaluation.reference_rows import SUPERVISED
from dabs.leaderboard.compare.model import OPPOSITE, Comparison, Verdict
from dabs.leaderboard.compare.ranks import columns_of, judge

RESAMPLES = 10_000


@dataclass(frozen=True, kw_only=True)
class PairOrder:
    """Two rows in one domain at two budgets.

    Attributes:
        domain: where they are compared.
        a, b: the rows, without their budgets.
        small, large: a's verdict against b at each budget, a tie where they are not told apart.
    """

    domain: str
    a: str
    b: str
    small: Verdict
    large: Verdict

    @property
    def told_apart(self) -> bool:
        """Whether the two rows are told apart at both budgets."""
        return "tie" not in (self.small, self.large)

    @property
    def changed(self) -> bool:
        """Whether the two rows change places."""
        return self.told_apart and self.small != self.large


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """How far one order tells the other: Kendall's tau over the pairs that are told apart at both budgets.

    Attributes:
        pairs: all pairs of which at least one row was pretrained.
        told_apart: those that are told apart at both budgets.
        changed: those of them that change places.
        tau: (kept − changed) / told_apart, from −1 to 1; None where no pair is told apart.
        low, high: its interval at 95 %.
    """

    pairs: int
    told_apart: int
    changed: int
    tau: float | None
    low: float | None
    high: float | None


def pair_orders(small: Comparison, large: Comparison, *, flat: Collection[str]) -> list[PairOrder]:
    """Return every pair of rows in every domain that both comparisons hold.

    The verdict on a domain is that of the difference of its means, with Holm's correction over the pairs of the domain.

    Args:
        small, large: comparisons of the same rows at two budgets.
        flat: rows without pretraining.
    """
    verdicts = [_verdicts(comparison) for comparison in (small, large)]
    found = []
    for domain, a, b in sorted(verdicts[0].keys() & verdicts[1].keys()):
        if SUPERVISED not in (a, b) and not {a, b} <= set(flat):
            first, second = (found_verdicts[domain, a, b] for found_verdicts in verdicts)
            found.append(PairOrder(domain=domain, a=a, b=b, small=first, large=second))
    return found


def _verdicts(comparison: Comparison) -> dict[tuple[str, str, str], Verdict]:
    """Return a's verdict against b by (domain, a, b), where a's name comes before b's."""
    found: dict[tuple[str, str, str], Verdict] = {}
    columns = columns_of(comparison, [one.name for one in comparison.contestants])
    for domain, differences in columns.items():
        for (a, b, _), verdict in zip(differences, judge(differences, comparison.alpha), strict=True):
            one, other = without_budget(a), without_budget(b)
            if domain is not None:
                key = (domain, one, other) if one < other else (domain, other, one)
                found[key] = verdict if one < other else OPPOSITE[verdict]
    return found


def foresight_of(pairs: Iterable[PairOrder]) -> Foresight:
    """Return tau over some pairs.

    Its interval draws whole domains with replacement. Within a single domain it is the exact one of a share
    (Clopper and Pearson), as if pairs were independent, which they are not: it is too narrow rather than too wide.
    """
    pairs = list(pairs)
    apart = [pair for pair in pairs if pair.told_apart]
    changed = sum(pair.changed for pair in apart)
    tau = low = high = None
    if apart:
        tau = 1 - 2 * changed / len(apart)
        many = len({pair.domain for pair in apart}) > 1
        low, high = _interval_over_domains(apart) if many else _interval_of_share(changed, len(apart))
    return Foresight(pairs=len(pairs), told_apart=len(apart), changed=changed, tau=tau, low=low, high=high)


def _interval_of_share(changed: int, of: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    ends = binomtest(of - changed, of).proportion_ci(0.95, method="exact")
    return 2 * float(ends.low) - 1, 2 * float(ends.high) - 1


def _interval_over_domains(apart: Sequence[PairOrder]) -> tuple[float, float]:
    domains = sorted({pair.domain for pair in apart})
    counts_D2 = np.array(
        [
            [
                sum(pair.domain == domain for pair in apart),
                sum(pair.domain == domain and pair.changed for pair in apart),
            ]
            for domain in domains
        ]
    )
    drawn_RD = np.random.default_rng(0).integers(len(domains), size=(RESAMPLES, len(domains)))
    totals_R2 = counts_D2[drawn_RD].sum(axis=1)
    low, high = np.quantile(1 - 2 * totals_R2[:, 1] / totals_R2[:, 0], [0.025, 0.975])
    return float(low), float(high)
