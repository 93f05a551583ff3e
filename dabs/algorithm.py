"""The base class of pretraining algorithms, which defines what they may know."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from dabs.errors import DabsError, RequestError

if TYPE_CHECKING:
    from dabs.encoder import Encoder
    from dabs.specs import Batch


class Algorithm(nn.Module):
    """A self-supervised objective on top of the encoder that all algorithms share.

    A subclass is one class in one file. Its `__init__(self, encoder, *, ...)` takes hyper-parameters as keyword-only
    arguments with types and defaults. They become the options of the command line and are saved with each run.

    An algorithm may create modules of its own (heads, a teacher) as attributes, but must not keep the encoder as one.
    It never sees labels, domain names, files or splits. The engine handles the optimiser, the schedule, precision,
    devices, checkpoints and logging.
    """

    #: False for an algorithm that does not learn (the random encoder): it takes no training steps.
    trains = True
    #: Whether `loss` uses the functions of `dabs.distributed` to treat a batch on several processes as one. If not,
    #: each process draws its own random numbers and computes its own loss, and the gradients are averaged.
    gathers = False

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()

    def loss(self, encoder: Encoder, batch: Batch) -> dict[str, Tensor]:
        """Return the objective on one batch.

        Args:
            encoder: maps inputs to embeddings and embeddings to tokens; see `dabs.encoder.Encoder`.
            batch: inputs and padding mask, without labels.

        Returns:
            The scalar tensor to minimise, under "loss". Other scalar entries are logged.
        """
        raise NotImplementedError

    def constant_answer(self, batch: Batch) -> dict[str, float]:
        """Return what `loss` would return for the best answer that does not look at the input; optional.

        A run that ends near these values is marked "did not learn". Return the loss, and accuracies that are logged.

        Args:
            batch: a batch of the size that `loss` gets, for its sizes and its padding mask.
        """
        return {}

    def after_step(self, step: int) -> None:
        """Run after each optimiser step, for example to update a moving-average teacher. Steps count from 0."""


def hyper_parameters(algorithm: type[Algorithm]) -> dict[str, inspect.Parameter]:
    """Return the keyword-only arguments of an algorithm's constructor, by name.

    Raises:
        RequestError: an argument has no type or default, or its default is None, so it cannot be an option.
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
    """Return the text of the file that defines an algorithm, as it was loaded.

    Raises:
        DabsError: the file cannot be read.
    """
    try:
        return inspect.getsource(inspect.getmodule(algorithm) or algorithm)
    except OSError as error:
        raise DabsError(f"the source of {algorithm.__name__} cannot be read: {error}") from error


def defaults(algorithm: type[Algorithm]) -> dict[str, Any]:
    """Return the default value of each hyper-parameter, by name."""
    return {name: parameter.default for name, parameter in hyper_parameters(algorithm).items()}
