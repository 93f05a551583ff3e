"""Results: schema, files, predictions and exports; `frame()` for notebooks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas


def frame(*roots: str | Path) -> pandas.DataFrame:
    """Return every result below some folders (default: `runs`), one row per result.

    Besides folders, `published` stands for the project's own results, and `hf://USER/NAME` for a run on the hub.

    The columns are `dabs.results.export.COLUMNS`. Results of a submission carry its name. Tuned submissions are left
    out with a warning, because they share no table with the others.

    Broken files and submissions are left out with a warning as well.

    Raises:
        DabsError: a folder that is not there, or two files for one cell.
    """
    from dabs.results import entries, export, places

    reading = entries.read_entries(*(places.results_folder(root) for root in roots or ("runs",)))
    for line in (*reading.left_out(), *reading.tuned()):
        warnings.warn(line, stacklevel=2)
    return export.frame(reading.fixed_results())
