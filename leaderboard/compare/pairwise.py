"""Compare every pair of algorithms by task, by domain and over all domains.

`compare` reads folders; `compare_contestants` takes contestants that were read already. Both return the same
`Comparison` for the same results.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

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
from dabs.leaderboard.compare.statistics import (
    estimate_with,
    holm_correction,
    mcnemar_p,
    paired_proportions_error,
    student_estimate,
)
from dabs.leaderboard.tables.aggregate import counted_domains
from dabs.leaderboard.tables.compatibility import differences, differing_domains, refusal, way_out
from dabs.results.schema import MetricRecord

ALPHA = 0.05
RESAMPLES = 10_000
EvidenceByTask = dict[TaskKey, dict[str, Evidence]]  # then by contestant


def compare(
    sources: Sequence[str],
    *,
    protocol: str = "linear",
    algorithms: Sequence[str] = (),
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare the contestants of some folders.

    Args:
        sources, protocol, algorithms: as for `load_contestants`.
        alpha, resamples: as for `compare_contestants`.

    Raises:
        RequestError, DabsError: as these two do.
    """
    contestants = load_contestants(sources, protocol, algorithms)
    return compare_contestants(contestants, alpha=alpha, resamples=resamples)


def compare_contestants(
    contestants: Sequence[Contestant],
    *,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare every pair of contestants.

    A domain whose results were made under different conditions is left out, and a note says so.

    Args:
        contestants: at least two, all of one protocol.
        alpha: two-sided level of the tests; the intervals have level 1 - alpha.
        resamples: number of resamples of test examples (or groups), and of tasks.

    Raises:
        RequestError: two contestants have no task in common, or none that was made under the same conditions (the
            message lists what differs), or alpha or resamples is out of range.
        DabsError: predictions cannot be read or do not belong to their results.
    """
    if not 0 < alpha < 0.5 or resamples < 100:
        raise RequestError(
            f"alpha must be between 0 and 0.5 (got {alpha}) and resamples at least 100 (got {resamples})."
        )
    contestants, left_out = _leave_out_domains(contestants)
    _require_common_tasks(contestants)
    by_task, metrics = gather_all(contestants, resamples)
    tasks = tasks_by_domain(by_task)
    first = contestants[0].results[0]
    counted = tuple(counted_domains(tasks, first.suite))
    by_domain = domain_evidence(by_task, tasks)
    pairs = [
        _compare_pair(
            (a.name, b.name),
            by_task,
            by_domain,
            metrics,
            tasks,
            counted,
            alpha=alpha,
            resamples=resamples,
        )
        for a, b in combinations(contestants, 2)
    ]
    ranks = mean_ranks([one.name for one in contestants], by_task, tasks, counted, resamples, 1 - alpha)
    return Comparison(
        suite=first.suite,
        protocol=first.protocol,
        alpha=alpha,
        level=1 - alpha,
        resamples=resamples,
        contestants=tuple(_record(one) for one in contestants),
        tasks=tasks,
        left_out=left_out,
        pairs=tuple(pairs),
        ranks={scope: tuple(Rank(name=n, rank=rank) for n, rank in rows) for scope, rows in ranks.items()},
        notes=notes_of(contestants, pairs, tasks, left_out),
    )


def _leave_out_domains(contestants: Sequence[Contestant]) -> tuple[list[Contestant], dict[str, str]]:
    """Return the contestants without the domains in which their conditions differ, and why each is left out.

    Raises:
        RequestError: this leaves two contestants without a common task.
    """
    results = {one.name: one.results for one in contestants}
    different = differing_domains(results)
    kept = [
        replace(one, cells={key: cell for key, cell in one.cells.items() if key[0] not in different})
        for one in contestants
    ]
    if different and not all(a.cells.keys() & b.cells.keys() for a, b in combinations(kept, 2)):
        raise RequestError(refusal(differences(results)))
    return kept, {domain: f"{'; '.join(lines)}. {way_out(lines, domain)}" for domain, lines in different.items()}


def gather_all(contestants: Sequence[Contestant], resamples: int) -> tuple[EvidenceByTask, dict[TaskKey, MetricRecord]]:
    """Return the evidence and the metric of every task that any contestant has.

    Args:
        contestants: whose predictions are read.
        resamples: number of resamples of test examples (or groups).

    Raises:
        DabsError: predictions cannot be read or do not belong to their results.
    """
    firsts = {key: one.cells[key][0].result for one in contestants for key in one.cells}
    by_task, metrics = {}, {}
    for key, result in sorted(firsts.items()):
        by_task[key] = gather_evidence(contestants, key, resamples=resamples)
        metrics[key] = result.metric
    shrink_seed_variance(by_task)
    return by_task, metrics


def tasks_by_domain(keys: Iterable[TaskKey]) -> dict[str, tuple[str, ...]]:
    """Return the tasks of each domain, in the order of `keys`."""
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


def _require_common_tasks(contestants: Sequence[Contestant]) -> None:
    """Refuse pairs without a task in common, and say which broken files that comes from."""
    for a, b in combinations(contestants, 2):
        if not a.cells.keys() & b.cells.keys():
            why = " ".join(dict.fromkeys((*a.left_out, *b.left_out)))
            raise RequestError(
                f"{a.name} and {b.name} have no task in common, so there is nothing to compare. "
                f"{why or 'Evaluate both on the same tasks with `dabs eval RUN`.'}"
            )


def _compare_pair(
    names: tuple[str, str],
    by_task: EvidenceByTask,
    by_domain: Mapping[str, Mapping[str, Evidence]],
    metrics: Mapping[TaskKey, MetricRecord],
    tasks: Mapping[str, Sequence[str]],
    counted: Collection[str],
    *,
    alpha: float,
    resamples: int,
) -> Pair:
    a, b = names
    both = {key: (found[a], found[b]) for key, found in by_task.items() if a in found and b in found}
    untested = [_compare_task(key, metrics[key], *evidence, alpha=alpha) for key, evidence in both.items()]
    corrected = holm_correction([task.difference.p for task in untested])
    compared = tuple(
        replace(task, p_holm=p, verdict=pair_verdict(task.difference.value, p, alpha))
        for task, p in zip(untested, corrected, strict=True)
    )
    scores = [
        TaskScores(comparison=task, a=evidence[0], b=evidence[1], metric=metrics[key])
        for task, (key, evidence) in zip(compared, both.items(), strict=True)
    ]
    domains, overall = aggregate_pair(names, scores, by_domain, tasks, counted, resamples, 1 - alpha)
    return Pair(a=a, b=b, tasks=compared, domains=domains, overall=overall)


def pair_verdict(difference: float, p: float | None, alpha: float) -> Verdict:
    """Return a win or a loss for a significant p; a missing p is not significant."""
    if p is None or p >= alpha or difference == 0:
        return "tie"
    return "win" if difference > 0 else "loss"


def _compare_task(key: TaskKey, metric: MetricRecord, a: Evidence, b: Evidence, *, alpha: float) -> TaskComparison:
    """Compare on one task; `p_holm` and `verdict` are filled in once all tasks are known."""
    counts = disagreements(a, b)
    difference, covers, test = estimate_difference(a, b, counts, alpha)
    return TaskComparison(
        domain=key[0],
        task=key[1],
        metric=metric.name,
        resampled=a.resampled,
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
    a: Evidence, b: Evidence, counts: tuple[Disagreement, ...], alpha: float
) -> tuple[Estimate, str, str]:
    """Return mean(a) - mean(b), the sources of uncertainty in its interval, and the test behind its p.

    Args:
        a, b: the two sides.
        counts: from `disagreements`. With one seed on each side and examples that share no group, they give McNemar's
            p.
        alpha: the interval has level 1 - alpha.
    """
    grouped = a.resampled == "groups"
    value, level, units = a.mean - b.mean, 1 - alpha, "groups" if grouped else "test examples"
    if len(a.seeds) == len(b.seeds) == len(counts) == 1 and not grouped:
        one = counts[0]
        error = paired_proportions_error(one.only_a, one.only_b, a.units)
        return replace(student_estimate(value, error, a.units - 1, level), p=one.p), units, "exact McNemar"
    variance = variance_between(a, b)
    how = f"paired bootstrap over {units}" if is_paired(a, b) else "unpaired, from published intervals"
    covers = f"seeds and {units}" if variance.seeds else units
    return estimate_with(value, variance, level), covers, f"t ({how}{', seeds' if variance.seeds else ''})"
