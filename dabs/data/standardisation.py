"""The constants by which an encoder standardises its input channels.

They are computed from the pretraining data while it is written, and kept in its manifest. Integers are summed exactly;
sums of floats are rounded to six digits, so that the constants do not depend on the order in which a processor adds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dabs.errors import RequestError
from dabs.specs import Channels, Series, Spec, Specs, Standardisation, Tokens
from dabs.utils.files import short

DIGITS = 6  # significant digits of a constant


class ChannelMoments:
    """Sums over blocks of rows, from which the constants of every input are computed."""

    def __init__(self, specs: Specs) -> None:
        self.specs = specs
        self.count = [0] * len(specs)
        self.sums: list[Any] = [0] * len(specs)
        self.squares: list[Any] = [0] * len(specs)

    def update(self, inputs: tuple[np.ndarray, ...]) -> None:
        """Add a block of rows: one array (n, *spec.shape) per spec, in its stored type."""
        for i, (spec, x) in enumerate(zip(self.specs, inputs, strict=True)):
            if isinstance(spec, Tokens):
                continue
            wide = x.astype(np.int64 if x.dtype.kind in "iub" else np.float64)
            axes = (0, 1) if isinstance(spec, Series) else (0, 2, 3)
            self.count[i] += wide.size // spec.channels
            self.sums[i] = self.sums[i] + wide.sum(axis=axes)
            self.squares[i] = self.squares[i] + (wide**2).sum(axis=axes)

    def constants(self, stored: tuple[np.dtype[Any], ...]) -> Standardisation:
        """Return the constants. `stored` are the inputs' types: uint8 is read as value / 255."""
        return tuple(self._channels(i, kind) for i, kind in enumerate(stored))

    def _channels(self, i: int, kind: np.dtype[Any]) -> Channels | None:
        if isinstance(self.specs[i], Tokens):
            return None
        scale = 255.0 if kind == np.uint8 else 1.0
        count = max(self.count[i], 1)
        mean = np.asarray(self.sums[i], dtype=np.float64) / count
        variance = np.asarray(self.squares[i], dtype=np.float64) / count - mean**2
        deviation = np.sqrt(np.maximum(variance, 0.0)) / scale
        return Channels(
            mean=tuple(_rounded(value / scale) for value in mean),
            # a channel that is constant is only centred
            deviation=tuple(_rounded(value) if value > 1e-6 else 1.0 for value in deviation),
        )


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def standardisation_to_json(constants: Standardisation) -> list[dict[str, list[float]]]:
    """Return the constants as JSON values: one object per spec, empty for tokens."""
    return [{} if one is None else {"mean": list(one.mean), "deviation": list(one.deviation)} for one in constants]


def standardisation_from_json(values: Any, specs: Specs) -> Standardisation:
    """Return constants from parsed JSON, as `standardisation_to_json` wrote them.

    Raises:
        RequestError: the values do not fit the specs, or a deviation is not above zero.
    """
    if not isinstance(values, list) or len(values) != len(specs):
        raise RequestError(f"the constants of the inputs must be a list of {len(specs)} objects, not {short(values)}")
    return tuple(_channels_from_json(value, spec) for value, spec in zip(values, specs, strict=True))


def _channels_from_json(value: Any, spec: Spec) -> Channels | None:
    if isinstance(spec, Tokens):
        if value != {}:
            raise RequestError(f"tokens have no constants, but there is {short(value)}")
        return None
    fields = value if isinstance(value, dict) else {}
    mean, deviation = (_numbers(fields.get(name), spec.channels) for name in ("mean", "deviation"))
    if min(deviation) <= 0:
        raise RequestError(f"the deviation of a channel must be above 0, not {min(deviation)}")
    return Channels(mean=mean, deviation=deviation)


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != count or not all(map(_is_finite, values)):
        raise RequestError(f"an input of {count} channels needs as many constants, not {short(values)}")
    return tuple(map(float, values))


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))
