"""Choose a setting for each domain by validation scores, and read what was chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from dabs.errors import DabsError, RequestError
from dabs.grid.sweep import SEPARATOR
from dabs.registry import algorithm_label, domain_label
from dabs.results.schema import Result
from dabs.utils.strict_json import read_object


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The validation scores of an algorithm's settings, and which of them is best.

    Attributes:
        algorithm: its name.
        scores: setting -> domain -> mean validation score over the domain's tasks and the seeds.
        options: setting -> the algorithm's own options.
        domains: those in which every setting was read.
        failed: the settings with a run that did not learn, each with the domain of that run.
        left_out: settings that lack a task of some domain, and the others' domains that they lack.
        runs: how many pretraining runs were made in each domain.
    """

    algorithm: str
    scores: dict[str, dict[str, float]]
    options: dict[str, dict[str, Any]]
    domains: tuple[str, ...]
    failed: frozenset[tuple[str, str]]
    left_out: dict[str, tuple[str, ...]]
    runs: int

    def mean(self, setting: str) -> float:
        """Return the mean over domains."""
        return fmean(self.scores[setting].values())

    def best(self, domain: str = "") -> str:
        """Return the best setting in a domain, or over all domains; of equal ones the first."""
        return max(self.scores, key=lambda one: self.scores[one][domain] if domain else self.mean(one))

    def tuning(self, protocol: str) -> dict[str, Any]:
        """Return what `dabs submit --ruleset tuned --tuning` reads: the grid, the budget and how it was chosen."""
        values: dict[str, list[Any]] = defaultdict(list)
        for options in self.options.values():
            for name, value in options.items():
                if value not in values[name]:
                    values[name].append(value)
        grid = {name: found for name, found in values.items() if len(found) > 1}
        how = f"mean validation score of the protocol {protocol} over the domain's tasks"
        return {"grid": grid, "budget": self.runs, "selected_by": how}

    def per_domain(self) -> dict[str, dict[str, Any]]:
        """Return the options of the best setting of each domain."""
        return {domain: self.options[self.best(domain)] for domain in self.domains}


def choose(results: Sequence[Result], algorithm: str, protocol: str) -> Choice:
    """Compare the settings of an algorithm by validation scores; test scores are not looked at.

    Args:
        results: of any rows.
        algorithm: whose settings to compare.
        protocol: whose validation scores count.

    Raises:
        RequestError: there are no two settings that were read on the same tasks.
    """
    own = [r for r in results if r.protocol == protocol and r.algorithm.split(SEPARATOR)[0] == algorithm]
    cells: dict[str, dict[tuple[str, str], dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    options: dict[str, dict[str, Any]] = {}
    for result in own:
        cells[result.algorithm][result.domain, result.task][result.seed] = result.validation_score
        stated: Any = result.pretraining.config.get("options", {})
        options[result.algorithm] = dict(stated)
    wanted = {(r.domain, r.task, r.seed) for r in own}
    lacking: dict[str, tuple[str, ...]] = {}
    for setting, found in cells.items():
        has = {(domain, task, seed) for (domain, task), seeds in found.items() for seed in seeds}
        if wanted - has:
            lacking[setting] = tuple(sorted({domain for domain, _, _ in wanted - has}))
    complete = {setting: found for setting, found in cells.items() if setting not in lacking}
    if len(complete) < 2:
        what = f"{len(complete)} complete" if complete or lacking else "no"
        raise RequestError(
            f"there are {what} settings of {algorithm} under {protocol} to choose from. Run them with "
            f"`dabs run --algorithms {algorithm} --set {algorithm}.OPTION=VALUE,VALUE`."
        )
    scores = {setting: _domain_means(found) for setting, found in sorted(complete.items())}
    seeds = {r.seed for r in own}
    return Choice(
        algorithm=algorithm,
        scores=scores,
        options={setting: options[setting] for setting in scores},
        domains=tuple(next(iter(scores.values()))),
        failed=frozenset((r.algorithm, r.domain) for r in own if not r.pretraining.learning.learned),
        left_out=lacking,
        runs=len(scores) * len(seeds),
    )


def _domain_means(found: Mapping[tuple[str, str], Mapping[int, float]]) -> dict[str, float]:
    tasks: dict[str, list[float]] = defaultdict(list)
    for (domain, _), seeds in sorted(found.items()):
        tasks[domain].append(fmean(seeds.values()))
    return {domain: fmean(values) for domain, values in tasks.items()}


def read_choice(path: Path, references: Sequence[str], domains: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the options that `dabs choose` wrote, by algorithm and domain as they were given.

    Raises:
        DabsError: the file cannot be read, or names another algorithm.
    """
    value = read_object(path)
    algorithm, options = value.get("algorithm"), value.get("options")
    if (
        not isinstance(algorithm, str)
        or not isinstance(options, dict)
        or not all(isinstance(one, dict) for one in options.values())
    ):
        raise DabsError(
            f"{path} is no choice: it needs `algorithm` and `options` by domain, as `dabs choose` writes them."
        )
    own = [one for one in references if algorithm_label(one) == algorithm]
    if not own:
        raise RequestError(f"{path} is about {algorithm}, which is not among the algorithms of this run.")
    lacking = sorted({domain_label(one) for one in domains} - set(options))
    if lacking:
        raise RequestError(f"{path} chooses nothing for {', '.join(lacking)}. Leave them out, or choose there as well.")
    return {(reference, domain): options[domain_label(domain)] for reference in own for domain in domains}
