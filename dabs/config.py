"""What a run is: its data, its encoder, its training, and how it is read. No torch is needed here."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dabs.errors import RequestError
from dabs.utils.files import short

Suite = Literal["lite", "paper", "paper32"]
"""lite: data of a laptop's size; paper: the datasets of the paper; paper32: its image sets at 32×32, patch 4."""
SUITES: tuple[str, ...] = get_args(Suite)

EncoderSize = Literal["auto", "small", "paper", "large"]
Precision = Literal["auto", "fp32", "bf16"]
Protocol = Literal["linear", "knn", "finetune"]  # how an encoder is read
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)

STANDARD_RATE = {"small": 3e-3, "paper": 1e-4, "large": 1e-4}


@dataclass(frozen=True, kw_only=True)
class Training:
    """What defines a run beside its algorithm and domain: equal values on one machine give equal numbers."""

    suite: Suite = "lite"  # which data
    encoder: EncoderSize = "auto"  # its sizes; auto: small in lite, paper in paper
    seed: int = 0  # of the initial weights, the order of examples and every draw
    steps: int = 0  # optimiser steps; 0 takes the domain's standard budget
    batch_size: int = 0  # examples a step; 0 takes the domain's standard budget
    accumulate: int = 1  # compute a batch in so many parts, in less memory; negatives then come from a part
    lr: float = 0.0  # peak of AdamW's warm-up and cosine schedule; 0 takes the encoder's (small 3e-3, others 1e-4)
    weight_decay: float = 1e-4  # of AdamW, on all parameters
    precision: Precision = "auto"  # auto: bf16 autocast where the machine has it and it is faster
    compile: bool = False  # torch.compile of the encoder's blocks; on a CPU it pays only in long runs of a small one


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Training):
    """A pretraining run."""

    algorithm: str  # a registered name, or path/to/file.py:Class
    domain: str  # a registered name
    options: dict[str, Any] = field(default_factory=dict)  # the algorithm's own hyper-parameters

    def __post_init__(self) -> None:
        lowest = {"seed": 0, "steps": 0, "batch_size": 0, "accumulate": 1, "lr": 0.0, "weight_decay": 0.0}
        for name, low in lowest.items():
            if not getattr(self, name) >= low:
                raise RequestError(f"{name} must be at least {low}, not {getattr(self, name)}")
        if self.batch_size == 1:
            raise RequestError("batch_size must be at least 2: contrastive objectives need another example")
        hints = get_type_hints(PretrainConfig)
        for name in ("suite", "encoder", "precision"):
            if getattr(self, name) not in get_args(hints[name]):
                allowed = ", ".join(get_args(hints[name]))
                raise RequestError(f"{name} must be one of {allowed}, not {short(getattr(self, name))}")


def config_from_json(values: Any, where: Path) -> PretrainConfig:
    """A configuration from plain values.

    Raises:
        RequestError: they are no object, or a key is unknown, missing, of another type or not allowed; the message
            names the file.
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


_NAMES = {"linear": "linear probe", "knn": "k-nearest neighbours", "finetune": "fine-tuning"}


def protocol_name(protocol: str) -> str:
    """A protocol in words."""
    return _NAMES[protocol]
