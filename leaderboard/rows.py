"""What stands in the tables: one row for each submission, and one for each algorithm whose results lie elsewhere.

A submission is a folder with `submission.json` (name, authors, url, ruleset) and result files anywhere below it. Its
row carries its own name, whatever its results call the algorithm.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dabs.errors import DabsError, RequestError
from dabs.home import read_json
from leaderboard.contestants import SUBMISSION, Placed
from leaderboard.results import explained, load_placed, result_files
from leaderboard.schema import Name, Result, Text

Ruleset = Literal["fixed", "tuned"]
RULESETS: tuple[Ruleset, ...] = ("fixed", "tuned")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the leaderboard.

    Attributes:
        name: what the tables call it.
        placed: results as their files have them, of any protocols, with these files where there are any.
        ruleset: "fixed" (one hyper-parameter setting for all domains) or "tuned".
        authors, url: empty where no submission tells.
        folder: where the submission lies; None for results that lie elsewhere.
    """

    name: str
    placed: tuple[Placed, ...]
    ruleset: Ruleset = "fixed"
    authors: str = ""
    url: str = ""
    folder: Path | None = None

    @property
    def results(self) -> list[Result]:
        """Without their files."""
        return [placed.result for placed in self.placed]

    def labelled(self) -> list[Result]:
        """The results under the row's name."""
        return [result.model_copy(update={"algorithm": self.name}) for result in self.results]

    @property
    def link(self) -> str:
        """The address when it is one that a page may lead to (http or https), else nothing."""
        return self.url if re.fullmatch(r"https?://[^\s\"'<>`\\]+", self.url) else ""


class _Submission(BaseModel):
    """The part of `submission.json` that a page shows."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Name
    authors: Text | Annotated[tuple[Text, ...], Field(min_length=1)]
    url: Annotated[str, Field(max_length=400)] = ""
    ruleset: Ruleset


def load_rows(*roots: Path) -> list[Row]:
    """Every submission and every other algorithm at or below `roots`, by name.

    Raises:
        DabsError: an invalid file, a submission with results of two algorithms or none, or two rows of one name.
    """
    files = list(result_files(roots))
    folders = {path.resolve().parent for root in roots if root.is_dir() for path in root.rglob(SUBMISSION)}
    inside: dict[Path, list[Path]] = {folder: [] for folder in sorted(folders)}
    elsewhere: list[Path] = []
    for path in files:
        home = next((parent for parent in path.resolve().parents if parent in folders), None)
        (elsewhere if home is None else inside[home]).append(path)
    rows = [_submission(folder, paths) for folder, paths in inside.items()]
    rows += _by_algorithm([Placed(result=result, path=path) for path, result in load_placed(*elsewhere)])
    refuse_twins(rows)
    return sorted(rows, key=lambda row: row.name)


def rows_of(results: Iterable[Result]) -> list[Row]:
    """One row for each algorithm of some results, without predictions."""
    return _by_algorithm([Placed(result=result) for result in results])


def _by_algorithm(placed: Iterable[Placed]) -> list[Row]:
    found: dict[str, list[Placed]] = defaultdict(list)
    for one in placed:
        found[one.result.algorithm].append(one)
    return [Row(name=name, placed=tuple(group)) for name, group in sorted(found.items())]


def refuse_twins(rows: Sequence[Row]) -> None:
    """Raise RequestError when two rows would have one name."""
    seen: dict[str, Row] = {}
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


def _submission(folder: Path, files: list[Path]) -> Row:
    path = folder / SUBMISSION
    try:
        card = _Submission.model_validate(read_json(path))
    except ValidationError as error:
        raise DabsError(
            f"{path}: {explained(error)} Make it again with `dabs submit`, or remove the folder."
        ) from error
    placed = tuple(Placed(result=result, path=path) for path, result in load_placed(*files))
    algorithms = sorted({one.result.algorithm for one in placed})
    if len(algorithms) != 1:
        raise DabsError(
            f"{folder} should hold the results of one algorithm and holds {len(algorithms)} "
            f"({', '.join(algorithms)[:200] or 'no result files'}). Make it again with `dabs submit`."
        )
    authors = card.authors if isinstance(card.authors, str) else ", ".join(card.authors)
    return Row(name=card.name, placed=placed, ruleset=card.ruleset, authors=authors, url=card.url, folder=folder)
