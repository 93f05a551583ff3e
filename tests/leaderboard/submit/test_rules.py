"""Which rules made-up sets of results break, and which they follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dabs.config import PROTOCOLS
from dabs.leaderboard.submit.rules import REQUIRED, Rules, find_broken_rules
from dabs.results.schema import Result
from tests.helpers.made_results import altered, make

RULES = Rules(
    suite="lite",
    tasks={"sensor": ("exercise", "side")},
    metrics={("sensor", task): "accuracy" for task in ("exercise", "side")},
    budgets={"sensor": {"steps": 600, "lr": 0.0001}},
    encoders={"sensor": {"width": 64, "depth": 4}},
    seeds=(0, 1),
    protocols={protocol: {"protocol": protocol, "features": "mean"} for protocol in PROTOCOLS},
)
CELLS = [(task, protocol) for task in ("exercise", "side") for protocol in REQUIRED]


def whole(seeds: tuple[int, ...] = (0, 1)) -> list[Result]:
    """Return a complete set of results, which follows the rules if the seeds do."""
    return [make(task=task, protocol=protocol, seed=seed) for task, protocol in CELLS for seed in seeds]


def with_field(path: str, value: Any) -> list[Result]:
    """Return a complete set of results with one field changed in each."""
    return [altered(path, value, task=task, protocol=protocol, seed=s) for task, protocol in CELLS for s in (0, 1)]


def test_a_whole_set_breaks_nothing() -> None:
    assert find_broken_rules(whole(), RULES, None) == []
    assert find_broken_rules([], RULES, None) == ["there are no results"]


def test_the_linear_probe_of_all_positions_is_required_and_fine_tuning_is_not() -> None:
    assert REQUIRED == ("linear", "knn", "linear_tokens")
    (message,) = find_broken_rules([r for r in whole() if r.protocol != "linear_tokens"], RULES, None)
    assert message.startswith("missing results: sensor/exercise linear_tokens seed 0")
    (message,) = find_broken_rules([*whole(), make(protocol="finetune")], RULES, None)
    assert message.startswith("missing results: sensor/exercise finetune seed 1, sensor/side finetune seed 0")


def test_runs_that_did_not_learn_are_accepted() -> None:
    reason = "the loss ended at the constant answer"
    results = [make(task=task, protocol=protocol, seed=s, reason=reason) for task, protocol in CELLS for s in (0, 1)]
    assert find_broken_rules(results, RULES, None) == []


def test_results_of_a_copy_without_a_commit_are_refused() -> None:
    (message,) = find_broken_rules(with_field("environment.git_commit", "not a git checkout"), RULES, None)
    assert "12 results (sensor/exercise linear seed 0, ...)" in message
    assert "pip install ." in message


@pytest.mark.parametrize("seeds", [(3, 7), (1,), (0,), (0, 1, 2), (1, 0, 4)])
def test_other_seeds_than_the_fixed_ones_are_refused(seeds: tuple[int, ...]) -> None:
    """Neither which seeds nor how many can be chosen once the scores are known."""
    (message,) = find_broken_rules(whole(seeds), RULES, None)
    given = ", ".join(map(str, sorted(seeds)))
    assert message.startswith(f"the pretraining seeds are {given}; they must be 0, 1, which the lite suite fixes")


def test_a_row_of_the_project_may_have_the_first_of_the_seeds() -> None:
    own = replace(RULES, seeds=(0, 1, 2), every_seed=False)
    assert find_broken_rules(whole((0, 1)), own, None) == []
    (message,) = find_broken_rules(whole((0, 2)), own, None)
    assert "they must be the first of 0, 1, 2" in message


def test_the_domains_of_a_row_of_the_project_may_have_different_seeds() -> None:
    tasks = {"sensor": RULES.tasks["sensor"], "speech": ("word",)}
    own = replace(RULES, tasks=tasks, seeds=(0, 1, 2), every_seed=False)
    one = [make(domain="speech", task="word", protocol=protocol, seed=0) for protocol in REQUIRED]

    def about_seeds(results: list[Result], rules: Rules) -> list[str]:
        return [line for line in find_broken_rules(results, rules, None) if "missing" in line or "seeds" in line]

    assert about_seeds([*whole((0, 1)), *one], own) == []
    assert "speech/word linear seed 1" in " ".join(about_seeds([*whole((0, 1)), *one], replace(own, every_seed=True)))


def test_a_batch_in_parts_is_another_budget() -> None:
    budgets = {"sensor": {**RULES.budgets["sensor"], "accumulate": 1}}
    rules = replace(RULES, budgets=budgets)
    whole_batches, parts = ({"seed": 0, "lr": 0.0001, "accumulate": n} for n in (1, 4))
    assert find_broken_rules(with_field("pretraining.config", whole_batches), rules, None) == []
    (message,) = find_broken_rules(with_field("pretraining.config", parts), rules, None)
    assert message.startswith("pretraining.accumulate is 4, but the protocol of sensor requires 1")


def test_an_interval_of_another_level_is_refused() -> None:
    (message,) = find_broken_rules(with_field("interval.level", 0.5), RULES, None)
    assert message.startswith("interval.level is 0.5, but the protocol of sensor requires 0.95")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"width": 4096, "depth": 4}, "encoder.width is 4096, but the protocol of sensor requires 64"),
        ({"width": 64}, "encoder.depth is None, but the protocol of sensor requires 4"),
        ({"width": 64, "depth": 4, "experts": 8}, "encoder.experts is 8, but the protocol of sensor requires None"),
    ],
)
def test_an_encoder_of_other_sizes_is_refused(config: dict[str, int], message: str) -> None:
    (found,) = find_broken_rules(with_field("encoder.config", config), RULES, None)
    assert found.startswith(message)


def test_the_rules_have_every_size_of_a_suites_encoder() -> None:
    from dabs.leaderboard.cli.suite_rules import build_rules

    encoder = build_rules("lite", ("sensor",)).encoders["sensor"]
    assert (encoder["width"], encoder["depth"], encoder["heads"], encoder["mlp"]) == (128, 3, 4, 256)
    assert encoder["specs"] == [{"kind": "series", "steps": 128, "channels": 6, "segment": 4}]
