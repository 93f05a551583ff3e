"""The frozen encoder of a run: features of arrays of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dabs.config import PretrainConfig
from dabs.data.split import READ_BATCH, decode
from dabs.encoder import Encoder
from dabs.errors import RequestError
from dabs.specs import Batch, Image, Series, Spec, Specs, Tokens
from dabs.training.checkpoint import load_encoder
from dabs.training.precision import autocast, feature_precision
from dabs.training.run_folder import load_run


class FrozenEncoder:
    """The encoder of a complete run.

    The constants that standardise its inputs are part of its weights, so arrays are passed in their own units.

    Attributes:
        encoder: the `dabs.encoder.Encoder`, in evaluation mode, on a GPU if there is one.
        config: how it was pretrained.
        specs: the inputs that it takes.
    """

    def __init__(self, encoder: Encoder, config: PretrainConfig) -> None:
        self.encoder = encoder.eval().to("cuda" if torch.cuda.is_available() else "cpu")
        self.config = config
        self.specs = encoder.specs

    @property
    def width(self) -> int:
        """The number of values in a feature."""
        return self.encoder.width

    def features(self, *inputs: Any) -> np.ndarray:
        """Return the mean-pooled features, float32 (n, width), of n examples.

        Args:
            inputs: one array (or nested list, or tensor) per spec: tokens as ids (n, length), filled up with the spec's
                `pad`; series (n, steps, channels); images (n, channels, height, width), as uint8 from 0 to 255 or as
                floats from 0 to 1.

        Raises:
            RequestError: the inputs do not fit the specs; the message says which shape is expected.
        """
        arrays = check_arrays(inputs, self.specs)
        precision = feature_precision(self.config.precision, self.width)
        device = next(self.encoder.parameters()).device
        with torch.inference_mode(), autocast(device, precision):
            found = [self.encoder(batch).float().cpu().numpy() for batch in _batches(arrays, self.specs, device)]
        return np.concatenate(found)


def load_frozen(run: Path) -> FrozenEncoder:
    """Return the encoder of a complete run. Only weights and sizes are read; no code of an algorithm runs.

    Raises:
        DabsError: there is no complete run, or its weights are damaged.
    """
    config, _ = load_run(run)
    return FrozenEncoder(load_encoder(run / "encoder"), config)


def check_arrays(inputs: tuple[Any, ...], specs: Specs) -> tuple[np.ndarray, ...]:
    """Return inputs as arrays that the encoder can decode: uint8 or float32, ids as int64.

    Raises:
        RequestError: their number, shapes or values do not fit the specs.
    """
    if len(inputs) != len(specs):
        wanted = ", ".join(map(_shape, specs))
        raise RequestError(f"this encoder takes {len(specs)} inputs ({wanted}), not {len(inputs)}.")
    arrays = tuple(_array(x, spec) for x, spec in zip(inputs, specs, strict=True))
    if len({len(x) for x in arrays}) > 1:
        raise RequestError(f"the inputs have different numbers of examples: {', '.join(str(len(x)) for x in arrays)}.")
    if not len(arrays[0]):
        raise RequestError("there are no examples.")
    return arrays


def _array(x: Any, spec: Spec) -> np.ndarray:
    array = np.asarray(x.detach().cpu() if isinstance(x, torch.Tensor) else x)
    if array.shape[1:] != spec.shape or array.ndim < 2:
        hint = _transposed(array.shape, spec)
        raise RequestError(f"expected an array of the shape {_shape(spec)}, not {array.shape}{hint}.")
    if isinstance(spec, Tokens):
        if array.dtype.kind not in "iu":
            raise RequestError(f"token ids must be integers, not {array.dtype}.")
        if array.size and not 0 <= array.min() <= array.max() < spec.vocabulary:
            bounds = f"{array.min()} to {array.max()}"
            raise RequestError(f"token ids must lie from 0 to {spec.vocabulary - 1}, but these lie from {bounds}.")
        return array.astype(np.int64)
    if isinstance(spec, Image) and array.dtype == np.uint8:
        return array
    if array.dtype.kind not in "fiub":
        raise RequestError(f"an input must hold numbers, not {array.dtype}.")
    values = array.astype(np.float32)
    if not np.isfinite(values).all():
        raise RequestError("an input holds a value that is not finite.")
    if isinstance(spec, Image) and values.size and not (values.min() >= 0 and values.max() <= 1):
        bounds = f"{values.min():g} to {values.max():g}"
        raise RequestError(f"an image must hold uint8 from 0 to 255, or floats from 0 to 1; these lie from {bounds}.")
    return values


def _shape(spec: Spec) -> str:
    if isinstance(spec, Tokens):
        return f"(n, {spec.length}): tokens, filled up with {spec.pad}"
    if isinstance(spec, Series):
        return f"(n, {spec.steps}, {spec.channels}): steps, channels"
    return f"(n, {spec.channels}, {spec.height}, {spec.width}): channels, height, width"


def _transposed(shape: tuple[int, ...], spec: Spec) -> str:
    """Return a hint where channels are first instead of last, or the other way round."""
    if isinstance(spec, Series) and shape[1:] == spec.shape[::-1]:
        return "; swap the last two axes, the channels come last"
    if isinstance(spec, Image) and shape[1:] == (*spec.shape[1:], spec.shape[0]):
        return "; move the last axis to the second place, the channels come first"
    if shape == spec.shape:
        return "; put a single example into a list"
    return ""


def _batches(arrays: tuple[np.ndarray, ...], specs: Specs, device: torch.device) -> Iterator[Batch]:
    for start in range(0, len(arrays[0]), READ_BATCH):
        part = tuple(torch.tensor(x[start : start + READ_BATCH]).to(device) for x in arrays)
        yield decode(Batch(inputs=part), specs)
