"""Sweeps: settings of algorithms to try, each of which is a row of its own.

A row is called by its algorithm and what was set, for example shed+corruption_rate=0.3+lr=0.001. That name is also the
name of its folder, so it has no character that a shell or a file system treats specially.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

from dabs.algorithm import Algorithm, defaults
from dabs.config import Training
from dabs.errors import RequestError, unknown
from dabs.registry import algorithm_label, find_algorithm

OF_TRAINING = ("lr", "weight_decay", "beta2")  # what may be swept besides an algorithm's own options
SEPARATOR = "+"

Setting = dict[str, Any]  # option -> value


@dataclass(frozen=True)
class Sweep:
    """The values to try, by algorithm ("" for all of them) and option."""

    values: Mapping[str, Mapping[str, tuple[Any, ...]]]

    def settings(self, reference: str) -> list[Setting]:
        """Return every combination of values that concerns an algorithm; one empty setting if none does.

        Args:
            reference: of the algorithm; one that does not train has nothing to set.
        """
        own = {**self.values.get("", {}), **self.values.get(algorithm_label(reference), {})}
        if not find_algorithm(reference).trains:
            own = {}
        return [dict(zip(own, values, strict=True)) for values in product(*own.values())]


def parse_sweep(words: Sequence[str], references: Sequence[str]) -> Sweep:
    """Return the sweep that words such as `shed.corruption_rate=0.1,0.3` and `lr=1e-3` ask for.

    Args:
        words: of `--set`: [ALGORITHM.]OPTION=VALUE[,VALUE...].
        references: of the algorithms that are run.

    Raises:
        RequestError: a word has another form, names an algorithm that is not run or an option that does not exist, or a
            value has the wrong type.
    """
    algorithms: dict[str, type[Algorithm]] = {algorithm_label(one): find_algorithm(one) for one in references}
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for word in words:
        place, equals, text = word.partition("=")
        algorithm, _, option = place.rpartition(".")
        if not equals or not option or not text:
            raise RequestError(f"--set takes ALGORITHM.OPTION=VALUE,VALUE or OPTION=VALUE,VALUE, not {word!r}.")
        if algorithm and algorithm not in algorithms:
            raise unknown("algorithm", algorithm, list(algorithms), of="this run")
        known = _known(algorithms[algorithm]) if algorithm else dict.fromkeys(OF_TRAINING, 0.0)
        if option not in known:
            hint = "" if algorithm else " Options of an algorithm are set as ALGORITHM.OPTION=VALUE."
            raise RequestError(f"{unknown('option', option, list(known), of=algorithm or 'all algorithms')}{hint}")
        values = tuple(_value(one, known[option], word) for one in text.split(","))
        if len(set(values)) < len(values):
            raise RequestError(f"--set {word} names a value twice.")
        found.setdefault(algorithm, {})[option] = values
    return Sweep(found)


def _known(algorithm: type[Algorithm]) -> dict[str, Any]:
    """Return what may be set for an algorithm, with a value of the right type."""
    training = {field.name: field.default for field in fields(Training) if field.name in OF_TRAINING}
    return training | defaults(algorithm)


def _value(text: str, like: Any, word: str) -> Any:
    kind = type(like)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (KeyError, ValueError) as error:
        raise RequestError(f"--set {word}: {text!r} is no {kind.__name__}.") from error


def label_of(reference: str, setting: Setting) -> str:
    """Return what tables and folders call an algorithm with a setting."""
    parts = [f"{name}={_shown(value)}" for name, value in setting.items()]
    return SEPARATOR.join([algorithm_label(reference), *parts])


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def split_setting(setting: Setting) -> tuple[Setting, Setting]:
    """Return the parts of a setting: fields of `Training`, and options of the algorithm."""
    training = {name: value for name, value in setting.items() if name in OF_TRAINING}
    return training, {name: value for name, value in setting.items() if name not in OF_TRAINING}
