"""The base class of a pretraining objective: what every algorithm is, and all it may know."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from dabs.errors import DabsError, RequestError

if TYPE_CHECKING:
    from dabs.encoder import Encoder
    from dabs.specs import Batch


class Algorithm(nn.Module):
    """A self-supervised objective on top of the one encoder.

    A subclass is one class in one file. Its `__init__(self, encoder, *, ...)` takes hyper-parameters as keyword-only
    arguments with defaults: they are the command line's options, the saved configuration and the documentation. It may
    build its own modules (heads, a teacher) as attributes, but must not keep the encoder as one.

    It never sees labels, domain names, files or splits. Optimiser, schedule, precision, devices, checkpoints and
    logging are not its business.
    """

    #: False for an algorithm that learns nothing (the random encoder): no step is taken.
    trains = True
    #: Whether `loss` treats the parts of a batch on several processes as one, with the functions of `dabs.distributed`;
    #: else each process draws and takes its loss by itself, and their gradients are averaged.
    gathers = False

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """The objective on one batch.

        Args:
            encoder: maps inputs to embeddings and embeddings to tokens; see `dabs.encoder.Encoder`.
            batch: inputs and padding mask, without labels.

        Returns:
            A scalar tensor under "loss"; every other scalar entry is logged.
        """
        raise NotImplementedError

    def after_step(self, step: int) -> None:
        """Called after each optimiser step (to move a moving-average teacher, say)."""


def hyper_parameters(algorithm: type[Algorithm]) -> dict[str, inspect.Parameter]:
    """The keyword-only arguments of an algorithm's constructor.

    Raises:
        RequestError: one has no default or no type, so that it cannot be an option.
    """
    found = {}
    for name, parameter in inspect.signature(algorithm.__init__).parameters.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if parameter.default is parameter.empty or parameter.annotation is parameter.empty:
            raise RequestError(f"{algorithm.__name__}: the hyper-parameter {name!r} needs a type and a default value.")
        if parameter.default is None:
            raise RequestError(f"{algorithm.__name__}: {name!r} must not default to None: results record every value.")
        found[name] = parameter
    return found


def source_of(algorithm: type[Algorithm]) -> str:
    """The text of the file that defines an algorithm, as it was loaded.

    Raises:
        DabsError: it cannot be read.
    """
    try:
        return inspect.getsource(inspect.getmodule(algorithm) or algorithm)
    except OSError as error:
        raise DabsError(f"the source of {algorithm.__name__} cannot be read: {error}") from error


def defaults(algorithm: type[Algorithm]) -> dict[str, Any]:
    """The default value of every hyper-parameter."""
    return {name: parameter.default for name, parameter in hyper_parameters(algorithm).items()}
