"""Compare every pair of algorithms by task, by domain and over all domains.

`compare` reads folders; `compare_contestants` takes contestants that were read already. Both return the same
`Comparison` for the same results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from dabs.errors import RequestError
from dabs.leaderboard.compare.aggregates import TaskScores, aggregate_pair, domain_evidence, mean_ranks
from dabs.leaderboard.compare.contestants import Contestant, TaskKey, load_contestants
from dabs.leaderboard.compare.model import (
    PAIRED_PREDICTIONS,
    PUBLISHED_INTERVALS,
    Comparison,
    ContestantRecord,
    Disagreement,
    Estimate,
    Pair,
    Rank,
    TaskComparison,
    Verdict,
)
from dabs.leaderboard.compare.notes import notes_of
from dabs.leaderboard.compare.scores import Evidence, gather_evidence, is_paired, shrink_seed_variance, variance_between
from dabs.leaderboard.compare.statistics import holm_correction, mcnemar_p, paired_proportions_error, student_estimate
from dabs.leaderboard.tables.compatibility import differences, refusal
from dabs.results.schema import MetricRecord

ALPHA = 0.05
RESAMPLES = 10_000
GroupReader = Callable[[TaskKey, str, str], np.ndarray]  # task, suite, hash of the test split -> group of each example
EvidenceByTask = dict[TaskKey, dict[str, Evidence]]  # then by contestant


def compare(
    sources: Sequence[str],
    *,
    protocol: str = "linear",
    algorithms: Sequence[str] = (),
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    groups: GroupReader | None = None,
) -> Comparison:
    """Compare the contestants of some folders.

    Args:
        sources, protocol, algorithms: as for `load_contestants`.
        alpha, resamples, groups: as for `compare_contestants`.

    Raises:
        RequestError, DabsError: as these two do.
    """
    contestants = load_contestants(sources, protocol, algorithms)
    return compare_contestants(contestants, alpha=alpha, resamples=resamples, groups=groups)


def compare_contestants(
    contestants: Sequence[Contestant],
    *,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    groups: GroupReader | None = None,
) -> Comparison:
    """Compare every pair of contestants.

    Args:
        contestants: at least two, all of one protocol.
        alpha: two-sided level of the tests; the intervals have level 1 - alpha.
        resamples: number of resamples of test examples, and of tasks.
        groups: returns the group of each test example (`groups.groups_of`), to resample whole groups.

    Raises:
        RequestError: the results were made under different conditions (the message lists them), two contestants have no
            task in common, groups were asked for without predictions, or alpha or resamples is out of range.
        DabsError: predictions cannot be read or do not belong to their results.
    """
    if not 0 < alpha < 0.5 or resamples < 100:
        raise RequestError(
            f"alpha must be between 0 and 0.5 (got {alpha}) and resamples at least 100 (got {resamples})."
        )
    lines = differences({one.name: one.results for one in contestants})
    if lines:
        raise RequestError(refusal(lines))
    if groups:
        _refuse_without_predictions(contestants)
    by_task, metrics = _gather_all(contestants, resamples, groups)
    tasks = _tasks_by_domain(by_task)
    by_domain = domain_evidence(by_task, tasks)
    pairs = [
        _compare_pair(
            (a.name, b.name),
            by_task,
            by_domain,
            metrics,
            tasks,
            alpha=alpha,
            resamples=resamples,
            grouped=bool(groups),
        )
        for a, b in combinations(contestants, 2)
    ]
    first = contestants[0].results[0]
    ranks = mean_ranks([one.name for one in contestants], by_task, tasks, resamples, 1 - alpha)
    return Comparison(
        suite=first.suite,
        protocol=first.protocol,
        alpha=alpha,
        level=1 - alpha,
        resamples=resamples,
        resampled="examples" if groups is None else "groups",
        contestants=tuple(_record(one) for one in contestants),
        tasks=tasks,
        pairs=tuple(pairs),
        ranks={scope: tuple(Rank(name=n, rank=rank) for n, rank in rows) for scope, rows in ranks.items()},
        notes=notes_of(contestants, pairs, tasks, grouped=bool(groups)),
    )


def _refuse_without_predictions(contestants: Sequence[Contestant]) -> None:
    """Refuse groups for results without predictions, whose published intervals are over single examples."""
    for one in contestants:
        lacking = [f"{d}/{t}" for (d, t), cell in one.cells.items() if not all(p.has_predictions for p in cell)]
        if lacking:
            more = f" and {len(lacking) - 1} more" if lacking[1:] else ""
            raise RequestError(
                f"groups can only be resampled with predictions, and {one.name} has none for {lacking[0]}{more}. "
                "Compare run folders, where `dabs eval` puts predictions next to the results, or leave out --by-group."
            )


def _gather_all(
    contestants: Sequence[Contestant], resamples: int, groups: GroupReader | None
) -> tuple[EvidenceByTask, dict[TaskKey, MetricRecord]]:
    """Return the evidence and the metric of every task that any contestant has."""
    firsts = {key: one.cells[key][0].result for one in contestants for key in one.cells}
    by_task, metrics = {}, {}
    for key, result in sorted(firsts.items()):
        group_n = groups(key, result.suite, result.data.sha256.test) if groups else None
        by_task[key] = gather_evidence(contestants, key, resamples=resamples, group_n=group_n)
        metrics[key] = result.metric
    shrink_seed_variance(by_task)
    return by_task, metrics


def _tasks_by_domain(keys: Iterable[TaskKey]) -> dict[str, tuple[str, ...]]:
    tasks: dict[str, list[str]] = defaultdict(list)
    for domain, task in keys:
        tasks[domain].append(task)
    return {domain: tuple(names) for domain, names in tasks.items()}


def _record(one: Contestant) -> ContestantRecord:
    first = one.results[0]
    return ContestantRecord(
        name=one.name,
        algorithm=first.algorithm,
        algorithm_sha256=first.algorithm_sha256,
        source=one.source,
        seeds=one.seeds,
        results=len(one.results),
    )


def _compare_pair(
    names: tuple[str, str],
    by_task: EvidenceByTask,
    by_domain: Mapping[str, Mapping[str, Evidence]],
    metrics: Mapping[TaskKey, MetricRecord],
    tasks: Mapping[str, Sequence[str]],
    *,
    alpha: float,
    resamples: int,
    grouped: bool,
) -> Pair:
    a, b = names
    both = {key: (found[a], found[b]) for key, found in by_task.items() if a in found and b in found}
    if not both:
        raise RequestError(f"{a} and {b} have no task in common, so there is nothing to compare.")
    untested = [
        _compare_task(key, metrics[key], *evidence, alpha=alpha, grouped=grouped) for key, evidence in both.items()
    ]
    corrected = holm_correction([task.difference.p for task in untested])
    compared = tuple(
        replace(task, p_holm=p, verdict=_verdict(task.difference.value, p, alpha))
        for task, p in zip(untested, corrected, strict=True)
    )
    scores = [
        TaskScores(comparison=task, a=evidence[0], b=evidence[1], metric=metrics[key])
        for task, (key, evidence) in zip(compared, both.items(), strict=True)
    ]
    domains, overall = aggregate_pair(names, scores, by_domain, tasks, resamples, 1 - alpha)
    return Pair(a=a, b=b, tasks=compared, domains=domains, overall=overall)


def _verdict(difference: float, p: float | None, alpha: float) -> Verdict:
    """Return a win or a loss for a significant p; a missing p is not significant."""
    if p is None or p >= alpha or difference == 0:
        return "tie"
    return "win" if difference > 0 else "loss"


def _compare_task(
    key: TaskKey, metric: MetricRecord, a: Evidence, b: Evidence, *, alpha: float, grouped: bool
) -> TaskComparison:
    """Compare on one task; `p_holm` and `verdict` are filled in once all tasks are known."""
    counts = disagreements(a, b)
    difference, covers, test = estimate_difference(a, b, counts, alpha, grouped=grouped)
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
        p_holm=None,
        verdict="tie",
        basis=PAIRED_PREDICTIONS if is_paired(a, b) else PUBLISHED_INTERVALS,
        covers=covers,
        test=test,
        mcnemar=counts,
    )


def disagreements(a: Evidence, b: Evidence) -> tuple[Disagreement, ...]:
    """Return McNemar's test for each seed that both have; nothing without answers to compare."""
    if a.right_Sn is None or b.right_Sn is None:
        return ()
    found = []
    for seed in sorted(set(a.seeds) & set(b.seeds)):
        right_a, right_b = a.right_Sn[a.seeds.index(seed)], b.right_Sn[b.seeds.index(seed)]
        only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
        found.append(Disagreement(seed=seed, only_a=only_a, only_b=only_b, p=mcnemar_p(only_a, only_b)))
    return tuple(found)


def estimate_difference(
    a: Evidence, b: Evidence, counts: tuple[Disagreement, ...], alpha: float, *, grouped: bool = False
) -> tuple[Estimate, str, str]:
    """Return mean(a) - mean(b), the sources of uncertainty in its interval, and the test behind its p.

    Args:
        a, b: the two sides.
        counts: from `disagreements`. With one seed on each side, they give McNemar's p.
        alpha: the interval has level 1 - alpha.
        grouped: groups were resampled instead of examples.
    """
    value, level, units = a.mean - b.mean, 1 - alpha, "groups" if grouped else "test examples"
    if len(a.seeds) == len(b.seeds) == len(counts) == 1 and not grouped:
        one = counts[0]
        error = paired_proportions_error(one.only_a, one.only_b, a.units)
        return replace(student_estimate(value, error, a.units - 1, level), p=one.p), units, "exact McNemar"
    variance = variance_between(a, b)
    how = f"paired bootstrap over {units}" if is_paired(a, b) else "unpaired, from published intervals"
    covers = f"seeds and {units}" if variance.seeds else units
    return variance.estimate(value, level), covers, f"t ({how}{', seeds' if variance.seeds else ''})"
