"""Results as a pandas frame, for notebooks: `dabs.results.frame("runs")`.

A door like the command line: it hands over to `leaderboard`, which the engine itself never needs.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas


def frame(*roots: str | Path) -> pandas.DataFrame:
    """Every result below some folders (default: `runs`), a row a result; columns as `leaderboard.exports.COLUMNS`.

    Raises:
        DabsError: a folder that is not there, an invalid file, or two files for one cell.
    """
    reading, exports = (importlib.import_module(f"leaderboard.{name}") for name in ("results", "exports"))
    found: pandas.DataFrame = exports.frame(reading.load_results(*(Path(root) for root in roots or ("runs",))))
    return found
