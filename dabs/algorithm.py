"""The base class of pretraining algorithms, which defines what they may know."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from torch import Tensor, is_grad_enabled, nn

from dabs.errors import DabsError, RequestError
from dabs.utils.files import short

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

    def after_step(self, encoder: Encoder, step: int) -> None:
        """Run once after each optimiser step, without gradients; optional.

        A moving-average teacher is updated here and not in `loss`, which runs several times in a step under
        `--accumulate`. What it changes must be a parameter or a buffer, so that checkpoints keep it.

        Args:
            encoder: with the weights after the step.
            step: its number, counted from 0.
        """


def checked_output(algorithm: Algorithm, out: Any) -> dict[str, Tensor]:
    """Return what `loss` returned, after checking its form.

    Raises:
        RequestError: it is not a dictionary of scalar tensors with a loss that has a gradient.
    """
    says = f"{type(algorithm).__name__}.loss"
    if isinstance(out, Tensor):
        raise RequestError(f'{says} returned {_shown(out)}; return a dictionary: {{"loss": ...}}.')
    if not isinstance(out, dict):
        raise RequestError(f'{says} returned {_shown(out)}, not a dictionary with the scalar tensor "loss".')
    if "loss" not in out:
        keys = ", ".join(map(repr, out)) or "nothing"
        raise RequestError(
            f'{says} returned a dictionary of {keys}, but what is to be minimised must be called "loss".'
        )
    for name, value in out.items():
        if not isinstance(value, Tensor):
            raise RequestError(f"{says} returned {_shown(value)} as {name!r}, which must be a scalar tensor.")
        if value.shape != ():
            raise RequestError(f"{says} returned {_shown(value)} as {name!r}, which must be a scalar: take its mean.")
    if algorithm.trains and is_grad_enabled() and not out["loss"].requires_grad:
        raise RequestError(
            f"{says} returned a loss without a gradient: it depends on no parameter. Look for detach(), item() and "
            "no_grad() on its way."
        )
    return out


def _shown(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else short(value)


def hyper_parameters(algorithm: type[Algorithm]) -> dict[str, inspect.Parameter]:
    """Return the keyword-only arguments of an algorithm's constructor, by name.

    Raises:
        RequestError: an argument is positional, has no type or default, or its default is None, so it cannot be an
            option.
    """
    found = {}
    for name, parameter in list(inspect.signature(algorithm.__init__).parameters.items())[2:]:  # after self, encoder
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            raise RequestError(
                f"{algorithm.__name__}: the hyper-parameter {name!r} must be keyword-only. Write `*` before it: "
                f"def __init__(self, encoder, *, {name}: ...)."
            )
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise RequestError(
                f"{algorithm.__name__}: __init__ takes {parameter}. Name its hyper-parameters: they become options."
            )
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
