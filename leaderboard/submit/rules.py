"""The rules that results must follow: complete, one version, the protocol."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from dabs.config import STANDARD_PROTOCOLS, steps_at
from dabs.errors import RequestError
from dabs.evaluation.metrics import LEVEL, RESAMPLES
from dabs.leaderboard.tables.aggregate import Tasks, build_table, protocols_of
from dabs.results.schema import Result
from dabs.results.submission import Tuning
from dabs.utils.environment import NO_CHECKOUT

REQUIRED = STANDARD_PROTOCOLS  # fine-tuning is optional, but then every task needs it
DATA_PACKAGES = ("datasets", "torchaudio", "torchvision")  # they only make the data, whose hash is in every result
MAX_NAMED = 4  # missing cells that a message names


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the benchmark requires of results; made from the registry, so that nothing is written down twice.

    Attributes:
        suite: the suite that the results must be of.
        tasks: all tasks of each domain.
        metrics: the metric of each (domain, task).
        budgets: the settings that pretraining in each domain must have: steps, batch_size, accumulate, lr,
            weight_decay, encoder.
        encoders: the sizes and input specs of each domain's encoder.
        protocols: the settings of each protocol.
        seeds: the pretraining seeds of every cell, fixed in advance so that none is hand-picked.
        every_seed: whether all seeds are required, or only the first of them without a gap.
    """

    suite: str
    tasks: Tasks
    metrics: Mapping[tuple[str, str], str]
    budgets: Mapping[str, Mapping[str, Any]]
    encoders: Mapping[str, Mapping[str, Any]]
    protocols: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...]
    every_seed: bool = True


def find_broken_rules(results: Sequence[Result], rules: Rules, tuning: Tuning | None) -> list[str]:
    """Return one line for each rule that a set of results breaks; `tuning` is None under the ruleset `fixed`."""
    if not results:
        return ["there are no results"]
    return [
        *_find_missing(results, rules),
        *_find_mixed(results),
        *_find_repeated_runs(results),
        *_find_perfect(results),
        *_find_untraceable(results),
        *_find_protocol_differences(results, rules),
        *(_check_tuned_options(results, tuning) if tuning else _check_fixed_options(results)),
    ]


def at_budget(rules: Rules, budget: float, domains: Collection[str]) -> Rules:
    """Return the rules for a multiple of the standard steps, for some domains only."""
    budgets = {
        domain: {**own, "steps": steps_at(budget, own["steps"])}
        for domain, own in rules.budgets.items()
        if domain in domains
    }
    return replace(rules, budgets=budgets, tasks={d: own for d, own in rules.tasks.items() if d in domains})


def find_clashes(results: Sequence[Result], committed: Sequence[Result], tasks: Tasks) -> list[str]:
    """Return why results cannot share a table with the committed ones: other data, splits or budgets."""
    found = []
    for protocol in protocols_of(results):
        try:
            build_table([*committed, *results], protocol, tasks)
        except RequestError as error:
            found.append(str(error))
    return sorted(set(found))


def _find_missing(results: Sequence[Result], rules: Rules) -> list[str]:
    seeds = _seeds_by_domain(results, rules)
    found = []
    for given in sorted(set(seeds.values())):
        if given != (rules.seeds if rules.every_seed else rules.seeds[: len(given)]):
            shown, fixed = (", ".join(map(str, numbers)) for numbers in (given, rules.seeds))
            which = "" if rules.every_seed else "the first of "
            found.append(
                f"the pretraining seeds are {shown}; they must be {which}{fixed}, which the {rules.suite} suite fixes "
                f"so that none is hand-picked or left out: run with --seeds {len(rules.seeds)} "
                f"--first-seed {rules.seeds[0]}"
            )
    present = {(r.domain, r.task, r.protocol, r.seed) for r in results}
    absent = [domain for domain in rules.tasks if domain not in {result.domain for result in results}]
    if absent:
        found.append(f"no results for the domain{'s' * (len(absent) > 1)} {', '.join(absent)}")
    protocols = [p for p in rules.protocols if p in REQUIRED or p in {r.protocol for r in results}]
    wanted = [(d, t) for d, tasks in rules.tasks.items() if d not in absent for t in tasks]
    cells = [(d, t, protocol, seed) for (d, t), protocol in product(wanted, protocols) for seed in seeds[d]]
    missing = [f"{cell[0]}/{cell[1]} {cell[2]} seed {cell[3]}" for cell in cells if cell not in present]
    if missing:
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        found.append(f"missing results: {', '.join(missing[:MAX_NAMED])}{more}")
    foreign = sorted({f"{d}/{t}" for d, t, _, _ in present if t not in rules.tasks.get(d, ())})
    if foreign:
        found.append(f"results for tasks that the {rules.suite} suite does not have: {', '.join(foreign)}")
    duplicates = len(results) - len(present)
    return found + ([f"{duplicates} duplicate results"] if duplicates else [])


def _seeds_by_domain(results: Sequence[Result], rules: Rules) -> dict[str, tuple[int, ...]]:
    """Return the seeds of each domain that has results: its own, or those of all domains if every seed is required."""
    own: dict[str, set[int]] = defaultdict(set)
    for result in results:
        own[result.domain].add(result.seed)
    together = set().union(*own.values())
    return {domain: tuple(sorted(together if rules.every_seed else seeds)) for domain, seeds in own.items()}


def _find_repeated_runs(results: Sequence[Result]) -> list[str]:
    """Return a line for each domain in which two seeds have the same weights, so that one run stands for two."""
    seeds_of: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for result in results:
        seeds_of[result.domain, result.task, result.pretraining.weights_sha256].add(result.seed)
    repeated = {(domain, tuple(sorted(seeds))) for (domain, _, _), seeds in seeds_of.items() if len(seeds) > 1}
    return [
        f"the weights of the seeds {', '.join(map(str, seeds))} of {domain} are the same: one run stands for several"
        for domain, seeds in sorted(repeated)
    ]


def _find_perfect(results: Sequence[Result]) -> list[str]:
    """Return a line for each domain in whose tasks a protocol is right about every test example.

    One easy task can be solved; no encoder is right about every example of every task of a domain, but labels are.
    """
    scores: dict[tuple[str, str, int], list[bool]] = defaultdict(list)
    for result in results:
        scores[result.domain, result.protocol, result.seed].append(result.score >= result.metric.high)
    perfect = [key for key, right in scores.items() if len(right) > 1 and all(right)]
    return [
        f"the scores of all {len(scores[key])} tasks of {key[0]} are perfect ({key[1]}, seed {key[2]}), as if the "
        "labels of the tests were the predictions"
        for key in sorted(perfect)
    ]


def _find_mixed(results: Sequence[Result]) -> list[str]:
    """Return a line for each fact that must be the same in all results of a submission and is not."""
    facts: dict[str, Callable[[Result], Any]] = {
        "suite": lambda r: r.suite,
        "algorithm": lambda r: r.algorithm,
        "algorithm_sha256": lambda r: r.algorithm_sha256,
        "environment.dabs_version": lambda r: r.environment.dabs_version,
        "environment.git_commit": lambda r: r.environment.git_commit,
        "environment.python": lambda r: r.environment.python,
        "environment.versions": lambda r: {k: v for k, v in r.environment.versions.items() if k not in DATA_PACKAGES},
        "environment.device": lambda r: r.environment.device,
        "environment.precision": lambda r: r.environment.precision,
    }
    found = []
    for name, fact in facts.items():
        groups: dict[str, list[Result]] = defaultdict(list)
        for result in results:
            groups[json.dumps(fact(result), sort_keys=True)].append(result)
        if len(groups) > 1:
            parts = [f"{value} in {len(group)} ({cell_name(group[0])}, ...)" for value, group in sorted(groups.items())]
            found.append(f"{name} is mixed: {'; '.join(parts)}. Make all results with one version")
    return found


def _find_untraceable(results: Sequence[Result]) -> list[str]:
    """Return a line for results whose code no commit identifies: of changed files, or of a copy without a commit."""
    found = []
    dirty = [result for result in results if result.environment.git_dirty]
    if dirty:
        found.append(
            f"{len(dirty)} results ({cell_name(dirty[0])}, ...) were made from a checkout of dabs with uncommitted "
            "changes, or from an installed copy whose files were changed: commit or undo them and run again (your own "
            "algorithm file may be outside the checkout)"
        )
    installed = [result for result in results if result.environment.git_commit == NO_CHECKOUT]
    if installed:
        found.append(
            f"{len(installed)} results ({cell_name(installed[0])}, ...) were made with a copy of dabs that is "
            f"{NO_CHECKOUT} and was not built from one, so no commit says what was run: clone the project, install it "
            "from there with `pip install .` and run again"
        )
    return found


def _find_protocol_differences(results: Sequence[Result], rules: Rules) -> list[str]:
    """Return a line for each difference from the benchmark: suite, metric, interval, evaluation, budget, encoder."""
    differences: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        interval = result.interval
        wanted: dict[str, Any] = {"suite": rules.suite, "interval.level": LEVEL, "interval.resamples": RESAMPLES}
        found: dict[str, Any] = {
            "suite": result.suite,
            "interval.level": interval.level,
            "interval.resamples": interval.resamples,
        }
        if (result.domain, result.task) in rules.metrics:
            wanted["metric"], found["metric"] = rules.metrics[result.domain, result.task], result.metric.name
        settings = rules.protocols.get(result.protocol, {})
        wanted |= {f"evaluation.{name}": value for name, value in settings.items()}
        found |= {f"evaluation.{name}": value for name, value in result.evaluation.config.items()}
        budget = rules.budgets.get(result.domain, {})
        wanted |= {f"pretraining.{name}": value for name, value in budget.items()}
        found |= {f"pretraining.{name}": result.pretraining.config.get(name) for name in budget}
        if "steps" in budget:
            found["pretraining.steps"] = result.pretraining.steps
        if result.domain in rules.encoders:
            wanted |= {f"encoder.{name}": value for name, value in rules.encoders[result.domain].items()}
            found |= {f"encoder.{name}": value for name, value in result.encoder.config.items()}
        for name in wanted.keys() | found.keys():
            if found.get(name) != wanted.get(name):
                text = (
                    f"{name} is {found.get(name)!r}, but the protocol of {result.domain} requires {wanted.get(name)!r}"
                )
                differences[text].append(result)
    return [f"{text} ({cell_name(group[0])}, {len(group)} results)" for text, group in sorted(differences.items())]


def options_of(result: Result) -> dict[str, Any]:
    """Return the algorithm's own options."""
    options = result.pretraining.config.get("options")
    return dict(options) if isinstance(options, dict) else {}


def _check_fixed_options(results: Sequence[Result]) -> list[str]:
    first = results[0]
    for result in results:
        if options_of(result) != options_of(first):
            return [
                f"the options are {options_of(first)} in {cell_name(first)} and {options_of(result)} in "
                f"{cell_name(result)}: the ruleset fixed requires one setting in all domains; declare what was tried "
                "with --ruleset tuned"
            ]
    return []


def _check_tuned_options(results: Sequence[Result], tuning: Tuning) -> list[str]:
    found, first = [], options_of(results[0])
    unknown = sorted(set(tuning.grid) - set(first))
    if unknown:
        return [
            f"the grid names {', '.join(unknown)}, which the algorithm does not have; it has {', '.join(sorted(first))}"
        ]
    for result in results:
        for name, value in options_of(result).items():
            allowed = [_sorted_json(v) for v in tuning.grid.get(name, (first.get(name),))]
            if _sorted_json(value) not in allowed:
                why = (
                    f"which is not on the declared grid {allowed}"
                    if name in tuning.grid
                    else f"but the grid does not name it, so it must be {allowed[0]} in every domain"
                )
                found.append(f"{name} is {value!r} in {result.domain}, {why}")
    by_seed: dict[str, str] = {}
    for result in results:
        mine = _sorted_json(options_of(result))
        if by_seed.setdefault(result.domain, mine) != mine:
            found.append(f"the options differ between the seeds of {result.domain}")
    return sorted(set(found))


def _sorted_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def cell_name(result: Result) -> str:
    return f"{result.domain}/{result.task} {result.protocol} seed {result.seed}"
