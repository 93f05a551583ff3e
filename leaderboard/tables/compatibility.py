"""What must be equal for results to be compared, and which fields differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from dabs.errors import RequestError
from dabs.results.schema import Result


def data_of(result: Result) -> dict[str, Any]:
    """Return what all results of a task share: its data, splits, metric, sizes, and what its intervals draw."""
    return {
        "data.sha256": result.data.sha256,
        "data.split_sha256": result.data.split_sha256,
        "data.origin": result.data.origin,
        "metric": result.metric,
        "counts": result.counts,
        "interval.resampled": result.interval.resampled,
        "interval.units": result.interval.units,
    }


def to_plain(fact: Any) -> Any:
    """Return a fact as messages show it. Comparisons use the facts themselves, as conversion takes far longer."""
    return fact.model_dump() if isinstance(fact, BaseModel) else fact


def recipe_of(result: Result) -> dict[str, Any]:
    """Return what the seeds of one cell share: every setting except `seed`."""
    config = {key: value for key, value in result.pretraining.config.items() if key != "seed"}
    return {
        "algorithm_sha256": result.algorithm_sha256,
        "pretraining.steps": result.pretraining.steps,
        "pretraining.config": config,
        "encoder.config": result.encoder.config,
        "interval.level": result.interval.level,
    }


def evaluation_of(result: Result) -> dict[str, Any]:
    """Return what all results of a protocol share on a task."""
    return {"evaluation.config": result.evaluation.config}


def budget_of(result: Result) -> dict[str, Any]:
    """Return what all algorithms that are pretrained on a domain share: steps, batches, optimiser and encoder.

    A row of a sweep, or at another budget, states in its name what differs.
    """
    swept = {part.partition("=")[0] for part in result.algorithm.split("+")[1:]}
    names = [n for n in ("batch_size", "accumulate", "lr", "weight_decay", "beta2", "encoder") if n not in swept]
    settings = {f"pretraining.config.{name}": result.pretraining.config.get(name) for name in names}
    steps = {} if "budget" in swept else {"pretraining.steps": result.pretraining.steps}
    return {**steps, **settings, "encoder.config": result.encoder.config}


DATA_FIELDS = ("data.", "counts")  # what fields that describe the prepared data start with
MAX_DIFFERENCES = 12  # that a message lists
Fact = tuple[str, str, Any]  # scope, field, value


def differences(groups: Mapping[str, Sequence[Result]]) -> list[str]:
    """Return one line for each field that keeps results from being compared; empty when they may be.

    Args:
        groups: results of one protocol, by contestant.
    """
    firsts: dict[tuple[str, str], tuple[str, Any]] = {}
    found: dict[tuple[str, str, str], dict[str, tuple[Any, Any]]] = defaultdict(dict)
    for name, results in groups.items():
        for result in results:
            for scope, field, value in _facts(name, result):
                first_name, first = firsts.setdefault((scope, field), (name, value))
                if value != first:
                    found[field, first_name, name].setdefault(scope, (first, value))
    return [_describe_difference(*key, scopes) for key, scopes in found.items()]


def differing_domains(groups: Mapping[str, Sequence[Result]]) -> dict[str, list[str]]:
    """Return `differences` for each domain in which there are any.

    Args:
        groups: results of one protocol, by contestant.
    """
    by_domain: dict[str, dict[str, list[Result]]] = defaultdict(lambda: defaultdict(list))
    for name, results in groups.items():
        for result in results:
            by_domain[result.domain][name].append(result)
    found = {domain: differences(own) for domain, own in sorted(by_domain.items())}
    return {domain: lines for domain, lines in found.items() if lines}


def refusal(lines: Sequence[str]) -> str:
    """Return one message for the lines of `differences`."""
    more = [f"and {len(lines) - MAX_DIFFERENCES} more fields"] if len(lines) > MAX_DIFFERENCES else []
    listed = "\n".join(f"  - {line}" for line in [*lines[:MAX_DIFFERENCES], *more])
    return f"these results may not be compared, because their settings differ:\n{listed}\n{way_out(lines)}"


def way_out(lines: Sequence[str], domain: str = "DOMAIN") -> str:
    """Return what to do about the lines of `differences`, for one domain if it is named."""
    if any(line.startswith(DATA_FIELDS) for line in lines):
        return (
            f"`dabs data verify {domain}` says whether the data here is the published data. On the side where it is "
            f"not, run `dabs data prepare {domain} --force` and then pretrain and evaluate again."
        )
    return "Run one side again with the settings of the other."


def _facts(name: str, result: Result) -> Iterator[Fact]:
    """Yield every fact of a result that must be equal: overall, on its task, in its domain, and over its seeds."""
    yield "all results", "suite", result.suite
    task = f"{result.domain}/{result.task}"
    for field, value in (data_of(result) | evaluation_of(result)).items():
        yield task, field, value
    if result.pretraining.steps:
        for field, value in budget_of(result).items():
            yield result.domain, field, value
    if has_encoder(result):
        yield result.domain, "encoder.config", result.encoder.config
    for field, value in recipe_of(result).items():
        yield f"{task}, {name}", f"{field} between seeds", value


def has_encoder(result: Result) -> bool:
    """Return whether the result has an encoder, whose initialisation depends on a seed; the raw input has none."""
    return result.encoder.parameters > 0


def refuse_repeated_seed(who: str, seeds: Sequence[int]) -> None:
    """Raise RequestError when two results of one cell have the same seed."""
    if len(set(seeds)) < len(seeds):
        raise RequestError(f"{who} has two results with the same seed, among {tuple(seeds)}. Remove one of the two.")


def _describe_difference(field: str, first_name: str, name: str, scopes: Mapping[str, tuple[Any, Any]]) -> str:
    scope, (first, value) = next(iter(scopes.items()))
    more = f" and {len(scopes) - 1} more" if len(scopes) > 1 else ""
    first, value = _differing_part(to_plain(first), to_plain(value))
    return f"{field} ({scope}{more}): {first_name} has {_short(first)}, {name} has {_short(value)}"


def _differing_part(first: Any, value: Any) -> tuple[Any, Any]:
    """Reduce two dictionaries to the entries that differ; return other values unchanged."""
    if isinstance(first, dict) and isinstance(value, dict):
        keys = [key for key in first | value if first.get(key) != value.get(key)]
        return {k: first.get(k) for k in keys}, {k: value.get(k) for k in keys}
    return first, value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
