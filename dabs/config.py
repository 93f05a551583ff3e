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

Suite = Literal["lite", "paper", "paper32"]
"""lite: small enough for a laptop; paper: the datasets of the paper; paper32: its image datasets at 32×32, patch 4."""
SUITES: tuple[str, ...] = get_args(Suite)

EncoderSize = Literal["auto", "small", "paper", "large"]
Precision = Literal["auto", "fp32", "bf16"]
Protocol = Literal["linear", "knn", "linear_tokens", "finetune"]  # how an encoder is evaluated
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
STANDARD_PROTOCOLS: tuple[Protocol, ...] = ("linear", "knn", "linear_tokens")  # what is read unless told otherwise

FIRST_SEED = (
    4  # of `dabs run`: scores of the seeds 0 to 3 were seen before the tasks and the recipe of lite were frozen
)
STANDARD_RATE = {"small": 3e-3, "paper": 1e-4, "large": 1e-4}  # peak learning rate for each encoder size
STANDARD_BETA2 = {"small": 0.95, "paper": 0.999, "large": 0.999}  # AdamW's second beta for each encoder size


@dataclass(frozen=True, kw_only=True)
class Training:
    """Settings that define a run besides its algorithm and domain; equal values on one machine give equal numbers."""

    suite: Suite = "lite"  # which datasets to use
    encoder: EncoderSize = "auto"  # size of the encoder; auto: small in lite, paper in paper
    seed: int = 0  # for the initial weights, the order of examples and all random draws
    steps: int = 0  # optimiser steps; 0: the domain's standard budget
    batch_size: int = 0  # examples per step; 0: the domain's standard budget
    accumulate: int = 1  # split each batch into this many parts to save memory; negatives then come from within a part
    lr: float = 0.0  # peak of AdamW's warm-up and cosine schedule; 0: the encoder's standard (small 3e-3, others 1e-4)
    weight_decay: float = 1e-4  # AdamW's weight decay, on all parameters
    beta2: float = 0.0  # AdamW's second beta; 0: the encoder's standard (small 0.95, others 0.999)
    precision: Precision = "auto"  # auto: bf16 autocast if the machine supports it and it is faster
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
        if not 0 <= self.beta2 < 1:
            raise RequestError(f"beta2 must be at least 0 and below 1, not {self.beta2}")
        if self.batch_size == 1:
            raise RequestError("batch_size must be at least 2: contrastive objectives need a second example")
        hints = get_type_hints(PretrainConfig)
        for name in ("suite", "encoder", "precision"):
            if getattr(self, name) not in get_args(hints[name]):
                allowed = ", ".join(get_args(hints[name]))
                raise RequestError(f"{name} must be one of {allowed}, not {short(getattr(self, name))}")


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
