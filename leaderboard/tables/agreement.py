"""How far protocols agree on the order of rows, and which settings they choose."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from dabs.evaluation.reference_rows import SUPERVISED
from dabs.leaderboard.tables.aggregate import Table, build_table, protocols_of
from dabs.results.schema import Result

MIN_ROWS = 3  # the order of two rows is a coin toss
GRIDS = {"C": "strengths", "lr": "learning_rates"}  # a chosen setting -> the name of its grid in the protocol's config


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Kendall's tau-b between the orders of the rows under two protocols.

    Attributes:
        first, second: the protocols.
        rows: the number of rows that have a mean over all domains under both.
        domains: tau in each domain in which it is defined: `MIN_ROWS` rows, which are not all equal.
        overall: tau of the means over all domains; None where it is not defined.
    """

    first: str
    second: str
    rows: int
    domains: Mapping[str, float]
    overall: float | None

    @property
    def mean(self) -> float | None:
        """The mean of tau over the domains; None without any."""
        return statistics.fmean(self.domains.values()) if self.domains else None


@dataclass(frozen=True, kw_only=True)
class Share:
    """A count out of a number of results."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        """The share, from 0 to 1; None of nothing."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True, kw_only=True)
class EdgeChoices:
    """How often a protocol chose the lowest and the highest value of a grid on validation."""

    protocol: str
    setting: str
    lowest: Share
    highest: Share


def agreements(results: Sequence[Result]) -> list[Agreement]:
    """Return the agreement of each pair of protocols that have results, over all rows trained without labels."""
    unlabelled = [result for result in results if result.algorithm != SUPERVISED]
    tables = [build_table(unlabelled, protocol) for protocol in protocols_of(unlabelled)]
    return [_agreement(a, b) for a, b in combinations(tables, 2)]


def _agreement(a: Table, b: Table) -> Agreement:
    names = [name for name in a.algorithms if name in b.algorithms]
    domains = {}
    for domain in a.tasks:
        tau = _tau([(a.domain_mean(name, domain), b.domain_mean(name, domain)) for name in names])
        if tau is not None:
            domains[domain] = tau
    overall = [(a.overall(name), b.overall(name)) for name in names]
    return Agreement(
        first=a.protocol,
        second=b.protocol,
        rows=sum(None not in pair for pair in overall),
        domains=domains,
        overall=_tau(overall),
    )


def _tau(pairs: Sequence[tuple[float | None, float | None]]) -> float | None:
    from scipy.stats import kendalltau

    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    if len(known) < MIN_ROWS:
        return None
    tau = float(kendalltau(*zip(*known, strict=True), variant="b").statistic)
    return None if math.isnan(tau) else tau


def edge_choices(results: Sequence[Result]) -> list[EdgeChoices]:
    """Return how often each protocol chose an end of its grid, over all results that state a choice and its grid.

    The supervised row under fine-tuning is its own head, for which nothing was chosen.
    """
    found = []
    for protocol in protocols_of(results):
        own = [r for r in results if r.protocol == protocol and (r.algorithm, protocol) != (SUPERVISED, "finetune")]
        for setting, grid_name in GRIDS.items():
            stated = [result for result in own if _grid(result, grid_name) and setting in result.selected]
            chosen = [(result.selected[setting], _grid(result, grid_name)) for result in stated]
            if chosen:
                low, high = (sum(value == end(grid) for value, grid in chosen) for end in (min, max))
                shares = [Share(count=count, of=len(chosen)) for count in (low, high)]
                found.append(EdgeChoices(protocol=protocol, setting=setting, lowest=shares[0], highest=shares[1]))
    return found


def _grid(result: Result, name: str) -> list[Any]:
    values = result.evaluation.config.get(name)
    return values if isinstance(values, list) else []


def finetuned_at_least_probed(results: Sequence[Result]) -> Share:
    """Return in how many results fine-tuning scores at least the linear probe of the same row and seed on the task.

    The supervised encoder is left out: its row under fine-tuning is its own head.
    """
    scores = {
        (r.protocol, r.algorithm, r.domain, r.task, r.seed): r.score for r in results if r.algorithm != SUPERVISED
    }
    pairs = [
        (score, scores["linear", algorithm, domain, task, seed])
        for (protocol, algorithm, domain, task, seed), score in scores.items()
        if protocol == "finetune" and ("linear", algorithm, domain, task, seed) in scores
    ]
    return Share(count=sum(tuned >= probed for tuned, probed in pairs), of=len(pairs))
