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

from dabs.config import without_budget
from dabs.errors import DabsError, RequestError
from dabs.results.files import arrange, read_checked_result, read_scored_predictions, result_files
from dabs.results.schema import Result
from dabs.results.submission import SUBMISSION_FILE, load_submission, result_paths

MAX_LINES = 5  # about broken files


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A result and the place of its file. Without a file, it has no predictions."""

    result: Result
    path: Path | None = None

    def predictions(self) -> dict[str, np.ndarray] | None:
        """Return the arrays `prediction` and `label`, or None if there is no file of predictions beside the result.

        Raises:
            DabsError: the file is not the one that the result names, cannot be read, or does not give its score.
        """
        return read_scored_predictions(self.path, self.result) if self.path and self.has_predictions else None

    def under(self, name: str) -> Placed:
        """Return it under the name of a row."""
        return replace(self, result=self.result.model_copy(update={"algorithm": name}))

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

    def at_budget(self, budget: float) -> Entry:
        """Return the entry with its results of one budget, and of rows without one, under names without it."""
        found = (one for one in self.placed if one.result.budget in (None, budget))
        name = without_budget(self.name)
        return replace(self, name=name, placed=tuple(one.under(name) for one in found))

    @property
    def link(self) -> str:
        """The URL if a page may link to it (http or https), else an empty string."""
        return self.url if re.fullmatch(r"https?://[^\s\"'<>`\\]+", self.url) else ""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A result file, or the folder of a submission, that tables leave out."""

    path: Path
    error: DabsError  # names the file, what is wrong with it and what to do


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was read below some folders, and what had to be left out.

    Attributes:
        entries: sorted by name.
        broken: files that could not be read, or whose score does not follow from their predictions.
    """

    entries: tuple[Entry, ...] = ()
    broken: tuple[Broken, ...] = ()

    def of_suite(self, suite: str | None) -> Reading:
        """Return the entries with results of one suite, or all if `suite` is None; broken files may be of any."""
        entries = (entry.of_suite(suite) for entry in self.entries)
        return replace(self, entries=tuple(entry for entry in entries if entry.placed))

    def at_budget(self, budget: float) -> Reading:
        """Return the entries with results of one budget, and the rows without one, under names without it."""
        entries = (entry.at_budget(budget) for entry in self.entries)
        return replace(self, entries=tuple(entry for entry in entries if entry.placed))

    def budgets(self) -> list[float]:
        """Return the budgets that occur, ascending."""
        return sorted({one.result.budget for entry in self.entries for one in entry.placed if one.result.budget})

    def fixed_results(self) -> list[Result]:
        """Return the results that share a table, those of entries with the ruleset "fixed", under the entries' names.

        They are in the order of `load_results`.
        """
        results = [result for entry in self.entries if entry.ruleset == "fixed" for result in entry.results]
        return sorted(results, key=lambda r: (r.suite, r.domain, r.task, r.protocol, r.algorithm, r.seed))

    def left_out(self) -> list[str]:
        """Return a line for each broken file, at most `MAX_LINES`, and their number if there are more."""
        lines = [f"left out: {one.error}" for one in self.broken[:MAX_LINES]]
        more = len(self.broken) - MAX_LINES
        return [*lines, f"left out: {more} more files that cannot be read"] if more > 0 else lines

    def tuned(self) -> list[str]:
        """Return a line that names the entries that `fixed_results` leaves out, if there are any."""
        names = ", ".join(entry.name for entry in self.entries if entry.ruleset == "tuned")
        where = "`dabs leaderboard build --out FOLDER` shows both"
        return [f"left out, tuned and so in another table ({where}): {names}"] if names else []

    def unchecked(self) -> list[str]:
        """Return a line that counts the results without predictions, if there are any."""
        number = sum(not placed.has_predictions for entry in self.entries for placed in entry.placed)
        what = "1 result has" if number == 1 else f"{number:,} results have"
        return [f"not checked: {what} no predictions to compute the score from"] if number else []


def load_entries(*roots: Path) -> list[Entry]:
    """Return every submission and every other algorithm at or below `roots`, sorted by name.

    Raises:
        DabsError: as `read_entries`, and if any file is broken.
    """
    reading = read_entries(*roots)
    if reading.broken:
        raise reading.broken[0].error
    return [*reading.entries]


def read_entries(*roots: Path) -> Reading:
    """Read every submission and every other algorithm at or below `roots`, and leave out what is broken.

    A result is broken if it is invalid, or if its score does not follow from the predictions beside it. A submission is
    broken as a whole: if `load_submission` refuses it, or if it has no results or results of a source other than its
    own.

    Raises:
        DabsError: there is no such root, two files are results of the same cell, or two entries have the same name.
    """
    folders = {path.resolve().parent for root in roots if root.is_dir() for path in root.rglob(SUBMISSION_FILE)}
    entries: list[Entry] = []
    found: list[tuple[Path, Result]] = []
    broken: list[Broken] = []
    for folder in sorted(folders):
        try:
            entries.append(_load_submission_entry(folder))
        except DabsError as error:
            broken.append(Broken(path=folder, error=error))
    for path in result_files(roots):
        if not folders & set(path.resolve().parents):
            try:
                found.append((path, read_checked_result(path)))
            except DabsError as error:
                broken.append(Broken(path=path, error=error))
    entries += _group_by_algorithm([Placed(result=result, path=path) for path, result in arrange(found)])
    refuse_duplicate_names(entries)
    return Reading(entries=tuple(sorted(entries, key=lambda entry: entry.name)), broken=tuple(broken))


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
    placed = tuple(Placed(result=result, path=path) for result, path in zip(results, paths, strict=True))
    for one in placed:
        one.predictions()  # checks the score
    return Entry(
        name=submission.name,
        placed=placed,
        ruleset=submission.ruleset,
        authors=", ".join(submission.authors),
        url=submission.url,
        folder=folder,
    )
