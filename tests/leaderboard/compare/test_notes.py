"""Caveats of a comparison that do not depend on its numbers."""

from __future__ import annotations

from dabs.leaderboard.compare.contestants import Contestant, make_contestant
from dabs.leaderboard.compare.notes import notes_of
from dabs.results.entries import Placed
from tests.helpers.made_results import make


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
