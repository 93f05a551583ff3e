"""What it sees: no labels, no domain, no files, nothing of padded places."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import torch

from dabs.algorithm import source_of
from dabs.check.mock import Broken, Case, NotApplicable, Subject
from dabs.source_scan import scan
from dabs.specs import Batch, Tokens
from dabs.training.step import Objective

#: Events of Python's audit that reach out of the process or into its files.
WATCHED = ("open", "os.listdir", "os.scandir", "os.system", "subprocess.Popen", "socket.connect", "socket.getaddrinfo")
_watching: list[tuple[str, list[str]]] = []  # (the algorithm's file, what was seen); the hook itself cannot be removed


class _LabelRead(Exception):
    """An algorithm asked a batch for its label."""


class _WatchedBatch(Batch):
    """A batch that has a label, and refuses it to code of one file."""

    refused_to: str

    def __getattribute__(self, name: str) -> Any:
        caller = sys._getframe(1)
        if name == "label" and caller.f_code.co_filename == object.__getattribute__(self, "refused_to"):
            raise _LabelRead(f"{caller.f_code.co_filename}:{caller.f_lineno}")
        return object.__getattribute__(self, name)


def labels(subject: Subject, case: Case) -> None:
    """It never asks a batch for its label, and a label that is there changes nothing."""
    objective, plain = subject.objective(case.specs), case.batch(padded=True)
    without = subject.loss(objective, plain).item()
    watched = _WatchedBatch(inputs=plain.inputs, mask=plain.mask, label=torch.arange(len(plain)))
    object.__setattr__(watched, "refused_to", subject.file)
    try:
        labelled = subject.loss(objective, watched).item()
    except _LabelRead as error:
        raise Broken("it reads batch.label, which is absent while an algorithm learns", str(error)) from error
    if labelled != without:
        raise Broken(f"the loss is {without:.9g}, and {labelled:.9g} with labels in the batch", subject.place("loss"))


def source(subject: Subject, case: Case) -> None:
    """Its source imports and calls nothing that reaches domains, files, the network or other code."""
    found = scan(source_of(subject.algorithm))
    if found:
        more = f" (and {len(found) - 1} more such lines)" if len(found) > 1 else ""
        raise Broken(f"the source {found[0].what}{more}", f"{subject.file}:{found[0].line}")


def files(subject: Subject, case: Case) -> None:
    """It opens no file, starts no program and uses no network while it is built and computes its loss."""
    batch = case.batch(padded=True)
    with _watched(subject) as seen:
        try:
            objective = subject.objective(case.specs)
            subject.loss(objective, batch)
            objective.algorithm.after_step(0)
        except Exception:
            if not seen:  # what it reached for says more than that it failed
                raise
    if seen:
        place, _, what = seen[0].partition(" ")
        raise Broken(what, place)


@contextmanager
def _watched(subject: Subject) -> Iterator[list[str]]:
    """What the algorithm's own code reaches for meanwhile, a text "FILE:LINE what" each."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    entry: tuple[str, list[str]] = (subject.file, [])
    _watching.append(entry)
    try:
        yield entry[1]
    finally:
        _watching.remove(entry)


_hooked: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in WATCHED:
        return
    file, seen = _watching[-1]
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return  # a library that loads its parts late
        if frame.f_code.co_filename == file:
            what = str(arguments[0]) if arguments else ""
            seen.append(f"{file}:{frame.f_lineno} it does {event} {what!r}")
            return
        frame = frame.f_back


def padding(subject: Subject, case: Case) -> None:
    """What stands in padded places does not change the loss."""
    if not any(isinstance(spec, Tokens) for spec in case.specs):
        raise NotApplicable("nothing is padded in this input")
    objective, batch = subject.objective(case.specs).eval(), case.batch(padded=True)
    generator = torch.Generator().manual_seed(1)
    other = tuple(
        x.where(x != spec.pad, torch.randint(1, spec.vocabulary, x.shape, generator=generator))
        if isinstance(spec, Tokens)
        else x
        for x, spec in zip(batch.inputs, case.specs, strict=True)
    )
    before, after = (_loss(subject, objective, replace(batch, inputs=inputs)) for inputs in (batch.inputs, other))
    if not math.isclose(before, after, rel_tol=1e-4, abs_tol=1e-5):
        raise Broken(
            f"the loss is {before:.6g}, and {after:.6g} with other ids in padded places; leave out where batch.mask "
            "is false",
            subject.place("loss"),
        )


def _loss(subject: Subject, objective: Objective, batch: Batch) -> float:
    return subject.loss(objective, batch).item()
