"""Caveats of a comparison that do not depend on its numbers."""

from __future__ import annotations

from dabs.leaderboard.compare.contestants import Contestant, make_contestant
from dabs.leaderboard.compare.notes import notes_of
from dabs.results.entries import Placed
from tests.helpers.made_results import altered, make


def contestant(name: str, reasons: dict[tuple[str, int], str]) -> Contestant:
    """Return a contestant with a result for each (task of sensor, seed); the value says why its run did not learn."""
    results = [make(algorithm=name, task=task, seed=seed, reason=why) for (task, seed), why in reasons.items()]
    return make_contestant(name, "", [Placed(result=result) for result in results])


def failures(*contestants: Contestant) -> list[str]:
    return [note for note in notes_of(contestants, (), {}, {}) if "did not learn" in note]


def test_runs_that_did_not_learn_are_noted() -> None:
    fine = contestant("emix", {("exercise", 0): "", ("side", 0): ""})
    bad = contestant("shed", {(task, seed): "it collapsed" * seed for task in ("exercise", "side") for seed in (0, 1)})
    (note,) = failures(fine, bad)
    assert note.startswith("shed did not learn on sensor (1 run: it collapsed). Its scores there")
    assert failures(fine) == []


def test_each_task_has_its_own_supervised_run() -> None:
    bad = contestant("supervised", {("exercise", 0): "", ("side", 0): "it collapsed"})
    (note,) = failures(bad)
    assert note.startswith("supervised did not learn on sensor/side (1 run: it collapsed).")


def at(budget: float, name: str) -> Contestant:
    """Return a contestant whose run took a multiple of the standard steps."""
    result = altered("pretraining.config", {"budget": budget}, algorithm=name)
    return make_contestant(name, "", [Placed(result=result)])


def budgets(*contestants: Contestant) -> list[str]:
    return [note for note in notes_of(contestants, (), {}, {}) if "standard steps" in note]


def test_budgets_are_noted_unless_all_took_the_standard_steps() -> None:
    none = contestant("none", {("exercise", 0): ""})
    assert budgets(at(1, "shed"), at(1, "emix"), none) == []
    assert budgets(none) == []
    assert budgets(at(4, "shed"), at(4, "emix"), none) == [
        "Every row that was pretrained took 4 times the standard steps."
    ]
    (note,) = budgets(at(4, "shed+budget=4"), at(1, "shed"), none)
    assert note.startswith(
        "The budgets differ (times the standard steps: shed+budget=4 4, shed 1): a difference may come"
    )
