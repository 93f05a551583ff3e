"""What `dabs leaderboard verify` finds in made-up checkouts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dabs.leaderboard.submit.rules import find_clashes
from dabs.leaderboard.submit.verify import KnownRows, check_row, find_duplicates, settings_of
from dabs.results.schema import Result
from tests.helpers.made_results import altered, make
from tests.leaderboard.submit.test_rules import CELLS, RULES, whole


def row(**options: float) -> list[Result]:
    """Return results of one algorithm whose option was chosen for each domain."""
    return [
        altered("pretraining.config", {"options": {"rate": rate}}, domain=domain) for domain, rate in options.items()
    ]


def test_an_algorithm_may_be_tuned_again() -> None:
    """Tuned options may equal the default ones, or another row's, in some domains; those of a copy do in all."""
    rows = {"shed": settings_of(row(sensor=0.1, speech=0.1))}
    assert find_duplicates("ours", row(sensor=0.1, speech=0.3), rows) == []
    (message,) = find_duplicates("ours", row(sensor=0.1, speech=0.1), rows)
    assert message == "shed is the same algorithm with the same options"


def test_known_rows_keep_enough_to_find_every_clash() -> None:
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
    known = KnownRows(rows)
    assert len(known.firsts) == 2 * 2 * 2  # tasks, protocols, with pretraining and without
    assert {result.algorithm for result in known.references.values()} == {"none"}
    mine = {"algorithm": "mine", "task": "side"}
    assert find_clashes([make(**mine)], list(known.firsts.values()), tasks) == []
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
        (message,) = find_clashes([altered(field, value, **mine)], every, tasks)
        assert field.removesuffix(".test").removesuffix(".chance") in message
        assert find_clashes([altered(field, value, **mine)], list(known.firsts.values()), tasks) == [message]


SHED = "class ShED: ...\n"
DIGEST = hashlib.sha256(SHED.encode()).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout that holds only sources."""
    (tmp_path / "algorithms").mkdir()
    (tmp_path / "dabs" / "evaluation").mkdir(parents=True)
    for name in ("algorithms/shed", "algorithms/none", "algorithms/__init__", "dabs/evaluation/raw_input"):
        (tmp_path / f"{name}.py").write_text(SHED)
    (tmp_path / "dabs" / "evaluation" / "supervised.py").write_text(SHED)
    return tmp_path


def own(results: list[Result], **changes: Any) -> list[Result]:
    """Return the same results with the hash of the source in `root`."""
    return [result.model_copy(update={"algorithm_sha256": DIGEST} | changes) for result in results]


def test_protocols_of_the_projects_own_row_may_have_different_seeds(root: Path) -> None:
    tuned = [make(task=task, protocol="finetune", seed=0) for task in ("exercise", "side")]
    assert check_row(root, "shed", own([*whole((0, 1)), *tuned]), RULES) == []
    (message,) = check_row(root, "shed", own([*whole((0, 1)), *tuned[1:]]), RULES)
    assert message == "finetune: missing results: sensor/exercise finetune seed 0"
    without_knn = own([result for result in whole() if result.protocol != "knn"])
    assert "knn: there are no results" in check_row(root, "shed", without_knn, RULES)


@pytest.mark.parametrize("name", ["copied", "__init__", "../algorithms/shed", "wide encoder"])
def test_a_row_without_a_source_is_refused(root: Path, name: str) -> None:
    (message,) = check_row(root, name, own(whole(), algorithm=name), RULES)
    assert message == "is not an algorithm of the project: hand it in with `dabs submit`"


def test_a_row_of_another_source_or_encoder_is_refused(root: Path) -> None:
    wide = altered("encoder.config", {"width": 4096, "depth": 4})
    results = [*own(whole()[1:]), wide]
    found = check_row(root, "shed", results, RULES)
    assert f"1 of 12 results were made with another version of {root / 'algorithms/shed.py'}: run again" in found
    assert any(text.startswith("linear: encoder.width is 4096") for text in found)
    assert any(text.startswith("linear: algorithm_sha256 is mixed") for text in found)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [("none", {"width": 64, "depth": 4}), ("raw", {"components": 256}), ("summary", {"statistics": 12})],
)
def test_rows_without_training_take_no_steps(root: Path, name: str, encoder: dict[str, int]) -> None:
    rows = {
        steps: [altered("encoder.config", encoder, algorithm=steps, task=t, protocol=p) for t, p in CELLS]
        for steps in (name, "shed")
    }
    assert check_row(root, name, own(rows[name]), RULES) == []
    found = check_row(root, name, own(rows["shed"], algorithm=name), RULES)
    assert all("pretraining.steps is 600, but the protocol of sensor requires 0" in text for text in found)
    assert len(found) == 3
    wrong = check_row(root, "none", own([altered("encoder.config", {"width": 9}, algorithm="none")]), RULES)
    assert any("encoder.width is 9" in text for text in wrong)


def test_the_supervised_row_takes_the_budget_and_has_a_source_of_its_own(root: Path) -> None:
    results = own([make(algorithm="supervised", task=task, protocol=protocol) for task, protocol in CELLS])
    assert check_row(root, "supervised", results, RULES) == []
    untrained = own([make(algorithm="none", task=task, protocol=protocol) for task, protocol in CELLS])
    found = check_row(root, "supervised", own(untrained, algorithm="supervised"), RULES)
    assert all("pretraining.steps is 0, but the protocol of sensor requires 600" in text for text in found)
    assert len(found) == 3
    (root / "dabs" / "evaluation" / "supervised.py").write_text("# another version")
    (message,) = check_row(root, "supervised", results, RULES)
    assert "supervised.py" in message


def test_a_row_at_another_budget_has_its_steps_and_may_lack_domains(root: Path) -> None:
    def longer(steps: int) -> list[Result]:
        """Return a row of one seed with so many steps at budget 4."""
        found = []
        for task, protocol in CELLS:
            result = make(algorithm="shed+budget=4", task=task, protocol=protocol)
            config = result.pretraining.config | {"budget": 4.0}
            longer = result.pretraining.model_copy(update={"steps": steps, "config": config})
            found.append(result.model_copy(update={"pretraining": longer}))
        return own(found)

    budgets = {**RULES.budgets, "speech": {"steps": 9}}
    rules = replace(RULES, tasks={**RULES.tasks, "speech": ("word",)}, budgets=budgets)
    assert check_row(root, "shed+budget=4", longer(2400), rules) == []
    found = check_row(root, "shed+budget=4", longer(600), rules)
    assert len(found) == 3
    assert all("pretraining.steps is 600, but the protocol of sensor requires 2400" in text for text in found)
    assert any("no results for the domain speech" in text for text in check_row(root, "shed", own(whole()), rules))


@pytest.mark.parametrize("name", ["raw", "summary"])
def test_a_row_without_an_encoder_is_not_fine_tuned(root: Path, name: str) -> None:
    cells = [*CELLS, ("exercise", "finetune"), ("side", "finetune")]
    results = own([make(algorithm=name, task=task, protocol=protocol) for task, protocol in cells])
    without_sizes = replace(RULES, encoders={})
    assert check_row(root, name, results, without_sizes) == ["finetune: there is no encoder to fine-tune"]


@pytest.mark.parametrize("name", ["none", "raw", "Summary", "SUPERVISED"])
def test_the_names_of_the_reference_rows_are_taken(name: str) -> None:
    (message,) = find_duplicates(name, row(sensor=0.1), {})
    assert message == f"the name {name} is taken; choose another"
