"""What stands in the tables: one row for each submission, and one for each algorithm whose results lie elsewhere.

A submission is a folder as `dabs submit` writes it (dabs/results/submission.py), read only when every file in it is the
one that its `submission.json` names. Its results carry its name, whatever their files call the algorithm.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dabs.errors import DabsError, RequestError
from dabs.results.files import load_placed, read_predictions, result_files
from dabs.results.schema import Result
from dabs.results.submission import FILE, load_submission, result_paths


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A result and the file it came from; without a file there are no predictions."""

    result: Result
    path: Path | None = None

    def predictions(self) -> dict[str, np.ndarray] | None:
        """Arrays `prediction` and `label`, or None where the file of predictions does not lie beside the result.

        Raises:
            DabsError: the file is there but is not what the result says.
        """
        return read_predictions(self.path) if self.path is not None and self.has_predictions else None

    @property
    def has_predictions(self) -> bool:
        """Whether their file is there; it may still be damaged."""
        return self.path is not None and (self.path.parent / self.result.predictions.file).exists()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the leaderboard.

    Attributes:
        name: what the tables call it.
        placed: results under the row's name, of any protocols, with their files where there are any.
        ruleset: "fixed" (one hyper-parameter setting for all domains) or "tuned".
        authors, url: empty where no submission tells.
        folder: where the submission lies; None for results that lie elsewhere.
    """

    name: str
    placed: tuple[Placed, ...]
    ruleset: str = "fixed"
    authors: str = ""
    url: str = ""
    folder: Path | None = None

    @property
    def results(self) -> list[Result]:
        """Without their files."""
        return [placed.result for placed in self.placed]

    def of_suite(self, suite: str | None) -> Entry:
        """The row with its results of one suite alone; None keeps all."""
        return replace(self, placed=tuple(one for one in self.placed if suite in (None, one.result.suite)))

    @property
    def link(self) -> str:
        """The address when it is one that a page may lead to (http or https), else nothing."""
        return self.url if re.fullmatch(r"https?://[^\s\"'<>`\\]+", self.url) else ""


def load_rows(*roots: Path) -> list[Entry]:
    """Every submission and every other algorithm at or below `roots`, by name.

    Raises:
        DabsError: an invalid file, a submission that `load_submission` refuses or that holds results of another source
            than its own or none, or two rows of one name.
    """
    folders = {path.resolve().parent for root in roots if root.is_dir() for path in root.rglob(FILE)}
    elsewhere = [path for path in result_files(roots) if not folders & set(path.resolve().parents)]
    rows = [_submission(folder) for folder in sorted(folders)]
    rows += _by_algorithm([Placed(result=result, path=path) for path, result in load_placed(*elsewhere)])
    refuse_twins(rows)
    return sorted(rows, key=lambda row: row.name)


def fixed_results(roots: Sequence[Path], suite: str | None = None) -> tuple[list[Result], str]:
    """The results that share one table: those of the ruleset "fixed", under their rows' names.

    Args:
        roots: as for `load_rows`.
        suite: results of this suite only.

    Returns:
        The results in the order of `load_results`, and a line on the tuned rows left out (empty when there are none).
    """
    rows = [row.of_suite(suite) for row in load_rows(*roots)]
    tuned = [row.name for row in rows if row.ruleset == "tuned" and row.placed]
    results = [result for row in rows if row.ruleset == "fixed" for result in row.results]
    order = sorted(results, key=lambda r: (r.suite, r.domain, r.task, r.protocol, r.algorithm, r.seed))
    return order, f"left out, tuned and so of another table ({_SITE}): {', '.join(tuned)}" if tuned else ""


_SITE = "`dabs leaderboard build --out FOLDER` shows both"


def rows_of(results: Iterable[Result]) -> list[Entry]:
    """One row for each algorithm of some results, without predictions."""
    return _by_algorithm([Placed(result=result) for result in results])


def _by_algorithm(placed: Iterable[Placed]) -> list[Entry]:
    found: dict[str, list[Placed]] = defaultdict(list)
    for one in placed:
        found[one.result.algorithm].append(one)
    return [Entry(name=name, placed=tuple(group)) for name, group in sorted(found.items())]


def refuse_twins(rows: Sequence[Entry]) -> None:
    """Raise RequestError when two rows would have one name."""
    seen: dict[str, Entry] = {}
    for row in rows:
        other = seen.setdefault(row.name, row)
        if other is not row:
            places = " and ".join(str(e.folder or "results without a submission") for e in (other, row))
            raise RequestError(f"two rows of the table would be called {row.name!r}: {places}. Rename one of them.")


def slugs(names: Iterable[str]) -> dict[str, str]:
    """A file name for each name: lower-case letters, digits, dashes; and a short hash where that says less."""
    return {name: _slug(name) for name in names}


def _slug(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    if plain == name and not re.search(r"-[0-9a-f]{8}$", name):  # else a name could be chosen to take another's files
        return plain
    return f"{plain or 'entry'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _submission(folder: Path) -> Entry:
    submission, results = load_submission(folder)
    if {result.algorithm_sha256 for result in results} != {submission.algorithm.sha256}:
        raise DabsError(
            f"{folder} should hold results of its own algorithm.py alone and holds "
            f"{'others' if results else 'no result files'}. Make it again with `dabs submit`."
        )
    paths = result_paths(folder, submission)
    return Entry(
        name=submission.name,
        placed=tuple(Placed(result=result, path=path) for result, path in zip(results, paths, strict=True)),
        ruleset=submission.ruleset,
        authors=", ".join(submission.authors),
        url=submission.url,
        folder=folder,
    )
