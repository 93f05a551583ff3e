"""Agreement of the protocols on the order of the rows, and the settings that they choose."""

from __future__ import annotations

from typing import Any

import pytest

from dabs.leaderboard.tables.agreement import Share, agreements, edge_choices, finetuned_at_least_probed
from dabs.results.schema import Result
from tests.helpers.made_results import altered, make


def rows(protocol: str, domain: str, task: str, **scores: float) -> list[Result]:
    """Return a result of each algorithm on one task."""
    return [
        make(algorithm=name, protocol=protocol, domain=domain, task=task, score=score) for name, score in scores.items()
    ]


def test_tau_compares_orders_in_each_domain_and_overall() -> None:
    results = [
        *rows("linear", "sensor", "exercise", none=0.1, a=0.2, b=0.3, supervised=0.9),
        *rows("knn", "sensor", "exercise", none=0.1, a=0.5, b=0.6, supervised=0.0),
        *rows("linear", "speech", "word", none=0.1, a=0.2, b=0.3),
        *rows("knn", "speech", "word", none=0.3, a=0.2, b=0.1),
    ]
    (found,) = agreements(results)
    assert (found.first, found.second, found.rows) == ("linear", "knn", 3)
    assert dict(found.domains) == pytest.approx({"sensor": 1.0, "speech": -1.0})
    assert found.mean == pytest.approx(0.0)
    # means over both domains: none 0.1 and 0.2, a 0.2 and 0.35, b 0.3 and 0.35, so one pair of three is tied under knn
    assert found.overall == pytest.approx(2 / (3 * 2) ** 0.5)


def test_rows_of_one_protocol_only_are_left_out_and_two_rows_are_too_few() -> None:
    results = [
        *rows("linear", "sensor", "exercise", raw=0.9, none=0.1, a=0.2),
        *rows("finetune", "sensor", "exercise", none=0.1, a=0.2),
    ]
    (found,) = agreements(results)
    assert (found.rows, dict(found.domains), found.mean, found.overall) == (2, {}, None, None)
    assert agreements(results[:3]) == []


def test_equal_scores_have_no_order() -> None:
    results = [
        *rows("linear", "sensor", "side", a=0.1, b=0.2, c=0.3),
        *rows("knn", "sensor", "side", a=0.2, b=0.2, c=0.2),
    ]
    assert agreements(results)[0].overall is None


def chosen(protocol: str, value: float, seed: int, **config: Any) -> Result:
    """Return a result whose setting was chosen from a grid."""
    result = altered("evaluation.config", config, protocol=protocol, seed=seed)
    name = "C" if "strengths" in config else "lr"
    return result.model_copy(update={"selected": {name: value}})


def test_both_ends_of_every_grid_are_counted() -> None:
    grid = [0.01, 0.1, 1.0]
    results = [chosen("linear", value, i, strengths=grid) for i, value in enumerate((0.01, 0.1, 1.0, 1.0))]
    results += [chosen("finetune", value, i, learning_rates=[1e-4, 1e-3]) for i, value in enumerate((1e-4, 1e-4))]
    own_head = chosen("finetune", 1e-3, 9, learning_rates=[1e-4, 1e-3])
    results += [make(protocol="knn"), own_head.model_copy(update={"algorithm": "supervised"})]
    linear, finetune = edge_choices(results)
    assert (linear.protocol, linear.setting) == ("linear", "C")
    assert (linear.lowest, linear.highest) == (Share(count=1, of=4), Share(count=2, of=4))
    assert (finetune.protocol, finetune.setting) == ("finetune", "lr")
    assert (finetune.lowest.share, finetune.highest.share) == (1.0, 0.0)


def test_fine_tuning_is_compared_with_the_probe_of_the_same_run() -> None:
    scores = {("linear", 0): 0.5, ("finetune", 0): 0.5, ("linear", 1): 0.6, ("finetune", 1): 0.5, ("finetune", 2): 0.9}
    results = [make(protocol=protocol, seed=seed, score=score) for (protocol, seed), score in scores.items()]
    results += [make(algorithm="supervised", protocol=p, score=s) for p, s in (("linear", 0.1), ("finetune", 0.9))]
    assert finetuned_at_least_probed(results) == Share(count=1, of=2)
    assert finetuned_at_least_probed([]).share is None
