"""Find results whose predictions are those of another row, or of another seed.

Encoders that were trained differently make different mistakes. Of the examples that one of two rows of the project gets
wrong, they predict the same class for at most 81 %, and at most 21 % of their real-valued predictions are as close as a
hundredth of a standard deviation (1,008 pairs of committed results). Larger changes to copied predictions are not found
here; they cost the score, and `dabs reproduce` finds them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dabs.errors import DabsError
from dabs.leaderboard.submit.rules import cell_name, options_of
from dabs.results.files import read_predictions, read_result, result_files
from dabs.results.schema import Result

SAME_SHARE = 0.95  # of the predictions that are compared, from which on two results count as one
MIN_COMPARED = 30  # fewer say nothing
CLOSE = 0.01  # of a standard deviation
MOSTLY_ONE_CLASS = 0.9  # above this share of one class, two encoders that learned nothing agree as well


@dataclass(frozen=True, kw_only=True)
class _Known:
    """The predictions of a result of a row."""

    row: str
    result: Result
    prediction: np.ndarray
    label: np.ndarray

    @property
    def cell(self) -> tuple[str, str, str, str]:
        return self.result.suite, self.result.domain, self.result.task, self.result.protocol

    @property
    def run(self) -> tuple[str, str, int]:
        """What is run: the source, its options and the seed."""
        return self.result.algorithm_sha256, repr(sorted(options_of(self.result).items())), self.result.seed


class KnownPredictions:
    """The predictions of all rows read so far, by cell."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str, str], list[_Known]] = defaultdict(list)

    def add(self, row: str, results: Mapping[Path, Result]) -> None:
        """Add the predictions of a row, whose results are given by the paths of their files."""
        for entry in _read(row, results):
            self._known[entry.cell].append(entry)

    def add_folder(self, folder: Path) -> None:
        """Add the predictions of all rows below a folder of results."""
        rows: dict[str, dict[Path, Result]] = defaultdict(dict)
        for path in result_files((folder,)):
            with suppress(DabsError):  # `read_committed_rows` reports it
                result = read_result(path)
                rows[result.algorithm][path] = result
        for row, results in rows.items():
            self.add(row, results)

    def find_copies(self, row: str, results: Mapping[Path, Result]) -> list[str]:
        """Return one line for each row, or other seed of the same row, whose predictions these results repeat.

        One source with the same options and seed may stand in two rows, such as a fixed and a tuned one.

        Args:
            row: the name of the row that the results are for.
            results: the results by the paths of their files.
        """
        own: dict[tuple[str, str, str, str], list[_Known]] = defaultdict(list)
        copies: dict[str, list[str]] = defaultdict(list)
        for mine in _read(row, results):
            for other in (*self._known[mine.cell], *own[mine.cell]):
                if other.run != mine.run and same_predictions(mine.prediction, other.prediction, mine.label):
                    copies[f"{other.row}, seed {other.result.seed}"].append(cell_name(mine.result))
            own[mine.cell].append(mine)
        return [
            f"the predictions of {len(cells)} results ({cells[0]}, ...) are those of {other}, all or nearly all of them"
            for other, cells in copies.items()
        ]


def _read(row: str, results: Mapping[Path, Result]) -> Iterator[_Known]:
    """Yield the predictions of results, without those that cannot be read, which `check_predictions` reports."""
    for path, result in results.items():
        with suppress(DabsError, KeyError):
            arrays = read_predictions(path)
            yield _Known(row=row, result=result, prediction=arrays["prediction"], label=arrays["label"])


def same_predictions(one: np.ndarray, two: np.ndarray, label: np.ndarray) -> bool:
    """Return whether two arrays of predictions are too much alike to come from two encoders.

    Args:
        one, two: classes (n,), or real values (n,) or (n, C).
        label: the labels, for classes.
    """
    if one.shape != two.shape or label.shape != one.shape:
        return False
    if one.dtype.kind in "biu":
        wrong = (one != label) | (two != label)
        one, two = one[wrong], two[wrong]
        if len(one) < MIN_COMPARED or np.unique(one, return_counts=True)[1].max() > MOSTLY_ONE_CLASS * len(one):
            return False
        return bool((one == two).mean() >= SAME_SHARE)
    one, two = (x.reshape(len(x), -1).astype(np.float64) for x in (one, two))
    spread = np.minimum(one.std(axis=0), two.std(axis=0))
    one, two = one[:, spread > 0], two[:, spread > 0]
    if len(np.unique(one)) < MIN_COMPARED:  # such as shares of a few neighbours
        return False
    return bool((np.abs(one - two) <= CLOSE * spread[spread > 0]).mean() >= SAME_SHARE)
