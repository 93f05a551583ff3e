"""Logarithmic axes of figures: ends, ticks, and labels that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

TickText = Callable[[float], str]  # how a value on an axis is written
PAD = 1.35  # an axis reaches this factor beyond the first and the last value
MANTISSAS = ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0))
MIN_TICKS = 3
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, kw_only=True)
class LogAxis:
    """A logarithmic scale from `low` to `high`, drawn from `start` to `end`; ticks are values."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Return the position of a value."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + (self.end - self.start) * share, 2)


def log_axis(
    values: Iterable[float], start: float, end: float, apart: float, ticks: Sequence[float] | None = None
) -> LogAxis:
    """Return an axis that covers some positive values.

    Args:
        values: at least one.
        start, end: where it is drawn.
        apart: how far apart the labels of two ticks must be.
        ticks: the values that have a tick; by default round numbers, enough to read the scale.
    """
    found = list(values)
    low, high = min(found) / PAD, max(found) * PAD
    axis = LogAxis(low=low, high=high, start=start, end=end, ticks=())
    chosen = list(ticks) if ticks is not None else _round_numbers(low, high)
    kept: list[float] = []
    for tick in chosen:
        if not kept or axis.place(tick) - axis.place(kept[-1]) >= apart:
            kept.append(tick)
    return LogAxis(low=low, high=high, start=start, end=end, ticks=tuple(kept))


def _round_numbers(low: float, high: float) -> list[float]:
    """Return the round numbers between two values: the fewest that are at least `MIN_TICKS`, else all there are."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for mantissas in MANTISSAS:
        found = [m * 10.0**decade for decade in decades for m in mantissas if low <= m * 10.0**decade <= high]
        if len(found) >= MIN_TICKS:
            return found
    return found


def plain_number(value: float) -> str:
    """Return a tick such as `0.5`, `30` or `2,000`."""
    return f"{value:,.6g}"


def power_of_ten(value: float) -> str:
    """Return a tick such as `10¹⁵` or `3×10¹⁴`."""
    exponent = math.floor(math.log10(value) + 1e-9)
    mantissa = f"{value / 10.0**exponent:.2g}"
    power = f"10{str(exponent).translate(_SUPERSCRIPT)}"
    return power if mantissa == "1" else f"{mantissa}×{power}"


def spread_labels(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return a place for each label, as near as possible to where it is wanted and at least `gap` from the next.

    Args:
        wanted: where each label would be if it were alone.
        gap: between two labels.
        low, high: the range for labels, wide enough for all of them.

    Returns:
        The places, in the order of `wanted`.
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places: list[float] = []
    for i in order:
        places.append(max(wanted[i], places[-1] + gap if places else low))
    limit = high
    for k in range(len(places) - 1, -1, -1):
        places[k] = min(places[k], limit)
        limit = places[k] - gap
    found = [0.0] * len(wanted)
    for k, i in enumerate(order):
        found[i] = round(places[k], 2)
    return found
