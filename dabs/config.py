"""The configuration of a run: its data, encoder, training and protocols.

Importing this module does not load torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import inf
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dabs.errors import RequestError
from dabs.utils.files import short

Suite = Literal["lite", "open", "paper", "paper32"]
"""lite: small enough for a laptop; open: real data, no account; paper: the datasets of the paper; paper32: its image
datasets at 32×32, patch 4."""
SUITES: tuple[str, ...] = get_args(Suite)

EncoderSize = Literal["auto", "small", "paper", "large"]
Precision = Literal["auto", "fp32", "bf16"]
Protocol = Literal["linear", "knn", "linear_tokens", "finetune"]  # how an encoder is evaluated
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
STANDARD_PROTOCOLS: tuple[Protocol, ...] = ("linear", "knn", "linear_tokens")  # what is read unless told otherwise

#: Of published results and of submissions. Scores of the seeds 0 to 6 were seen before lite's budgets were frozen.
OFFICIAL_SEEDS = (7, 8, 9)
FIRST_SEED = OFFICIAL_SEEDS[0]  # unless told otherwise
STANDARD_RATE = {"small": 3e-3, "paper": 1e-4, "large": 1e-4}  # peak learning rate for each encoder size
BUDGETS = (0.25, 1.0, 4.0, 10.0)  # multiples of the standard steps at which results are compared
STANDARD_BETA2 = {"small": 0.95, "paper": 0.999, "large": 0.999}  # AdamW's second beta for each encoder size


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings that define a run besides its algorithm and domain; equal values on one machine give equal numbers."""

    suite: Suite = "lite"  # which datasets to use
    encoder: EncoderSize = "auto"  # size of the encoder; auto: small in lite, paper in the others
    seed: int = FIRST_SEED  # for the initial weights, the order of examples and all random draws
    budget: float = 1.0  # 0.25, 1, 4 or 10: multiplies the domain's standard steps
    steps: int = 0  # optimiser steps; 0: the domain's standard steps, times the budget
    batch_size: int = 0  # examples per step; 0: the domain's standard
    accumulate: int = 1  # split each batch into this many parts to save memory; negatives then come from within a part
    lr: float = 0.0  # peak of AdamW's warm-up and cosine schedule; 0: the encoder's standard (small 3e-3, others 1e-4)
    weight_decay: float = 1e-4  # AdamW's weight decay, on all parameters
    beta2: float = 0.0  # AdamW's second beta; 0: the encoder's standard (small 0.95, others 0.999)
    precision: Precision = "auto"  # auto: bf16 autocast if the processor is fast in it
    compile: bool = False  # torch.compile the encoder's blocks; on a CPU this pays only in long runs of a small encoder


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Training):
    """A pretraining run."""

    algorithm: str  # a registered name, or path/to/file.py:Class
    domain: str  # a registered name
    options: dict[str, Any] = field(default_factory=dict)  # the algorithm's own hyper-parameters

    def __post_init__(self) -> None:
        lowest = {"seed": 0, "steps": 0, "batch_size": 0, "accumulate": 1, "lr": 0.0, "weight_decay": 0.0}
        for name, low in lowest.items():
            if not low <= getattr(self, name) < inf:
                raise RequestError(f"{name} must be at least {low} and finite, not {getattr(self, name)}")
        if self.budget not in BUDGETS:
            raise RequestError(f"budget must be one of {', '.join(f'{b:g}' for b in BUDGETS)}, not {self.budget}")
        if not 0 <= self.beta2 < 1:
            raise RequestError(f"beta2 must be at least 0 and below 1, not {self.beta2}")
        if self.batch_size == 1:
            raise RequestError("batch_size must be at least 2: contrastive objectives need a second example")
        hints = get_type_hints(PretrainConfig)
        for name in ("suite", "encoder", "precision"):
            if getattr(self, name) not in get_args(hints[name]):
                allowed = ", ".join(get_args(hints[name]))
                raise RequestError(f"{name} must be one of {allowed}, not {short(getattr(self, name))}")


def refuse_steps_and_budget(steps: int, budget: float) -> None:
    """Raise RequestError if both are asked for: a budget is a multiple of the standard steps."""
    if steps and budget != 1:
        raise RequestError(
            f"--steps {steps} and --budget {budget:g} contradict each other: a budget multiplies the domain's standard "
            "steps. Give one of them."
        )


def steps_at(budget: float, standard: int) -> int:
    """Return the steps of a budget in a domain with these standard steps."""
    return max(1, round(budget * standard))


_BUDGET = "+budget="


def label_at(label: str, budget: float) -> str:
    """Return what tables and folders call a trained row at a budget: `shed`, or `shed+budget=4`."""
    return label if budget == 1 else f"{label}{_BUDGET}{budget:g}"


def without_budget(label: str) -> str:
    """Return a row's label without its budget."""
    return label.partition(_BUDGET)[0]


def config_from_json(values: Any, where: Path) -> PretrainConfig:
    """Return a configuration from parsed JSON.

    Args:
        values: the parsed JSON.
        where: the file that it comes from, for messages.

    Raises:
        RequestError: the values are not an object, or a key is unknown or missing, or its value is of the wrong type or
            not allowed.
    """
    if not isinstance(values, dict):
        raise RequestError(f"{where}: the configuration must be an object, not {short(values)}.")
    hints = get_type_hints(PretrainConfig)
    known = [f.name for f in fields(PretrainConfig)]
    for key, value in values.items():
        if key not in known:
            raise RequestError(f"{where}: unknown key {short(key)}; known: {', '.join(known)}.")
        wanted = dict if key == "options" else str if get_origin(hints[key]) is Literal else hints[key]
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise RequestError(f"{where}: {key} must be {wanted.__name__}, not {short(value)}.")
    missing = {"algorithm", "domain"} - set(values)
    if missing:
        raise RequestError(f"{where}: {', '.join(sorted(missing))} missing.")
    try:
        return PretrainConfig(**values)
    except RequestError as error:
        raise RequestError(f"{where}: {error}.") from error


_PROTOCOL_NAMES = {
    "linear": "linear probe",
    "knn": "k-nearest neighbours",
    "linear_tokens": "linear probe of all positions",
    "finetune": "fine-tuning",
}


def protocol_name(protocol: str) -> str:
    """Return the name of a protocol in words."""
    return _PROTOCOL_NAMES[protocol]
