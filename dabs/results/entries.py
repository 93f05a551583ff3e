"""The entries of the tables: submissions, and algorithms with results elsewhere.

A submission is a folder that `dabs submit` wrote (dabs/results/submission.py). It is read only if every file in it is
the one that its `submission.json` lists. Its results carry its name, whatever their files call the algorithm.
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
from dabs.results.submission import SUBMISSION_FILE, load_submission, result_paths


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A result and the place of its file. Without a file, it has no predictions."""

    result: Result
    path: Path | None = None

    def predictions(self) -> dict[str, np.ndarray] | None:
        """Return the arrays `prediction` and `label`, or None if there is no file of predictions beside the result.

        Raises:
            DabsError: the file is not the one that the result names, or cannot be read.
        """
        return read_predictions(self.path) if self.path is not None and self.has_predictions else None

    @property
    def has_predictions(self) -> bool:
        """Whether the file of predictions exists; it may still be damaged."""
        return self.path is not None and (self.path.parent / self.result.predictions.file).exists()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A submission, or an algorithm whose results are elsewhere: one row of the leaderboard.

    Attributes:
        name: what the tables call it.
        placed: its results of all protocols, under this name, with their files if there are any.
        ruleset: "fixed" (one hyper-parameter setting for all domains) or "tuned".
        authors: separated by commas; empty if it is not a submission.
        url: empty if it is not a submission.
        folder: of the submission; None if it is not a submission.
    """

    name: str
    placed: tuple[Placed, ...]
    ruleset: str = "fixed"
    authors: str = ""
    url: str = ""
    folder: Path | None = None

    @property
    def results(self) -> list[Result]:
        """The results, without their files."""
        return [placed.result for placed in self.placed]

    def of_suite(self, suite: str | None) -> Entry:
        """Return the entry with its results of one suite only, or all if `suite` is None."""
        return replace(self, placed=tuple(one for one in self.placed if suite in (None, one.result.suite)))

    @property
    def link(self) -> str:
        """The URL if a page may link to it (http or https), else an empty string."""
        return self.url if re.fullmatch(r"https?://[^\s\"'<>`\\]+", self.url) else ""


def load_entries(*roots: Path) -> list[Entry]:
    """Return every submission and every other algorithm at or below `roots`, sorted by name.

    Raises:
        DabsError: a file is invalid, `load_submission` refuses a submission, a submission has no results or results of
            a source other than its own, or two entries have the same name.
    """
    folders = {path.resolve().parent for root in roots if root.is_dir() for path in root.rglob(SUBMISSION_FILE)}
    elsewhere = [path for path in result_files(roots) if not folders & set(path.resolve().parents)]
    entries = [_load_submission_entry(folder) for folder in sorted(folders)]
    entries += _group_by_algorithm([Placed(result=result, path=path) for path, result in load_placed(*elsewhere)])
    refuse_duplicate_names(entries)
    return sorted(entries, key=lambda entry: entry.name)


def fixed_results(roots: Sequence[Path], suite: str | None = None) -> tuple[list[Result], str]:
    """Return the results that share a table: those of entries with the ruleset "fixed", under the entries' names.

    Args:
        roots: as for `load_entries`.
        suite: the suite whose results to return; all if None.

    Returns:
        The results in the order of `load_results`, and a sentence that names the tuned entries left out (empty if there
        are none).
    """
    entries = [entry.of_suite(suite) for entry in load_entries(*roots)]
    tuned = [entry.name for entry in entries if entry.ruleset == "tuned" and entry.placed]
    results = [result for entry in entries if entry.ruleset == "fixed" for result in entry.results]
    order = sorted(results, key=lambda r: (r.suite, r.domain, r.task, r.protocol, r.algorithm, r.seed))
    return order, f"left out, tuned and so in another table ({_SITE}): {', '.join(tuned)}" if tuned else ""


_SITE = "`dabs leaderboard build --out FOLDER` shows both"


def entries_of(results: Iterable[Result]) -> list[Entry]:
    """Return one entry for each algorithm of some results, without predictions."""
    return _group_by_algorithm([Placed(result=result) for result in results])


def _group_by_algorithm(placed: Iterable[Placed]) -> list[Entry]:
    found: dict[str, list[Placed]] = defaultdict(list)
    for one in placed:
        found[one.result.algorithm].append(one)
    return [Entry(name=name, placed=tuple(group)) for name, group in sorted(found.items())]


def refuse_duplicate_names(entries: Sequence[Entry]) -> None:
    """Raise a RequestError if two entries have the same name."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        other = seen.setdefault(entry.name, entry)
        if other is not entry:
            places = " and ".join(str(e.folder or "results without a submission") for e in (other, entry))
            raise RequestError(f"two rows of the table would be called {entry.name!r}: {places}. Rename one of them.")


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Return a unique file name for each name: lower-case letters, digits and dashes, and a short hash if needed."""
    return {name: _slug(name) for name in names}


def _slug(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    # a name that ends like one with a hash gets a hash too, or it could be chosen to take the files of another
    if plain == name and not re.search(r"-[0-9a-f]{8}$", name):
        return plain
    return f"{plain or 'entry'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _load_submission_entry(folder: Path) -> Entry:
    submission, results = load_submission(folder)
    if {result.algorithm_sha256 for result in results} != {submission.algorithm.sha256}:
        raise DabsError(
            f"{folder} should contain results of its own algorithm.py only, but contains "
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
