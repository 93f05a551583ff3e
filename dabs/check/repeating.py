"""Checks of repeatability: determinism, state in checkpoints, resuming."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dabs.check.mock import Case, PromiseBroken, Subject, optimizer_of
from dabs.errors import DabsError
from dabs.training.checkpoint import latest_checkpoint, load_training_state, load_weights, save_checkpoint
from dabs.training.step import Objective

STEPS = 3  # before the checkpoint, and as many after it


def determinism(subject: Subject, case: Case) -> None:
    """Two runs with one seed have equal losses and weights, whatever was drawn before them."""
    runs = []
    for other in (11, 12):
        torch.manual_seed(other)  # must not matter, because a run seeds all generators itself
        np.random.seed(other)
        random.seed(other)
        objective = subject.objective(case.specs, seed=3)
        losses = subject.steps(objective, optimizer_of(objective), case.batch(padded=True), 0, STEPS)
        runs.append((losses, objective))
    (first, a), (second, b) = runs
    if first != second:
        step = next(i for i in range(STEPS) if first[i] != second[i])
        raise PromiseBroken(
            f"the loss of step {step} is {first[step]:.9g}, but {second[step]:.9g} in a second run with the same seed; "
            "draw from torch's global generator",
            subject.place("loss"),
        )
    _check_same_state(subject, a, b, "in a second run with the same seed")


def state_round_trip(subject: Subject, case: Case) -> None:
    """A checkpoint restores everything that the loss depends on into a new algorithm."""
    batch = case.batch(padded=True)
    saved, loaded, _ = _save_and_load(subject, case)
    _check_same_state(subject, saved, loaded, "after loading it from a checkpoint")
    before, after = (subject.loss(x, batch, STEPS).item() for x in (saved, loaded))
    if before != after:
        raise PromiseBroken(
            f"the loss is {before:.9g}, but {after:.9g} after loading a checkpoint: something it depends on is "
            "neither a parameter nor a buffer",
            subject.place("__init__"),
        )


def resume(subject: Subject, case: Case) -> None:
    """A run resumed from a checkpoint equals one that was never stopped."""
    batch = case.batch(padded=True)
    saved, loaded, optimizers = _save_and_load(subject, case)
    unbroken, resumed = (
        subject.steps(x, optimizer, batch, STEPS, 2 * STEPS)
        for x, optimizer in zip((saved, loaded), optimizers, strict=True)
    )
    if unbroken != resumed:
        raise PromiseBroken(
            f"the losses after resuming are {resumed}, but {unbroken} without a stop", subject.place("__init__")
        )
    _check_same_state(subject, saved, loaded, "after resuming")


def accumulation(subject: Subject, case: Case) -> None:
    """Its batch can be computed in two parts, and `loss` moves no weights: it would move them once per part."""
    objective, batch = subject.objective(case.specs), case.batch(padded=True)
    before = {name: parameter.detach().clone() for name, parameter in objective.algorithm.named_parameters()}
    subject.loss(objective, batch)
    for name, parameter in objective.algorithm.named_parameters():
        if not torch.equal(parameter, before[name]):
            raise PromiseBroken(
                f"loss changes {name}, which would happen once per part under --accumulate; change it in "
                "after_step(self, encoder, step)",
                subject.place("loss"),
            )
    if objective.algorithm.trains:
        subject.steps(objective, optimizer_of(objective), batch, 0, STEPS, parts=2)


def _save_and_load(subject: Subject, case: Case) -> tuple[Objective, Objective, tuple[torch.optim.AdamW, ...]]:
    """Return an objective after some steps, one of another seed that loaded its checkpoint, and their optimisers."""
    saved, loaded = subject.objective(case.specs, seed=0), subject.objective(case.specs, seed=7)
    optimizers = (optimizer_of(saved), optimizer_of(loaded))
    subject.steps(saved, optimizers[0], case.batch(padded=True), 0, STEPS)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), saved, optimizers[0], {"steps_done": STEPS})
        checkpoint = latest_checkpoint(Path(folder))
        assert checkpoint is not None  # noqa: S101 - it was written two lines above
        try:
            load_training_state(checkpoint, load_weights(checkpoint, loaded), optimizers[1])
        except DabsError as error:
            raise PromiseBroken(
                f"its checkpoint cannot be loaded: {error.__cause__}".split("\n")[0], subject.place("__init__")
            ) from error
    return saved, loaded, optimizers


def _check_same_state(subject: Subject, a: Objective, b: Objective, when: str) -> None:
    states = a.state_dict(), b.state_dict()
    for name, value in states[0].items():
        other = states[1].get(name)
        same = torch.equal(value, other) if isinstance(value, Tensor) and isinstance(other, Tensor) else value == other
        if not same:
            raise PromiseBroken(f"{name} differs {when}", subject.place("loss"))
