"""Caveats: what a comparison could not compute, and which differences matter."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from dabs.evaluation.reference_rows import SUPERVISED
from dabs.leaderboard.compare.contestants import Contestant
from dabs.leaderboard.compare.model import PUBLISHED_INTERVALS, Pair
from dabs.leaderboard.tables.compatibility import has_encoder
from dabs.leaderboard.tables.variance import MIN_GROUPS
from dabs.results.entries import MAX_LINES
from dabs.results.schema import Environment


def notes_of(
    contestants: Sequence[Contestant],
    pairs: Sequence[Pair],
    tasks: Mapping[str, Sequence[str]],
    left_out: Mapping[str, str],
) -> tuple[str, ...]:
    """Return the caveats as sentences, the most important first.

    Args:
        contestants: whose results were compared.
        pairs: their comparisons.
        tasks: for each domain, the tasks that any contestant has.
        left_out: domains that were not compared, and why.
    """
    return (
        *_broken_files(contestants),
        *_left_out_domains(left_out, len(tasks)),
        *_missing_tasks(contestants, tasks),
        *_budgets(contestants),
        *_failed_runs(contestants),
        *_missing_predictions(pairs),
        *_single_seeds(contestants),
        *_resampled_units(pairs),
        *_few_groups(pairs),
        *_tuned_options(contestants),
        *_environments(contestants),
    )


def _broken_files(contestants: Sequence[Contestant]) -> Iterator[str]:
    lines = [line for one in contestants for line in one.left_out]
    yield from lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        yield f"{len(lines) - MAX_LINES} more broken files are left out, with the tasks that they are about."


def _left_out_domains(left_out: Mapping[str, str], compared: int) -> Iterator[str]:
    for domain, reason in left_out.items():
        yield f"{domain} is left out, because its results were made under different conditions: {reason}"
    if left_out:
        yield f"“All domains” means the {compared} other domains here, not those of the suite."


def _missing_tasks(contestants: Sequence[Contestant], tasks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for one in contestants:
        lacking = [f"{d}/{t}" for d, names in tasks.items() for t in names if (d, t) not in one.cells]
        if lacking:
            yield f"{one.name} lacks {_shortened(lacking)}: means of these domains and of all domains are left empty."


def _budgets(contestants: Sequence[Contestant]) -> Iterator[str]:
    """Say at which budgets the rows were pretrained, unless all took the standard steps."""
    found = {one.name: sorted({r.budget for r in one.results if r.budget is not None}) for one in contestants}
    every = sorted({budget for budgets in found.values() for budget in budgets})
    if every == [1.0] or not every:
        return
    if len(every) == 1:
        yield f"Every row that was pretrained took {every[0]:g} times the standard steps."
        return
    listed = [f"{name} {' and '.join(f'{b:g}' for b in budgets)}" for name, budgets in found.items() if budgets]
    yield (
        f"The budgets differ (times the standard steps: {_shortened(listed)}): a difference may come from the steps "
        "and not from the algorithm."
    )


def _failed_runs(contestants: Sequence[Contestant]) -> Iterator[str]:
    for one in contestants:
        places: dict[str, dict[str, str]] = defaultdict(dict)  # place -> weights of a run -> why it did not learn
        for result in one.results:
            # the supervised encoder is trained anew for every task; other runs serve all tasks of a domain
            place = f"{result.domain}/{result.task}" if one.name == SUPERVISED else result.domain
            if not result.pretraining.learning.learned:
                places[place][result.pretraining.weights_sha256] = result.pretraining.learning.reason
        if places:
            listed = [
                f"{place} ({len(runs)} run{'s' * (len(runs) != 1)}: {next(iter(runs.values()))})"
                for place, runs in places.items()
            ]
            yield (
                f"{one.name} did not learn on {_shortened(listed)}. Its scores there, and all of its means over them, "
                "include these runs."
            )


def _missing_predictions(pairs: Sequence[Pair]) -> Iterator[str]:
    names: dict[str, None] = {}
    for pair in pairs:
        if any(task.basis == PUBLISHED_INTERVALS for task in pair.tasks):
            names |= {f"{pair.a} and {pair.b}": None}
    if names:
        yield (
            f"Predictions are missing for {_shortened(list(names))}, so McNemar's test and the paired bootstrap "
            "cannot be computed. Their intervals treat the two scores' published intervals as independent and are "
            "wider than paired ones; a tie may hide a difference that the predictions would show."
        )


def _tuned_options(contestants: Sequence[Contestant]) -> Iterator[str]:
    names = []
    for one in contestants:
        options = {repr(result.pretraining.config.get("options")) for result in one.results}
        names += [one.name] if len(options) > 1 else []
    if names:
        yield (
            f"The options were chosen per domain for {_shortened(names)} (ruleset tuned): a difference may come from "
            "tuning as well as from the algorithm itself."
        )


def _single_seeds(contestants: Sequence[Contestant]) -> Iterator[str]:
    for one in contestants:
        if len(one.seeds) == 1 and any(has_encoder(result) for result in one.results):
            yield (
                f"{one.name} has one pretraining seed: comparisons with it apply to that one model, not to the "
                "algorithm, and another seed may reverse them."
            )


def _resampled_units(pairs: Sequence[Pair]) -> Iterator[str]:
    tasks = [one for pair in pairs for one in pair.tasks if one.resampled == "groups"]
    grouped = {f"{one.domain}/{one.task} ({one.units})": None for one in tasks}
    if grouped:
        yield (
            f"Examples that share a recording, drawing, voice or photograph were resampled together in "
            f"{_shortened(list(grouped))}: these intervals apply to new ones."
        )


def _few_groups(pairs: Sequence[Pair]) -> Iterator[str]:
    tasks = [one for pair in pairs for one in pair.tasks if one.resampled == "groups" and one.units < MIN_GROUPS]
    few = {f"{one.domain}/{one.task} ({one.units})": None for one in tasks}
    if few:
        yield (
            f"Too few groups to generalise to new ones: {_shortened(list(few))}. Their intervals are rough lower "
            "bounds on the uncertainty."
        )


def _environments(contestants: Sequence[Contestant]) -> Iterator[str]:
    facts: dict[str, Callable[[Environment], str]] = {
        "dabs version": lambda e: e.dabs_version,
        "git commit": lambda e: e.git_commit[:12],
        "device": lambda e: e.device,
        "precision": lambda e: e.precision,
    }
    results = [result for one in contestants for result in one.results if has_encoder(result)]
    for name, of in facts.items():
        values = sorted({of(result.environment) for result in results})
        if len(values) > 1:
            yield f"Results were made with more than one {name}: {_shortened(values)}."
    if any(result.environment.git_dirty for result in results):
        yield "Some results were made from a checkout with uncommitted changes."


def _shortened(words: Sequence[str]) -> str:
    """List at most five words, and how many more there are."""
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return f"{', '.join(words[:5])}{more}"
