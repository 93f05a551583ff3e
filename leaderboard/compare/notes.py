"""What a reader of a comparison must know: what could not be computed, and what differs without forbidding it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from dabs.leaderboard.compare.contestants import Contestant
from dabs.leaderboard.compare.model import INTERVALS, Pair
from dabs.leaderboard.tables.compatibility import has_encoder
from dabs.results.schema import Environment


def notes_of(
    contestants: Sequence[Contestant],
    pairs: Sequence[Pair],
    tasks: Mapping[str, Sequence[str]],
    *,
    grouped: bool,
) -> tuple[str, ...]:
    """Sentences, most important first."""
    return (
        *_missing(contestants, tasks),
        *_unpaired(pairs),
        *_single_seeds(contestants),
        _resampled(grouped),
        *(_few_groups(pairs) if grouped else []),
        *_tuned(contestants),
        *_environments(contestants),
    )


def _missing(contestants: Sequence[Contestant], tasks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for one in contestants:
        lacking = [f"{d}/{t}" for d, names in tasks.items() for t in names if (d, t) not in one.cells]
        if lacking:
            yield f"{one.name} lacks {_some(lacking)}: means over these domains and over all domains stay empty."


def _unpaired(pairs: Sequence[Pair]) -> Iterator[str]:
    names: dict[str, None] = {}
    for pair in pairs:
        if any(task.basis == INTERVALS for task in pair.tasks):
            names |= {f"{pair.a} and {pair.b}": None}
    if names:
        yield (
            f"Predictions are missing for {_some(list(names))}: there McNemar's test and the paired bootstrap cannot "
            "be computed. Their intervals take the two scores' published intervals as independent and are wider than "
            "paired ones; a tie may be a difference that the predictions would show."
        )


def _tuned(contestants: Sequence[Contestant]) -> Iterator[str]:
    names = []
    for one in contestants:
        options = {repr(result.pretraining.config.get("options")) for result in one.results}
        names += [one.name] if len(options) > 1 else []
    if names:
        yield (
            f"The options were chosen per domain for {_some(names)} (ruleset tuned): a difference may come from tuning "
            "as well as from the idea."
        )


def _single_seeds(contestants: Sequence[Contestant]) -> Iterator[str]:
    for one in contestants:
        if len(one.seeds) == 1 and any(has_encoder(result) for result in one.results):
            yield (
                f"{one.name} has one pretraining seed: comparisons with it hold for that one model, not for the "
                "algorithm; another seed may reverse them."
            )


def _resampled(grouped: bool) -> str:
    if grouped:
        return (
            "Whole groups (people, voices, photographs) were resampled: intervals speak of new groups, and with few "
            "of them are wide."
        )
    return (
        "Single test examples were resampled: intervals speak of new examples of the same people, voices and "
        "photographs. Where several examples share one, intervals over new ones are wider (--by-group)."
    )


def _few_groups(pairs: Sequence[Pair]) -> Iterator[str]:
    few = {f"{one.domain}/{one.task} ({one.units})": None for pair in pairs for one in pair.tasks if one.units < 10}
    if few:
        yield f"Too few groups to speak of new ones: {_some(list(few))}. Their intervals are a rough lower bound."


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
            yield f"Results were made with more than one {name}: {_some(values)}."
    if any(result.environment.git_dirty for result in results):
        yield "Some results were made from a checkout with changes that were not committed."


def _some(words: Sequence[str]) -> str:
    """At most five of them."""
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return f"{', '.join(words[:5])}{more}"
