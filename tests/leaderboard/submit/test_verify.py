"""What `dabs leaderboard verify` says of made-up checkouts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from dabs.leaderboard.submit.rules import clashes
from dabs.leaderboard.submit.verify import Known, of_row, settings_of, taken
from dabs.results.schema import Result
from tests.helpers.made_results import altered, make
from tests.leaderboard.submit.test_rules import CELLS, RULES, whole


def row(**options: float) -> list[Result]:
    """Results of one algorithm with an option chosen in each domain."""
    return [
        altered("pretraining.config", {"options": {"rate": rate}}, domain=domain) for domain, rate in options.items()
    ]


def test_an_algorithm_may_be_tuned_again() -> None:
    """Tuned options agree with the default ones, or another's, in some domains; a copy agrees in all."""
    rows = {"shed": settings_of(row(sensor=0.1, speech=0.1))}
    assert taken("ours", row(sensor=0.1, speech=0.3), rows) == []
    (said,) = taken("ours", row(sensor=0.1, speech=0.1), rows)
    assert said == "shed is the same algorithm with the same options"


def test_what_is_kept_of_many_rows_shows_every_clash() -> None:
    tasks = {"sensor": ("exercise", "side")}
    rows = {
        name: [
            make(algorithm=name, task=t, protocol=p, seed=s)
            for t in tasks["sensor"]
            for p in ("linear", "knn")
            for s in (0, 1)
        ]
        for name in ("none", *(f"a{i}" for i in range(20)))
    }
    known = Known(rows)
    assert len(known.firsts) == 2 * 2 * 2  # tasks, protocols, with pretraining and without
    assert {result.algorithm for result in known.floors.values()} == {"none"}
    mine = {"algorithm": "mine", "task": "side"}
    assert clashes([make(**mine)], list(known.firsts.values()), tasks) == []
    for field, value in {
        "suite": "paper",
        "counts.test": 7,
        "data.sha256.test": "0" * 64,
        "metric.chance": 0.3,
        "evaluation.config": {"k": 1},
        "pretraining.config.lr": 0.5,
        "encoder.config": {"width": 1},
    }.items():
        every = [result for own in rows.values() for result in own]
        (said,) = clashes([altered(field, value, **mine)], every, tasks)
        assert field.removesuffix(".test").removesuffix(".chance") in said
        assert clashes([altered(field, value, **mine)], list(known.firsts.values()), tasks) == [said]


SHED = "class ShED: ...\n"
DIGEST = hashlib.sha256(SHED.encode()).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with sources and nothing else."""
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "dabs").mkdir()
    for path in ("algorithms/shed.py", "algorithms/none.py", "algorithms/__init__.py", "dabs/evaluation/raw_input.py"):
        (tmp_path / path).write_text(SHED)
    return tmp_path


def own(results: list[Result], **changes: Any) -> list[Result]:
    """The same results of the source in `root`."""
    return [result.model_copy(update={"algorithm_sha256": DIGEST} | changes) for result in results]


def test_a_row_of_the_projects_own_may_differ_in_seeds_between_protocols(root: Path) -> None:
    tuned = [make(task=task, protocol="finetune", seed=0) for task, _ in CELLS[::2]]
    assert of_row(root, "shed", own([*whole((0, 1, 2)), *tuned]), RULES) == []
    (said,) = of_row(root, "shed", own([*whole((0, 1)), *tuned[1:]]), RULES)
    assert said == "finetune: missing results: sensor/exercise finetune seed 0"
    assert "knn: there are no results" in of_row(root, "shed", own([r for r in whole() if r.protocol != "knn"]), RULES)


@pytest.mark.parametrize("name", ["copied", "__init__", "../algorithms/shed", "wide encoder"])
def test_a_row_without_a_source_is_refused(root: Path, name: str) -> None:
    (said,) = of_row(root, name, own(whole(), algorithm=name), RULES)
    assert said == "is no algorithm of the project: hand it in with `dabs submit`"


def test_a_row_of_another_source_or_encoder_is_refused(root: Path) -> None:
    wide = altered("encoder.config", {"width": 4096, "depth": 4})
    results = [*own(whole()[1:]), wide]
    found = of_row(root, "shed", results, RULES)
    assert f"1 of 8 results were made of another source than {root / 'algorithms/shed.py'}: run again" in found
    assert any(text.startswith("linear: encoder.width is 4096") for text in found)
    assert any(text.startswith("linear: algorithm_sha256 is mixed") for text in found)


@pytest.mark.parametrize(("name", "encoder"), [("none", {"width": 64, "depth": 4}), ("raw", {"components": 256})])
def test_the_floors_learn_nothing(root: Path, name: str, encoder: dict[str, int]) -> None:
    rows = {
        steps: [altered("encoder.config", encoder, algorithm=steps, task=t, protocol=p) for t, p in CELLS]
        for steps in (name, "shed")
    }
    assert of_row(root, name, own(rows[name]), RULES) == []
    found = of_row(root, name, own(rows["shed"], algorithm=name), RULES)
    assert all("pretraining.steps is 600, the protocol of sensor has 0" in text for text in found)
    assert len(found) == 2
    wrong = of_row(root, "none", own([altered("encoder.config", {"width": 9}, algorithm="none")]), RULES)
    assert any("encoder.width is 9" in text for text in wrong)
