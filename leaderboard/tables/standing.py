"""Where an algorithm stands between the reference rows; runs that did not learn."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from dabs.evaluation.reference_rows import RANDOM, SUPERVISED
from dabs.leaderboard.tables.aggregate import CellMean, Table

MAX_NAME = 40  # letters of a row's name in a sentence
MIN_GAP = 0.01  # between the random and the supervised encoder; a share of less would be noise


def has_gap(table: Table) -> bool:
    """Return whether the table has both ends of the gap, the random and the supervised encoder."""
    return {RANDOM, SUPERVISED} <= set(table.algorithms)


def gap_closed(table: Table, algorithm: str, domain: str | None = None) -> float | None:
    """Return the share of the gap between the random and the supervised encoder that an algorithm closes.

    Args:
        table: the table of one protocol.
        algorithm: one of its rows.
        domain: the domain whose means are compared; by default the means of all domains.

    Returns:
        0 at the random encoder and 1 at the supervised one, below 0 or above 1 outside them. None for these two
        themselves, where a mean is missing, and where the supervised encoder is not ahead by `MIN_GAP`.
    """
    if algorithm in (RANDOM, SUPERVISED) or not has_gap(table):
        return None
    own, floor, ceiling = (
        table.overall(name) if domain is None else table.domain_mean(name, domain)
        for name in (algorithm, RANDOM, SUPERVISED)
    )
    if own is None or floor is None or ceiling is None or ceiling - floor < MIN_GAP:
        return None
    return (own - floor) / (ceiling - floor)


def domains_won(table: Table, algorithm: str, baseline: str) -> tuple[str, ...]:
    """Return the domains whose mean exceeds the baseline's by more than the spread over seeds.

    The spread is the larger of the two ranges of the domain's mean over seeds.
    """
    won = []
    for domain in table.counted:
        own, other = table.domain_mean(algorithm, domain), table.domain_mean(baseline, domain)
        if own is None or other is None:
            continue
        if own - other > max(_spread(table, algorithm, domain), _spread(table, baseline, domain)):
            won.append(domain)
    return tuple(won)


def _spread(table: Table, algorithm: str, domain: str) -> float:
    """Return the range over seeds of the domain's mean, from the seeds that every task has."""
    means = seed_means(table, algorithm, domain).values()
    return max(means) - min(means) if means else 0.0


def seed_means(table: Table, algorithm: str, domain: str | None = None) -> dict[int, float]:
    """Return the mean of a domain, or of all domains, for each seed that all of their tasks have, ascending."""
    if domain is None:
        return _shared_means([seed_means(table, algorithm, name) for name in table.counted])
    cells = [table.cell(algorithm, domain, task) for task in table.tasks[domain]]
    return _shared_means([dict(zip(cell.seeds, cell.scores, strict=True)) if cell else {} for cell in cells])


def _shared_means(scores: Sequence[dict[int, float]]) -> dict[int, float]:
    """Return the mean of some scores for each seed that all of them have."""
    shared = set.intersection(*(set(found) for found in scores)) if scores else set()
    return {seed: statistics.fmean(found[seed] for found in scores) for seed in sorted(shared)}


def cut_name(name: str) -> str:
    """Return the name of a row for use in a sentence, which a submission's long name must not fill."""
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


@dataclass(frozen=True, kw_only=True)
class FailedRuns:
    """The runs of an algorithm in a domain, or on one task of it, that did not learn.

    Attributes:
        algorithm: the row.
        place: the domain, or domain/task where each task has its own run.
        failed: the number of seeds whose run did not learn.
        seeds: the number of all seeds.
        reason: why the first of them did not learn.
    """

    algorithm: str
    place: str
    failed: int
    seeds: int
    reason: str

    def __str__(self) -> str:
        """Say which runs, how many, and why."""
        count = f"{self.failed} of {self.seeds} seed{'s' * (self.seeds != 1)}"
        return f"{cut_name(self.algorithm)} on {self.place} ({count}: {self.reason})"


def failed_runs(table: Table, algorithm: str | None = None) -> list[FailedRuns]:
    """Return the runs that did not learn, of one row or of all, in the order of the table."""
    rows = table.algorithms if algorithm is None else (algorithm,)
    found = []
    for name in rows:
        for domain, tasks in table.tasks.items():
            cells = [cell for task in tasks if (cell := table.cell(name, domain, task)) and cell.failed]
            found += _describe_failures(name, domain, cells)
    return found


def _describe_failures(algorithm: str, domain: str, cells: Sequence[CellMean]) -> list[FailedRuns]:
    by_task = algorithm == SUPERVISED  # it is trained anew for every task; other runs serve all tasks of a domain
    return [
        FailedRuns(
            algorithm=algorithm,
            place=f"{domain}/{cell.task}" if by_task else domain,
            failed=len(cell.failed),
            seeds=len(cell.seeds),
            reason=cell.reasons[0],
        )
        for cell in (cells if by_task else cells[:1])
    ]
