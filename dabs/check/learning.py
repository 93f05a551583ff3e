"""Does it learn: finite losses, gradients, a falling loss, every batch size, reduced precision, a compiled step."""

from __future__ import annotations

import math
from statistics import fmean

import torch

from dabs.check.mock import Broken, Case, NotApplicable, Subject, optimizer_of
from dabs.specs import Batch
from dabs.training.precision import autocast

SIZES = (1, 2, 7)
WINDOW = 6  # losses averaged at either end
FALL = 0.05  # share of its size by which the loss must have fallen
MOST_STEPS = 120
UNUSED = "project."  # the encoder's head, which an objective need not use
ROUGH = 0.1  # how far bf16 may be off, as a share of the loss (of 1 where the loss is smaller)


def finite_loss(subject: Subject, case: Case) -> None:
    """`loss` gives a finite scalar, with and without padding."""
    objective = subject.objective(case.specs)
    for padded in (False, True):
        subject.loss(objective, case.batch(padded=padded))


def batch_sizes(subject: Subject, case: Case) -> None:
    """Loss and gradients are finite for batches of 1, 2 and 7."""
    for size in SIZES:
        objective = subject.objective(case.specs)
        try:
            _backward(subject, objective, case.batch(size, padded=True))
        except Broken as error:
            hint = "; guard what divides by B - 1 or needs a partner" if size == 1 else ""
            raise Broken(f"batch of {size}: {error}{hint}", error.place) from error
        except Exception as error:
            error.add_note(f"batch of {size}")
            raise


def _backward(subject: Subject, objective: torch.nn.Module, batch: Batch) -> None:
    loss = subject.loss(objective, batch)  # type: ignore[arg-type]
    if loss.requires_grad:
        loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in objective.named_parameters():
        if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
            raise Broken(f"the gradient of {name} is not finite", subject.place("loss"))


def gradients(subject: Subject, case: Case) -> None:
    """Gradients reach every parameter of the encoder (its projection head may stay unused)."""
    _learns(subject)
    objective = subject.objective(case.specs)
    loss = subject.loss(objective, case.batch())
    if not loss.requires_grad:
        raise Broken("the loss depends on no parameter: it has no gradient", subject.place("loss"))
    loss.backward()  # type: ignore[no-untyped-call]
    silent = [
        name
        for name, parameter in objective.encoder.named_parameters()
        if not name.startswith(UNUSED) and (parameter.grad is None or not parameter.grad.any())
    ]
    if silent:
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        raise Broken(f"no gradient reaches {', '.join(silent[:3])}{more} of the encoder", subject.place("loss"))


def loss_falls(subject: Subject, case: Case) -> None:
    """The loss falls by 5 % within 120 steps on one repeated batch."""
    _learns(subject)
    objective, batch = subject.objective(case.specs), case.batch(8)
    optimizer, losses = optimizer_of(objective), list[float]()
    while len(losses) < MOST_STEPS:
        losses += subject.steps(objective, optimizer, batch, len(losses), len(losses) + 10)
        first, last = fmean(losses[:WINDOW]), fmean(losses[-WINDOW:])
        if len(losses) > 2 * WINDOW and last < first - FALL * abs(first):
            return
    raise Broken(
        f"in {MOST_STEPS} steps on one batch the loss went from {first:.4g} to {last:.4g}", subject.place("loss")
    )


def bf16(subject: Subject, case: Case) -> None:
    """Under bf16 autocast the loss agrees within a tenth and gradients are finite."""
    objective, batch = subject.objective(case.specs), case.batch(padded=True)
    exact = subject.loss(objective, batch).item()
    with autocast(torch.device("cpu"), "bf16"):
        rough = subject.loss(objective, batch).item()
        _backward(subject, objective, batch)
    if not math.isclose(rough, exact, rel_tol=ROUGH, abs_tol=ROUGH):
        raise Broken(f"the loss is {rough:.4g} in bf16 and {exact:.4g} in fp32", subject.place("loss"))


def compiled(subject: Subject, case: Case) -> None:
    """torch.compile traces it forward and back, and the loss is the same.

    The last stage, generating C++ or GPU code from the trace, is left out: it needs a compiler and minutes, and what
    goes wrong there is PyTorch's.
    """
    objective, batch = subject.objective(case.specs), case.batch(padded=True)
    exact = subject.loss(objective, batch).item()
    torch._dynamo.reset()
    module = torch.compile(objective, backend="aot_eager_decomp_partition")
    try:
        quick = subject.loss(module, batch)  # type: ignore[arg-type]
        if quick.requires_grad:
            quick.backward()  # type: ignore[no-untyped-call]
    finally:
        torch._dynamo.reset()
    if not math.isclose(quick.item(), exact, rel_tol=1e-3, abs_tol=1e-4):
        raise Broken(f"the loss is {quick.item():.6g} compiled and {exact:.6g} uncompiled", subject.place("loss"))


def _learns(subject: Subject) -> None:
    if not subject.algorithm.trains:
        raise NotApplicable("it takes no step (trains is False)")
