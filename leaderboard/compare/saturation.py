"""Whether more steps still help a row, or whether it learns examples by heart.

What a budget adds is the paired difference between a row at that budget and the same row at the one below, as `compare`
tests it. Whether a run learns by heart is read from the loss of its objective on inputs that it does not train on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from dabs.config import without_budget
from dabs.evaluation.reference_rows import SUPERVISED
from dabs.leaderboard.compare.contestants import Contestant
from dabs.leaderboard.compare.model import Estimate, Verdict
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.compare.ranks import columns_of, judge
from dabs.results.schema import Pretraining

STANDARD = 1.0  # the budget that a plain run has
BY_HEART = 1.05  # a held-out loss that ends at this multiple of its lowest value has risen


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A row's mean of a domain at one budget less the same or another row's at another.

    Attributes:
        difference: of scores from 0 to 1.
        verdict: a win where it is above zero by the test, after Holm's correction over all gains of one kind.
    """

    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The loss on unseen inputs in the runs of a row in a domain at one budget, mean over seeds.

    Attributes:
        rise: its last value over its lowest one.
        gap: its last value over the training loss at the end.
    """

    rise: float
    gap: float

    @property
    def by_heart(self) -> bool:
        """Whether the loss has risen again, as it does where a run learns its examples by heart."""
        return self.rise > BY_HEART


Cell = tuple[str, str]  # domain, row without its budget


@dataclass(frozen=True, kw_only=True)
class Saturation:
    """What more steps do in each domain.

    Attributes:
        budgets: those of which there are results, ascending.
        gains: by (smaller, larger) of two neighbouring budgets, and of the standard and the largest one; then by cell.
        reached: a row of several budgets less the supervised one at its largest budget, by cell.
        held_out: at each row's largest budget, by cell.
    """

    budgets: tuple[float, ...]
    gains: Mapping[tuple[float, float], Mapping[Cell, Gain]]
    reached: Mapping[Cell, Gain]
    held_out: Mapping[Cell, HeldOut]


def find_saturation(contestants: Sequence[Contestant]) -> Saturation:
    """Compare each pretrained row with itself at the budget below, and with the supervised one.

    Args:
        contestants: the rows of one protocol at every budget.

    Raises:
        RequestError, DabsError: as `compare_contestants` does.
    """
    rows: dict[str, dict[float, Contestant]] = {}  # by name and budget
    for one in contestants:
        budget = one.results[0].budget
        if budget is not None:
            rows.setdefault(without_budget(one.name), {})[budget] = one
    budgets = sorted({budget for own in rows.values() for budget in own})
    last = {name: own[max(own)] for name, own in rows.items()}
    guided = rows.get(SUPERVISED, {})
    return Saturation(
        budgets=tuple(budgets),
        gains={
            (small, large): _gains((own[large], own[small]) for own in rows.values() if {small, large} <= own.keys())
            for small, large in _steps(budgets)
        },
        reached=_gains(
            (last[name], guided[max(own)])
            for name, own in rows.items()
            if name != SUPERVISED and len(own) > 1 and max(own) in guided
        ),
        held_out={(domain, name): found for name, one in last.items() for domain, found in _held_out(one).items()},
    )


def _steps(budgets: Sequence[float]) -> list[tuple[float, float]]:
    """Return each budget with the next one, and the standard with the largest one where others lie between."""
    steps = list(pairwise(budgets))
    whole = (STANDARD, budgets[-1]) if STANDARD in budgets[:-1] else None
    return steps if whole is None or whole in steps else [*steps, whole]


def _gains(pairs: Iterable[tuple[Contestant, Contestant]]) -> dict[Cell, Gain]:
    """Return the differences of some pairs by the first one's cell, judged together."""
    cells: list[Cell] = []
    differences: list[tuple[str, str, Estimate]] = []
    for pair in pairs:
        comparison = compare_contestants(pair)
        for domain, found in columns_of(comparison, [one.name for one in pair]).items():
            if domain is not None:
                cells += [(domain, without_budget(a)) for a, _, _ in found]
                differences += found
    verdicts = judge(differences)
    return {
        cell: Gain(difference=estimate, verdict=verdict)
        for cell, (_, _, estimate), verdict in zip(cells, differences, verdicts, strict=True)
    }


def _held_out(one: Contestant) -> dict[str, HeldOut]:
    """Return what a row's runs say of unseen inputs, by domain; nothing without a check or with a negative loss."""
    runs: dict[str, dict[int, Pretraining]] = {}
    for result in one.results:
        if result.pretraining.held_out:
            runs.setdefault(result.domain, {})[result.seed] = result.pretraining
    found = {}
    for domain, of_seeds in runs.items():
        curves = [[loss for _, loss in run.held_out] for run in of_seeds.values()]
        ends = [run.learning.ending["loss"] for run in of_seeds.values()]
        if min(*ends, *(loss for curve in curves for loss in curve)) <= 0:  # a ratio would say nothing
            continue
        found[domain] = HeldOut(
            rise=fmean(curve[-1] / min(curve) for curve in curves),
            gap=fmean(curve[-1] / end for curve, end in zip(curves, ends, strict=True)),
        )
    return found
