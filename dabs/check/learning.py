"""Checks of learning: losses, gradients, constant answers, bf16, compilation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from dabs.algorithm import Algorithm
from dabs.check.mock import Case, NotApplicable, PromiseBroken, Subject, optimizer_of
from dabs.encoder import compile_blocks
from dabs.specs import Batch
from dabs.training.precision import autocast
from dabs.training.step import Objective, seed_all

BATCH_SIZES = (2, 7)  # of one example, `dabs pretrain` refuses a batch
WINDOW = 6  # losses averaged at the beginning and at the end
MIN_FALL = 0.05  # the share of its first value by which the loss must fall
MAX_STEPS = 120
PROJECTION_HEAD = "project."  # prefix of its parameters, which an objective need not use
DRAWS = 8  # random draws that a collapsed encoder is scored on
CONSTANT_TOLERANCE = 1e-3  # how far it may be better than the constant answer, through rounding and chance
BF16_TOLERANCE = 0.1  # of the loss in bf16: relative, or absolute if the loss is below 1


def finite_loss(subject: Subject, case: Case) -> None:
    """`loss` returns a finite scalar, with and without padding."""
    objective = subject.objective(case.specs)
    for padded in (False, True):
        subject.loss(objective, case.batch(padded=padded))


def batch_sizes(subject: Subject, case: Case) -> None:
    """The loss and its gradients are finite for batches of 2 and 7."""
    for size in BATCH_SIZES:
        objective = subject.objective(case.specs)
        try:
            _check_gradients(subject, objective, case.batch(size, padded=True))
        except PromiseBroken as error:
            raise PromiseBroken(f"batch of {size}: {error}", error.place) from error
        except Exception as error:
            error.add_note(f"batch of {size}")
            raise


def _check_gradients(subject: Subject, objective: torch.nn.Module, batch: Batch) -> None:
    loss = subject.loss(objective, batch)  # type: ignore[arg-type]
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in objective.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            raise PromiseBroken(f"the gradient of {name} is not finite", subject.place("loss"))


def gradients(subject: Subject, case: Case) -> None:
    """Gradients reach every parameter of the encoder (its projection head may stay unused)."""
    _skip_unless_it_trains(subject)
    objective = subject.objective(case.specs)
    loss = subject.loss(objective, case.batch())
    loss.backward()  # type: ignore[no-untyped-call]
    silent = [
        name
        for name, parameter in objective.encoder.named_parameters()
        if not name.startswith(PROJECTION_HEAD) and (parameter.grad is None or not parameter.grad.any())
    ]
    if silent:
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        raise PromiseBroken(
            f"no gradient reaches {', '.join(silent[:3])}{more} of the encoder; compute the loss from what "
            "encoder.encode returns, without detach()",
            subject.place("loss"),
        )


def loss_falls(subject: Subject, case: Case) -> None:
    """The loss falls by 5 % within 120 steps on one repeated batch, if need be with what `after_step` moves kept fixed.

    The loss of a student that follows a moving teacher need not fall.
    """
    _skip_unless_it_trains(subject)
    moves = type(subject.objective(case.specs).algorithm).after_step is not Algorithm.after_step
    for after_step in (True, False) if moves else (True,):
        objective, batch = subject.objective(case.specs), case.batch(8)
        optimizer, losses = optimizer_of(objective), list[float]()
        while len(losses) < MAX_STEPS:
            losses += subject.steps(objective, optimizer, batch, len(losses), len(losses) + 10, after_step=after_step)
            first, last = fmean(losses[:WINDOW]), fmean(losses[-WINDOW:])
            if len(losses) > 2 * WINDOW and last < first - MIN_FALL * abs(first):
                return
    fixed = ", even with what `after_step` moves kept fixed" if moves else ""
    raise PromiseBroken(
        f"in {MAX_STEPS} steps on one batch the loss went from {first:.4g} to {last:.4g}, not down by 5 %{fixed}; look "
        "at its sign, at targets that no prediction can reach, and at targets that `loss` moves, not `after_step`",
        subject.place("loss"),
    )


def constant_answer(subject: Subject, case: Case) -> None:
    """Its constant answer has finite values of what `loss` returns, and an encoder that ignores its input is no better.

    `dabs pretrain` compares the end of a run with these values to say whether it learned anything.
    """
    _skip_unless_it_trains(subject)
    place = subject.place("constant_answer")
    for padded in (False, True):
        objective, batch = subject.objective(case.specs), case.batch(8, padded=padded)
        stated = objective.algorithm.constant_answer(batch)
        if not isinstance(stated, dict):
            raise PromiseBroken(f"constant_answer must return a dictionary, not {type(stated).__name__}", place)
        if not stated:
            raise NotApplicable("it states no constant answer, so runs that learned nothing are found by rank alone")
        found = collapsed_scores(subject, objective, batch)
        for name, value in stated.items():
            if name not in found:
                raise PromiseBroken(
                    f"{name!r} of constant_answer is not in what loss returns: {', '.join(found)}", place
                )
            if not math.isfinite(value):
                raise PromiseBroken(f"{name!r} of constant_answer is {value}", place)
            better = value - found[name] if name == "loss" else found[name] - value
            if better > CONSTANT_TOLERANCE:
                raise PromiseBroken(
                    f"an encoder that ignores its input scores {found[name]:.4g} as {name!r}, which is better than "
                    f"the {value:.4g} of constant_answer",
                    place,
                )


def collapsed_scores(subject: Subject, objective: Objective, batch: Batch) -> dict[str, float]:
    """Return the means of what `loss` returns over some draws, where all tokens of all examples are equal."""
    encoder = objective.encoder

    def layers(x_BND: Tensor, *others: Any, **settings: Any) -> Iterator[Tensor]:
        # the mean of ones is exactly 1 for any padding, so that rounding tells no examples apart
        ones = x_BND.new_ones(len(x_BND), 1 + x_BND.shape[1], encoder.width)
        return (ones for _ in encoder.blocks)

    encoder.layers = layers  # type: ignore[method-assign]
    drawn = []
    for step in range(DRAWS):
        seed_all(0, step)
        with torch.no_grad():
            out = objective(batch)
        subject.finite_loss(out)
        drawn.append({name: value.item() for name, value in out.items()})
    return {name: fmean(one[name] for one in drawn) for name in drawn[0]}


def bf16(subject: Subject, case: Case) -> None:
    """Under bf16 autocast the loss agrees with fp32 to within a tenth, and gradients are finite."""
    batch = case.batch(padded=True)
    exact = subject.loss(subject.objective(case.specs), batch).item()
    objective = subject.objective(case.specs)
    with autocast(torch.device("cpu"), "bf16"):
        rounded = subject.loss(objective, batch).item()
        _check_gradients(subject, objective, batch)
    if not math.isclose(rounded, exact, rel_tol=BF16_TOLERANCE, abs_tol=BF16_TOLERANCE):
        raise PromiseBroken(
            f"the loss is {rounded:.4g} in bf16 and {exact:.4g} in fp32; compute what needs digits, such as "
            "similarities and covariances, from x.float() with autocast disabled",
            subject.place("loss"),
        )


def compiled(subject: Subject, case: Case) -> None:
    """With the encoder's blocks compiled, as by `--compile`, its loss stays the same and has gradients.

    Nothing else of an objective is compiled. The last stage, which generates C++ or GPU code from the trace, is left
    out: it needs a compiler and minutes, and its errors are PyTorch's own.
    """
    objective, batch = subject.objective(case.specs), case.batch(padded=True)
    exact = subject.loss(objective, batch).item()
    torch._dynamo.reset()
    other = subject.objective(case.specs)
    compile_blocks(other.encoder, backend="aot_eager_decomp_partition")
    try:
        loss = subject.loss(other, batch)
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]
    finally:
        torch._dynamo.reset()
    if not math.isclose(loss.item(), exact, rel_tol=1e-3, abs_tol=1e-4):
        raise PromiseBroken(
            f"the loss is {loss.item():.6g} with compiled blocks and {exact:.6g} without; look for code that changes "
            "or counts the encoder's calls",
            subject.place("loss"),
        )


def _skip_unless_it_trains(subject: Subject) -> None:
    if not subject.algorithm.trains:
        raise NotApplicable("it takes no steps (trains is False)")
