"""What must be equal before two results may be compared, and what differs where it is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from dabs.results.schema import Result


def data_of(result: Result) -> dict[str, Any]:
    """What all results of a task share: its rows, splits, metric and sizes."""
    return {
        "data.sha256": result.data.sha256,
        "data.split_sha256": result.data.split_sha256,
        "data.origin": result.data.origin,
        "metric": result.metric,
        "counts": result.counts,
    }


def plain(fact: Any) -> Any:
    """A fact as a message shows it; they are compared as they are, since making them plain takes far longer."""
    return fact.model_dump() if isinstance(fact, BaseModel) else fact


def recipe_of(result: Result) -> dict[str, Any]:
    """What the seeds of one cell share; a `seed` among the settings is what may differ."""
    config = {key: value for key, value in result.pretraining.config.items() if key != "seed"}
    return {
        "algorithm_sha256": result.algorithm_sha256,
        "pretraining.steps": result.pretraining.steps,
        "pretraining.config": config,
        "encoder.config": result.encoder.config,
        "interval.level": result.interval.level,
    }


def evaluation_of(result: Result) -> dict[str, Any]:
    """What all results of a protocol share on a task."""
    return {"evaluation.config": result.evaluation.config}


UNSTATED = {"accumulate": 1}  # settings that a result leaves out where they have this value


def setting_of(result: Result, name: str) -> Any:
    """A setting of the pretraining, None where the result does not say and nothing follows from that."""
    return result.pretraining.config.get(name, UNSTATED.get(name))


def budget_of(result: Result) -> dict[str, Any]:
    """What all algorithms that learn in a domain share: steps, batches, optimiser and encoder."""
    names = ("batch_size", "accumulate", "lr", "weight_decay", "encoder")
    settings = {f"pretraining.config.{name}": setting_of(result, name) for name in names}
    return {"pretraining.steps": result.pretraining.steps, **settings, "encoder.config": result.encoder.config}


SHOWN = 12  # differences that a message lists
Fact = tuple[str, str, Any]  # where it holds, which field, its value


def differences(groups: Mapping[str, Sequence[Result]]) -> list[str]:
    """What keeps the results of several contestants from being compared, a line a field; empty when nothing does.

    Args:
        groups: results of one protocol by the name of their contestant.
    """
    firsts: dict[tuple[str, str], tuple[str, Any]] = {}
    found: dict[tuple[str, str, str], dict[str, tuple[Any, Any]]] = defaultdict(dict)
    for name, results in groups.items():
        for result in results:
            for where, field, value in _facts(name, result):
                whose, first = firsts.setdefault((where, field), (name, value))
                if value != first:
                    found[field, whose, name].setdefault(where, (first, value))
    return [_line(*key, places) for key, places in found.items()]


def refusal(lines: Sequence[str]) -> str:
    """One message for all of `differences`."""
    more = [f"and {len(lines) - SHOWN} more fields"] if len(lines) > SHOWN else []
    listed = "\n".join(f"  - {line}" for line in [*lines[:SHOWN], *more])
    return f"these results may not be compared, because they were not made alike:\n{listed}\nMake one side again."


def _facts(name: str, result: Result) -> Iterator[Fact]:
    """Every fact of a result that must be equal: over all, on its task, in its domain, and over its own seeds."""
    yield "the suite", "suite", result.suite
    task = f"{result.domain}/{result.task}"
    for field, value in (data_of(result) | evaluation_of(result)).items():
        yield task, field, value
    if result.pretraining.steps:
        for field, value in budget_of(result).items():
            yield result.domain, field, value
    if has_encoder(result):
        yield result.domain, "encoder.config", result.encoder.config
    for field, value in recipe_of(result).items():
        yield f"{task}, {name}", f"{field} over seeds", value


def has_encoder(result: Result) -> bool:
    """Whether there is an encoder, whose initialisation depends on a seed; the raw input has none."""
    return result.encoder.parameters > 0


def _line(field: str, whose: str, name: str, places: Mapping[str, tuple[Any, Any]]) -> str:
    where, (first, value) = next(iter(places.items()))
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    first, value = _part(plain(first), plain(value))
    return f"{field} ({where}{more}): {whose} has {_short(first)}, {name} has {_short(value)}"


def _part(first: Any, value: Any) -> tuple[Any, Any]:
    """Of two dictionaries what differs, else the two as they are."""
    if isinstance(first, dict) and isinstance(value, dict):
        keys = [key for key in first | value if first.get(key) != value.get(key)]
        return {k: first.get(k) for k in keys}, {k: value.get(k) for k in keys}
    return first, value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
