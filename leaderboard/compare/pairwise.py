"""Compare algorithms on the results they have: every pair, by task, by domain and over all domains.

`compare` reads folders, `compare_contestants` takes what was read already; both give the same `Comparison` for the same
results, and `Comparison.to_json()` is what `dabs compare --format json` prints and what the site embeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from dabs.errors import RequestError
from dabs.leaderboard.compare.aggregates import TaskScores, aggregates, domain_means, rank_rows
from dabs.leaderboard.compare.contestants import Contestant, Key, contestants_of
from dabs.leaderboard.compare.model import (
    INTERVALS,
    PREDICTIONS,
    Comparison,
    Disagreement,
    Entry,
    Estimate,
    Pair,
    Rank,
    TaskComparison,
    Verdict,
)
from dabs.leaderboard.compare.notes import notes_of
from dabs.leaderboard.compare.scores import Evidence, gather, paired, spread_between, steady
from dabs.leaderboard.compare.statistics import holm, mcnemar, paired_proportions, student
from dabs.leaderboard.tables.compatibility import differences, refusal
from dabs.results.schema import MetricRecord

ALPHA = 0.05
RESAMPLES = 10_000
Groups = Callable[[Key, str, str], np.ndarray]  # (domain, task), suite, hash of the test split -> group of each example
Board = dict[Key, dict[str, Evidence]]  # by task, then by contestant


def compare(
    sources: Sequence[str],
    *,
    protocol: str = "linear",
    algorithms: Sequence[str] = (),
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    groups: Groups | None = None,
) -> Comparison:
    """Compare what `contestants_of(sources, protocol, algorithms)` gives; the rest as `compare_contestants`."""
    contestants = contestants_of(sources, protocol, algorithms)
    return compare_contestants(contestants, alpha=alpha, resamples=resamples, groups=groups)


def compare_contestants(
    contestants: Sequence[Contestant],
    *,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    groups: Groups | None = None,
) -> Comparison:
    """Compare every two contestants.

    Args:
        contestants: at least two, all of one protocol.
        alpha: two-sided level of tests; intervals are of 1 - alpha.
        resamples: of test examples, and of tasks.
        groups: gives the group of each test example; whole groups are then resampled (`groups.groups_of`).

    Raises:
        RequestError: results that were not made alike (the message lists what differs), no task in common, groups for
            results without predictions, or an alpha or a number of resamples that make no sense.
        DabsError: predictions that cannot be read or do not belong to their results.
    """
    if not 0 < alpha < 0.5 or resamples < 100:
        raise RequestError(f"alpha must be between 0 and 0.5 (is {alpha}) and resamples at least 100 (is {resamples}).")
    lines = differences({one.name: one.results for one in contestants})
    if lines:
        raise RequestError(refusal(lines))
    if groups:
        _refuse_without_predictions(contestants)
    board, metrics = _board(contestants, resamples, groups)
    tasks = _tasks(board)
    whole = domain_means(board, tasks)
    pairs = [
        _pair((a.name, b.name), board, whole, metrics, tasks, alpha=alpha, resamples=resamples, grouped=bool(groups))
        for a, b in combinations(contestants, 2)
    ]
    first = contestants[0].results[0]
    ranked = rank_rows([one.name for one in contestants], board, tasks, resamples, 1 - alpha)
    return Comparison(
        suite=first.suite,
        protocol=first.protocol,
        alpha=alpha,
        level=1 - alpha,
        resamples=resamples,
        resampled="examples" if groups is None else "groups",
        contestants=tuple(_entry(one) for one in contestants),
        tasks=tasks,
        pairs=tuple(pairs),
        ranks={scope: tuple(Rank(name=n, rank=rank) for n, rank in rows) for scope, rows in ranked.items()},
        notes=notes_of(contestants, pairs, tasks, grouped=bool(groups)),
    )


def _refuse_without_predictions(contestants: Sequence[Contestant]) -> None:
    """Published intervals are over examples, so that without predictions nothing can be said over groups."""
    for one in contestants:
        lacking = [f"{d}/{t}" for (d, t), cell in one.cells.items() if not all(p.has_predictions for p in cell)]
        if lacking:
            more = f" and {len(lacking) - 1} more" if lacking[1:] else ""
            raise RequestError(
                f"groups can only be resampled with predictions, and {one.name} has none for {lacking[0]}{more}. "
                "Compare runs, with the predictions that `dabs eval` wrote beside the results, or leave out --by-group."
            )


def _board(
    contestants: Sequence[Contestant], resamples: int, groups: Groups | None
) -> tuple[Board, dict[Key, MetricRecord]]:
    firsts = {key: one.cells[key][0].result for one in contestants for key in one.cells}
    board, metrics = {}, {}
    for key, result in sorted(firsts.items()):
        group_n = groups(key, result.suite, result.data.sha256.test) if groups else None
        board[key] = gather(contestants, key, resamples=resamples, group_n=group_n)
        metrics[key] = result.metric
    steady(board)
    return board, metrics


def _tasks(board: Board) -> dict[str, tuple[str, ...]]:
    tasks: dict[str, list[str]] = defaultdict(list)
    for domain, task in board:
        tasks[domain].append(task)
    return {domain: tuple(names) for domain, names in tasks.items()}


def _entry(one: Contestant) -> Entry:
    first = one.results[0]
    return Entry(
        name=one.name,
        algorithm=first.algorithm,
        algorithm_sha256=first.algorithm_sha256,
        source=one.source,
        seeds=one.seeds,
        results=len(one.results),
    )


def _pair(
    names: tuple[str, str],
    board: Board,
    whole: Mapping[str, Mapping[str, Evidence]],
    metrics: Mapping[Key, MetricRecord],
    tasks: Mapping[str, Sequence[str]],
    *,
    alpha: float,
    resamples: int,
    grouped: bool,
) -> Pair:
    a, b = names
    both = {key: (found[a], found[b]) for key, found in board.items() if a in found and b in found}
    if not both:
        raise RequestError(f"{a} and {b} have no task in common, so there is nothing to compare.")
    rows = [_task(key, metrics[key], *evidence, alpha=alpha, grouped=grouped) for key, evidence in both.items()]
    corrected = holm([row.difference.p or 0.0 for row in rows])
    judged = tuple(
        replace(row, p_holm=p, verdict=_verdict(row.difference.value, p, alpha))
        for row, p in zip(rows, corrected, strict=True)
    )
    scores = [
        TaskScores(row=row, a=evidence[0], b=evidence[1], metric=metrics[key])
        for row, (key, evidence) in zip(judged, both.items(), strict=True)
    ]
    domains, overall = aggregates(names, scores, whole, tasks, resamples, 1 - alpha)
    return Pair(a=a, b=b, tasks=judged, domains=domains, overall=overall)


def _verdict(difference: float, p: float, alpha: float) -> Verdict:
    if p >= alpha or difference == 0:
        return "tie"
    return "win" if difference > 0 else "loss"


def _task(key: Key, metric: MetricRecord, a: Evidence, b: Evidence, *, alpha: float, grouped: bool) -> TaskComparison:
    """One task; `p_holm` and `verdict` are filled in when all tasks are known."""
    counts = _disagreements(a, b)
    difference, covers, test = _difference(a, b, counts, alpha, grouped)
    return TaskComparison(
        domain=key[0],
        task=key[1],
        metric=metric.name,
        units=a.units,
        a=a.mean,
        b=b.mean,
        seeds_a=a.seeds,
        seeds_b=b.seeds,
        scores_a=tuple(a.scores_S.tolist()),
        scores_b=tuple(b.scores_S.tolist()),
        difference=difference,
        p_holm=1.0,
        verdict="tie",
        basis=PREDICTIONS if paired(a, b) else INTERVALS,
        covers=covers,
        test=test,
        mcnemar=counts,
    )


def _disagreements(a: Evidence, b: Evidence) -> tuple[Disagreement, ...]:
    if a.right_Sn is None or b.right_Sn is None:
        return ()
    found = []
    for seed in sorted(set(a.seeds) & set(b.seeds)):
        right_a, right_b = a.right_Sn[a.seeds.index(seed)], b.right_Sn[b.seeds.index(seed)]
        only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
        found.append(Disagreement(seed=seed, only_a=only_a, only_b=only_b, p=mcnemar(only_a, only_b)))
    return tuple(found)


def _difference(
    a: Evidence, b: Evidence, counts: tuple[Disagreement, ...], alpha: float, grouped: bool
) -> tuple[Estimate, str, str]:
    """The difference, what its interval covers, and the test behind its p."""
    value, level, units = a.mean - b.mean, 1 - alpha, "groups" if grouped else "test examples"
    if len(a.seeds) == len(b.seeds) == len(counts) == 1 and not grouped:
        one = counts[0]
        error = paired_proportions(one.only_a, one.only_b, a.units)
        return replace(student(value, error, a.units - 1, level), p=one.p), units, "exact McNemar"
    spread = spread_between(a, b)
    how = f"paired bootstrap over {units}" if paired(a, b) else "unpaired, from published intervals"
    covers = f"seeds and {units}" if spread.seeds else units
    return spread.estimate(value, level), covers, f"t ({how}{', seeds' if spread.seeds else ''})"
