"""Checks of access: an algorithm sees no labels, domains, files or padding."""

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
from dabs.check.mock import Case, NotApplicable, PromiseBroken, Subject
from dabs.source_scan import MAY_IMPORT, scan
from dabs.specs import Batch, Tokens

#: Python's audit events for access to files, other programs and the network.
WATCHED_EVENTS = (
    "open",
    "os.listdir",
    "os.scandir",
    "os.system",
    "subprocess.Popen",
    "socket.connect",
    "socket.getaddrinfo",
)
_watching: list[tuple[str, list[str]]] = []  # (the algorithm's file, what was seen); the hook itself cannot be removed


class _LabelRead(Exception):
    """An algorithm read the label of a batch."""


class _WatchedBatch(Batch):
    """A batch with a label that code of one file may not read."""

    refused_to: str

    def __getattribute__(self, name: str) -> Any:
        caller = sys._getframe(1)
        if name == "label" and caller.f_code.co_filename == object.__getattribute__(self, "refused_to"):
            raise _LabelRead(f"{caller.f_code.co_filename}:{caller.f_lineno}")
        return object.__getattribute__(self, name)


def labels(subject: Subject, case: Case) -> None:
    """It never reads a batch's label, and labels in the batch do not change its loss."""
    plain = case.batch(padded=True)
    without = subject.loss(subject.objective(case.specs), plain).item()
    watched = _WatchedBatch(inputs=plain.inputs, mask=plain.mask, label=torch.arange(len(plain)))
    object.__setattr__(watched, "refused_to", subject.file)
    try:
        labelled = subject.loss(subject.objective(case.specs), watched).item()  # fresh: `loss` may have moved a buffer
    except _LabelRead as error:
        raise PromiseBroken("it reads batch.label, which does not exist during pretraining", str(error)) from error
    if labelled != without:
        raise PromiseBroken(
            f"the loss is {without:.9g}, but {labelled:.9g} with labels in the batch", subject.place("loss")
        )


def source(subject: Subject, case: Case) -> None:
    """Its source imports and uses nothing that reaches domains, files, the network or other code."""
    found = scan(source_of(subject.algorithm))
    if found:
        more = f" (and {len(found) - 1} more such lines)" if len(found) > 1 else ""
        hint = f". {MAY_IMPORT}" if "imports" in found[0].what else ""
        raise PromiseBroken(f"the source {found[0].what}{more}{hint}", f"{subject.file}:{found[0].line}")


def files(subject: Subject, case: Case) -> None:
    """It opens no file, starts no program and uses no network while it is built and trained."""
    batch = case.batch(padded=True)
    with _watch_algorithm(subject) as seen:
        try:
            objective = subject.objective(case.specs)
            subject.loss(objective, batch)
            objective.after_step(0)
        except Exception:
            if not seen:  # otherwise the access explains more than this error
                raise
    if seen:
        place, _, what = seen[0].partition(" ")
        raise PromiseBroken(what, place)


@contextmanager
def _watch_algorithm(subject: Subject) -> Iterator[list[str]]:
    """Collect what the algorithm's own code accesses during the block, as texts "FILE:LINE reason"."""
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked.append(True)
    entry: tuple[str, list[str]] = (subject.file, [])
    _watching.append(entry)
    try:
        yield entry[1]
    finally:
        _watching.remove(entry)


_hooked: list[bool] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in WATCHED_EVENTS:
        return
    file, seen = _watching[-1]
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return  # a library that imports a module late
        if frame.f_code.co_filename == file:
            what = str(arguments[0]) if arguments else ""
            seen.append(f"{file}:{frame.f_lineno} it calls {event}({what!r})")
            return
        frame = frame.f_back


def padding(subject: Subject, case: Case) -> None:
    """The ids in padded positions do not change the loss."""
    if not any(isinstance(spec, Tokens) for spec in case.specs):
        raise NotApplicable("this input has no padding")
    batch = case.batch(padded=True)
    generator = torch.Generator().manual_seed(1)
    other = tuple(
        x.where(x != spec.pad, torch.randint(1, spec.vocabulary, x.shape, generator=generator))
        if isinstance(spec, Tokens)
        else x
        for x, spec in zip(batch.inputs, case.specs, strict=True)
    )
    before, after = (
        subject.loss(subject.objective(case.specs).eval(), replace(batch, inputs=inputs)).item()
        for inputs in (batch.inputs, other)
    )
    if not math.isclose(before, after, rel_tol=1e-4, abs_tol=1e-5):
        raise PromiseBroken(
            f"the loss is {before:.6g}, but {after:.6g} with other ids in padded positions; leave out the positions "
            "where batch.mask is false",
            subject.place("loss"),
        )
