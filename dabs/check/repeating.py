"""Does it repeat: one seed gives one run, a checkpoint holds the whole state, a resumed run equals an unbroken one."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dabs.check.mock import Broken, Case, Subject, optimizer_of
from dabs.errors import DabsError
from dabs.training.checkpoint import latest_checkpoint, load_training_state, load_weights, save_checkpoint
from dabs.training.step import Objective

STEPS = 3  # before the checkpoint, and again after it


def determinism(subject: Subject, case: Case) -> None:
    """Two runs of one seed have equal losses and weights, whatever was drawn between them."""
    runs = []
    for other in (11, 12):
        torch.manual_seed(other)  # what happened before must not matter: the run seeds itself
        np.random.seed(other)
        random.seed(other)
        objective = subject.objective(case.specs, seed=3)
        losses = subject.steps(objective, optimizer_of(objective), case.batch(padded=True), 0, STEPS)
        runs.append((losses, objective))
    (first, a), (second, b) = runs
    if first != second:
        step = next(i for i in range(STEPS) if first[i] != second[i])
        raise Broken(
            f"the loss of step {step} is {first[step]:.9g}, and {second[step]:.9g} in a second run with the same seed; "
            "draw from torch's global generator",
            subject.place("loss"),
        )
    _same_state(subject, a, b, "in a second run with the same seed")


def state_round_trip(subject: Subject, case: Case) -> None:
    """A checkpoint restores everything the loss depends on into a fresh algorithm."""
    batch = case.batch(padded=True)
    saved, loaded, _ = _interrupted(subject, case)
    _same_state(subject, saved, loaded, "after loading it from a checkpoint")
    before, after = (subject.loss(x, batch, STEPS).item() for x in (saved, loaded))
    if before != after:
        raise Broken(
            f"the loss is {before:.9g}, and {after:.9g} after a checkpoint was loaded: something it depends on is "
            "neither a parameter nor a buffer",
            subject.place("__init__"),
        )


def resume(subject: Subject, case: Case) -> None:
    """A run that goes on from a checkpoint equals one that was never stopped."""
    batch = case.batch(padded=True)
    saved, loaded, optimizers = _interrupted(subject, case)
    unbroken, resumed = (
        subject.steps(x, optimizer, batch, STEPS, 2 * STEPS)
        for x, optimizer in zip((saved, loaded), optimizers, strict=True)
    )
    if unbroken != resumed:
        raise Broken(f"the losses after resuming are {resumed}, without a stop {unbroken}", subject.place("__init__"))
    _same_state(subject, saved, loaded, "after resuming")


def _interrupted(subject: Subject, case: Case) -> tuple[Objective, Objective, tuple[torch.optim.AdamW, ...]]:
    """An objective after some steps, and one of another seed that was loaded from its checkpoint; their optimisers."""
    saved, loaded = subject.objective(case.specs, seed=0), subject.objective(case.specs, seed=7)
    optimizers = (optimizer_of(saved), optimizer_of(loaded))
    subject.steps(saved, optimizers[0], case.batch(padded=True), 0, STEPS)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), saved, optimizers[0], {"steps_done": STEPS})
        checkpoint = latest_checkpoint(Path(folder))
        assert checkpoint is not None  # noqa: S101 - it was written on the line before
        try:
            load_training_state(checkpoint, load_weights(checkpoint, loaded), optimizers[1])
        except DabsError as error:
            raise Broken(
                f"its checkpoint cannot be loaded: {error.__cause__}".split("\n")[0], subject.place("__init__")
            ) from error
    return saved, loaded, optimizers


def _same_state(subject: Subject, a: Objective, b: Objective, when: str) -> None:
    states = a.state_dict(), b.state_dict()
    for name, value in states[0].items():
        other = states[1].get(name)
        same = torch.equal(value, other) if isinstance(value, Tensor) and isinstance(other, Tensor) else value == other
        if not same:
            raise Broken(f"{name} differs {when}", subject.place("loss"))
