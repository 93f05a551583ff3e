"""The list of all checks, and running them on every input."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from dabs.algorithm import Algorithm, hyper_parameters
from dabs.check import access, integrity, learning, repeating
from dabs.check.cost import COST_LIMIT, cost
from dabs.check.mock import KINDS, Case, NotApplicable, PromiseBroken, Subject
from dabs.errors import DabsError, first_line, unknown
from dabs.specs import Specs

CheckFunction = Callable[[Subject, Case], str | None]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise that an algorithm makes.

    Attributes:
        name: a few words.
        function: raises if the promise is broken; may return a note.
        method: the algorithm's method whose line is shown if no better place is known.
        blocks: if it fails on an input, the reason why the other checks are skipped there; empty if they are not.
        on: "every" input; only the "first", if the input does not matter; or "domains" (the kinds if none is given).
    """

    name: str
    function: CheckFunction
    method: str = "loss"
    blocks: str = ""
    on: Literal["every", "first", "domains"] = "every"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check on one input; `place` is FILE:LINE of a failure."""

    check: str
    case: str
    outcome: Literal["passed", "failed", "skipped"]
    reason: str = ""
    place: str = ""

    def __str__(self) -> str:
        place = f" ({self.place})" if self.place else ""
        return f"{self.outcome} {self.check} on {self.case}: {self.reason}{place}"


def _is_built(subject: Subject, case: Case) -> None:
    """It can be built with its default hyper-parameters, and each of them has a type and a default."""
    hyper_parameters(subject.algorithm)
    subject.objective(case.specs)


def all_checks(limit: float = COST_LIMIT) -> list[Check]:
    """Return all checks in the order in which they run; `limit` is for the cost of a step."""
    return [
        Check(name="source", function=access.source, on="first"),
        Check(name="builds", function=_is_built, method="__init__", blocks="it could not be built"),
        Check(name="finite loss", function=learning.finite_loss, blocks="its loss has to be right first"),
        Check(name="gradients reach the encoder", function=learning.gradients),
        Check(name="loss falls", function=learning.loss_falls),
        Check(name="constant answer", function=learning.constant_answer, method="constant_answer"),
        Check(name="batch sizes 2 and 7", function=learning.batch_sizes),
        Check(name="determinism", function=repeating.determinism),
        Check(name="state round trip", function=repeating.state_round_trip, method="__init__"),
        Check(name="resume", function=repeating.resume, method="__init__"),
        Check(name="accumulation", function=repeating.accumulation),
        Check(name="padding invariance", function=access.padding),
        Check(name="no labels", function=access.labels),
        Check(name="no files", function=access.files),
        Check(name="encoder unchanged", function=integrity.encoder_unchanged),
        Check(name="bf16", function=learning.bf16),
        Check(name="torch.compile", function=learning.compiled),
        Check(name="cost of a step", function=partial(cost, limit=limit), on="domains"),
    ]


def run_checks(
    algorithm: type[Algorithm],
    domains: dict[str, Specs] | None = None,
    *,
    limit: float = COST_LIMIT,
    only: Iterable[str] = (),
) -> Iterator[Finding]:
    """Run every check on every kind of input and on the specs of some domains.

    Args:
        algorithm: the class, checked with its default hyper-parameters.
        domains: name -> specs, in addition to the kinds of input.
        limit: how many plain steps a step may cost.
        only: names of checks to run; all if empty.

    Yields:
        One finding per check and input. If the algorithm cannot be built for an input, or its loss is not even finite
        there, the other checks are skipped.

    Raises:
        RequestError: there is no check of a name in `only`.
    """
    wanted, names = set(only), [check.name for check in all_checks(limit)]
    for name in sorted(wanted - set(names)):
        raise unknown("check", name, names)
    subject = Subject(algorithm)
    kinds = [Case(name=name, specs=specs) for name, specs in KINDS.items()]
    of_domains = [Case(name=name, specs=specs) for name, specs in (domains or {}).items()]
    cases = {
        "every": [*kinds, *of_domains],
        "first": [replace(kinds[0], name="every input")],
        "domains": of_domains or kinds,
    }
    blocked: dict[str, str] = {}  # case -> why further checks would only repeat a failure
    for check in all_checks(limit):
        for case in cases[check.on]:
            if wanted and check.name not in wanted:
                continue
            if case.name in blocked:
                yield Finding(check=check.name, case=case.name, outcome="skipped", reason=blocked[case.name])
                continue
            finding = run_one(check, subject, case)
            if finding.outcome == "failed" and check.blocks:
                blocked[case.name] = check.blocks
            yield finding


def run_one(check: Check, subject: Subject, case: Case) -> Finding:
    """Run one check on one input."""
    try:
        note = check.function(subject, case)
    except NotApplicable as error:
        return Finding(check=check.name, case=case.name, outcome="skipped", reason=str(error))
    except PromiseBroken as error:
        place = error.place or subject.place(check.method)
        return Finding(check=check.name, case=case.name, outcome="failed", reason=str(error), place=place)
    except Exception as error:
        return Finding(
            check=check.name,
            case=case.name,
            outcome="failed",
            reason=_one_line(error),
            place=_place(error, subject) or subject.place(check.method),
        )
    return Finding(check=check.name, case=case.name, outcome="passed", reason=note or "")


def _one_line(error: Exception) -> str:
    """Return an exception as one line, with the notes that a check added."""
    first = first_line(error)
    kind = "" if isinstance(error, DabsError) else f"{type(error).__name__}: "
    notes = "".join(f"{note}: " for note in getattr(error, "__notes__", []))
    return f"{notes}{kind}{first}"


def _place(error: Exception, subject: Subject) -> str:
    """Return the innermost line of the algorithm's own file in the traceback."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == subject.file]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
