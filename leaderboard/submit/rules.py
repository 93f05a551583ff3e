"""What a set of results must be to stand in a table: whole, of one version, by the protocol, under one ruleset."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from dabs.errors import RequestError
from dabs.evaluation.metrics import LEVEL, RESAMPLES
from dabs.leaderboard.tables.aggregate import Tasks, build_table, protocols_of
from dabs.leaderboard.tables.compatibility import setting_of
from dabs.results.schema import Result
from dabs.results.submission import Tuning
from dabs.utils.environment import NO_CHECKOUT

REQUIRED = ("linear", "knn")  # protocols; fine-tuning may be there, then for every task
SHOWN = 4  # missing cells that are named


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the benchmark asks for; made from the registry, so that nothing is written down twice.

    Attributes:
        suite: whose data.
        tasks: all tasks of each domain.
        metrics: by (domain, task).
        budgets: for each domain what its pretraining runs must be: steps, batch_size, accumulate, lr, weight_decay,
            encoder.
        encoders: for each domain the sizes and input specs of its encoder.
        protocols: each protocol's settings.
        seeds: how many pretraining seeds every cell has at least.
    """

    suite: str
    tasks: Tasks
    metrics: Mapping[tuple[str, str], str]
    budgets: Mapping[str, Mapping[str, Any]]
    encoders: Mapping[str, Mapping[str, Any]]
    protocols: Mapping[str, Mapping[str, Any]]
    seeds: int = 2


def broken_rules(results: Sequence[Result], rules: Rules, tuning: Tuning | None) -> list[str]:
    """A text for each rule that a set of results breaks; `tuning` is None under the ruleset `fixed`."""
    if not results:
        return ["there are no results"]
    return [
        *_missing(results, rules),
        *_mixed(results),
        *_unclean(results),
        *_other_protocol(results, rules),
        *(_outside_the_grid(results, tuning) if tuning else _not_one_setting(results)),
    ]


def clashes(results: Sequence[Result], committed: Sequence[Result], tasks: Tasks) -> list[str]:
    """Why results cannot stand in one table with the committed ones, if they cannot: other data, splits or budgets."""
    found = []
    for protocol in protocols_of(results):
        try:
            build_table([*committed, *results], protocol, tasks)
        except RequestError as error:
            found.append(str(error))
    return sorted(set(found))


def _missing(results: Sequence[Result], rules: Rules) -> list[str]:
    seeds = sorted({result.seed for result in results})
    found = []
    if len(seeds) < rules.seeds:
        found.append(
            f"{len(seeds)} pretraining seed{'s' * (len(seeds) != 1)} ({', '.join(map(str, seeds))}), at least "
            f"{rules.seeds} are asked for: run with --seeds {rules.seeds}"
        )
    elif seeds != list(range(len(seeds))):
        found.append(
            f"the pretraining seeds are {', '.join(map(str, seeds))}; they must be 0 to {len(seeds) - 1}, so that none "
            f"was picked: run with --seeds {len(seeds)}"
        )
    there = {(r.domain, r.task, r.protocol, r.seed) for r in results}
    absent = [domain for domain in rules.tasks if domain not in {result.domain for result in results}]
    if absent:
        found.append(f"no results of the domain{'s' * (len(absent) > 1)} {', '.join(absent)}")
    protocols = [p for p in rules.protocols if p in REQUIRED or p in {r.protocol for r in results}]
    wanted = [(d, t) for d, tasks in rules.tasks.items() if d not in absent for t in tasks]
    gone = [f"{d}/{t} {p} seed {s}" for (d, t), p, s in product(wanted, protocols, seeds) if (d, t, p, s) not in there]
    if gone:
        more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
        found.append(f"missing results: {', '.join(gone[:SHOWN])}{more}")
    foreign = sorted({f"{d}/{t}" for d, t, _, _ in there if t not in rules.tasks.get(d, ())})
    if foreign:
        found.append(f"results of tasks that the {rules.suite} suite does not have: {', '.join(foreign)}")
    twice = len(results) - len(there)
    return found + ([f"{twice} results stand twice"] if twice else [])


def _mixed(results: Sequence[Result]) -> list[str]:
    """Facts that all results of a submission share."""
    facts: dict[str, Callable[[Result], Any]] = {
        "suite": lambda r: r.suite,
        "algorithm": lambda r: r.algorithm,
        "algorithm_sha256": lambda r: r.algorithm_sha256,
        "environment.dabs_version": lambda r: r.environment.dabs_version,
        "environment.git_commit": lambda r: r.environment.git_commit,
        "environment.python": lambda r: r.environment.python,
        "environment.versions": lambda r: r.environment.versions,
        "environment.device": lambda r: r.environment.device,
        "environment.precision": lambda r: r.environment.precision,
    }
    found = []
    for name, fact in facts.items():
        groups: dict[str, list[Result]] = defaultdict(list)
        for result in results:
            groups[json.dumps(fact(result), sort_keys=True)].append(result)
        if len(groups) > 1:
            parts = [f"{value} in {len(group)} ({_cell(group[0])}, ...)" for value, group in sorted(groups.items())]
            found.append(f"{name} is mixed: {'; '.join(parts)}. Make all results with one version")
    return found


def _unclean(results: Sequence[Result]) -> list[str]:
    """Results of which no commit says what was run."""
    found = []
    dirty = [result for result in results if result.environment.git_dirty]
    if dirty:
        found.append(
            f"{len(dirty)} results ({_cell(dirty[0])}, ...) were made from a checkout of dabs with uncommitted "
            "changes: commit or undo them and run again (your own algorithm file may lie outside the checkout)"
        )
    installed = [result for result in results if result.environment.git_commit == NO_CHECKOUT]
    if installed:
        found.append(
            f"{len(installed)} results ({_cell(installed[0])}, ...) were made with a copy of dabs that is "
            f"{NO_CHECKOUT}, so no commit says what was run: clone the project, install it from there with "
            "`pip install --editable .` and run again"
        )
    return found


def _other_protocol(results: Sequence[Result], rules: Rules) -> list[str]:
    """Where suite, metric, interval, evaluation, budget or encoder is not the benchmark's, one text a difference."""
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
        found |= {f"pretraining.{name}": setting_of(result, name) for name in budget}
        if "steps" in budget:
            found["pretraining.steps"] = result.pretraining.steps
        if result.domain in rules.encoders:
            wanted |= {f"encoder.{name}": value for name, value in rules.encoders[result.domain].items()}
            found |= {f"encoder.{name}": value for name, value in result.encoder.config.items()}
        for name in wanted.keys() | found.keys():
            if found.get(name) != wanted.get(name):
                text = f"{name} is {found.get(name)!r}, the protocol of {result.domain} has {wanted.get(name)!r}"
                differences[text].append(result)
    return [f"{text} ({_cell(group[0])}, {len(group)} results)" for text, group in sorted(differences.items())]


def options_of(result: Result) -> dict[str, Any]:
    """The algorithm's own options."""
    options = result.pretraining.config.get("options")
    return dict(options) if isinstance(options, dict) else {}


def _not_one_setting(results: Sequence[Result]) -> list[str]:
    first = results[0]
    for result in results:
        if options_of(result) != options_of(first):
            return [
                f"the options are {options_of(first)} in {_cell(first)} and {options_of(result)} in {_cell(result)}: "
                "the ruleset fixed asks for one setting in all domains; declare what was tried with --ruleset tuned"
            ]
    return []


def _outside_the_grid(results: Sequence[Result], tuning: Tuning) -> list[str]:
    found, first = [], options_of(results[0])
    unknown = sorted(set(tuning.grid) - set(first))
    if unknown:
        return [f"the grid names {', '.join(unknown)}, which the algorithm has not; it has {', '.join(sorted(first))}"]
    for result in results:
        for name, value in options_of(result).items():
            allowed = [_plain(v) for v in tuning.grid.get(name, (first.get(name),))]
            if _plain(value) not in allowed:
                where = (
                    "on the declared grid" if name in tuning.grid else "tuned by declaration, so one for all domains"
                )
                found.append(f"{name} is {value!r} in {result.domain}, which is not {where} {allowed}")
    by_seed: dict[str, str] = {}
    for result in results:
        mine = _plain(options_of(result))
        if by_seed.setdefault(result.domain, mine) != mine:
            found.append(f"the options differ between the seeds of {result.domain}")
    return sorted(set(found))


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _cell(result: Result) -> str:
    return f"{result.domain}/{result.task} {result.protocol} seed {result.seed}"
