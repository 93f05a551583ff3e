"""Bring results and submissions of earlier versions of their schema to today's.

Whoever changes a schema raises its version and either adds a function to its table, from the version before to the new
one, or says in `REFUSED_RESULTS` why no honest value can be filled in. Files on disk stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dabs.utils.versions import other_version

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns parsed JSON of one version as that of the next, as a new object."""


def _standard_budget(result: dict[str, Any]) -> dict[str, Any]:
    """From 2: pretraining states its operations and held-out losses, unknown here, and its budget, the standard one."""
    pretraining = result.get("pretraining")
    config = pretraining.get("config") if isinstance(pretraining, dict) else None
    if not isinstance(pretraining, dict) or not isinstance(config, dict):  # which the schema refuses
        return result
    config = {"budget": 1.0, **config} if config else config
    return {**result, "pretraining": {**pretraining, "config": config, "flops": 0, "held_out": []}}


RESULTS: dict[int, Migration] = {2: _standard_budget}  # version -> the step from it to the next version
SUBMISSIONS: dict[int, Migration] = {}
REFUSED_RESULTS = {
    1: (
        "Version 1 says neither whether the run learned (pretraining.learning) nor how many independent groups its "
        "interval has (interval.units), and both cannot be filled in afterwards; its inputs were not standardised, so "
        "its scores are those of another measurement. Make the result again with `dabs run`, or read it with dabs 0.1."
    ),
}


def migrate(
    path: Path,
    value: dict[str, Any],
    field: str,
    current: int,
    steps: Mapping[int, Migration],
    refused: Mapping[int, str],
) -> dict[str, Any]:
    """Return the parsed JSON of a file as that of the current version: `value` itself if it is of that version.

    Args:
        path: the file, for messages.
        value: its parsed JSON.
        field: where it states its version.
        current: the version to reach.
        steps: version -> the function to the next version.
        refused: version -> why it is not read and what to do instead.

    Raises:
        NewerVersionError: the version is newer than `current`.
        DabsError: the version is refused or unknown.
    """
    found = value.get(field)
    version = found if type(found) is int else 0
    while version != current:
        if version not in steps or version > current:
            unknown = "No version of dabs wrote such a file: remove it, or make it again."
            again = "Or remove it, and make it again with this one."
            raise other_version(path, field, found, current, older=refused.get(version, unknown), newer=again)
        value, version = steps[version](value) | {field: version + 1}, version + 1
    return value
