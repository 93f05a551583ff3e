"""A submission: one algorithm's results, its source and what repeats them.

NAME/submission.json                            this model, with the hash of every other file
NAME/algorithm.py                               the source that was run
NAME/results/DOMAIN/seedN/TASK.PROTOCOL.result.json     as `dabs eval` wrote them; predictions beside them if included

`python -m dabs.results.submission` writes the same schema to `submission.schema.json`, for other languages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, ValidationError, model_validator

from dabs.errors import DabsError
from dabs.results.files import MAX_RESULT_BYTES, RESULT_SUFFIX, explain, read_result
from dabs.results.migrations import SUBMISSIONS, migrate
from dabs.results.predictions import MAX_PREDICTIONS_BYTES
from dabs.results.schema import (
    Commit,
    Config,
    Count,
    Environment,
    Json,
    Moment,
    Name,
    Result,
    Sha256,
    StrictRecord,
    Text,
    Word,
)
from dabs.utils.files import is_hidden, read_text, replacing_with_lock, sha256_file, write_json
from dabs.utils.strict_json import parse_json, require_object

SUBMISSION_VERSION = 1
SUBMISSION_FILE = "submission.json"
SOURCE_FILE = "algorithm.py"
SCHEMA_FILE = Path(__file__).with_name("submission.schema.json")
Ruleset = Literal["fixed", "tuned"]
RULESETS: tuple[Ruleset, ...] = get_args(Ruleset)

_FILE_NAME = r"results/[A-Za-z0-9][A-Za-z0-9_-]*/seed[0-9]{1,9}/[A-Za-z0-9][A-Za-z0-9_.-]*\.(result\.json|npz)"
RelativePath = Annotated[str, Field(pattern=rf"^(algorithm\.py|{_FILE_NAME})$", max_length=300)]
Url = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9][^\s<>\"'`\\]*$", max_length=400)]


def _refuse_duplicates(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({repr(value) for value in values}) < len(values):
        raise ValueError("should not contain duplicate values")
    return values


Values = Annotated[tuple[Json, ...], Field(min_length=1, max_length=1000), AfterValidator(_refuse_duplicates)]


class Tuning(StrictRecord):
    """What was tried in order to choose the options of each domain."""

    grid: Annotated[dict[Name, Values], Field(min_length=1, description="the allowed values of each option")]
    budget: Annotated[int, Field(ge=1, description="pretraining runs tried in each domain, counting seeds")]
    selected_by: Annotated[Text, Field(description="what decided: scores of validation splits only")]


class AlgorithmSource(StrictRecord):
    """The algorithm's source as it was run."""

    reference: Annotated[Text, Field(description="how the runs named it: a registered name or path/to/file.py:Class")]
    kind: Annotated[Word, Field(description="the class in algorithm.py")]
    sha256: Sha256


class Run(StrictRecord):
    """One pretraining run: its options, the hash of its weights and the two commands that repeat it."""

    domain: Word
    seed: Count
    options: Config
    weights_sha256: Sha256
    git_commit: Commit
    commands: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...], Field(min_length=2, max_length=2)
    ]


class Submission(StrictRecord):
    """What `dabs submit` writes and `dabs leaderboard verify` reads."""

    submission_version: Literal[1]
    name: Word
    authors: Annotated[tuple[Text, ...], Field(min_length=1, max_length=100)]
    url: Url
    created: Moment
    ruleset: Ruleset
    tuning: Tuning | Literal["none"]
    suite: Word
    algorithm: AlgorithmSource
    environment: Environment
    runs: Annotated[tuple[Run, ...], Field(min_length=1)]
    predictions: Annotated[dict[RelativePath, Sha256], Field(description="of every prediction file, included or not")]
    files: Annotated[dict[RelativePath, Sha256], Field(description="every other file of the folder")]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.ruleset == "tuned") != isinstance(self.tuning, Tuning):
            raise ValueError("should declare `tuning` exactly when the ruleset is tuned")
        if SOURCE_FILE not in self.files or self.files[SOURCE_FILE] != self.algorithm.sha256:
            raise ValueError(f"should list {SOURCE_FILE} among `files` with the hash `algorithm.sha256`")
        places = [(run.domain, run.seed) for run in self.runs]
        if len(set(places)) < len(places):
            raise ValueError("should contain one run per domain and seed")
        for name, digest in self.predictions.items():
            if not name.endswith(".npz") or self.files.get(name, digest) != digest:
                raise ValueError(f"should have equal hashes for {name} in `files` and `predictions`")
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of `submission.json`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Submission.model_json_schema()}


def read_submission(folder: Path) -> Submission:
    """Read and validate the `submission.json` of a folder; `find_damage` checks the files beside it.

    Raises:
        DabsError: the file is missing, damaged, of another version or breaks the schema.
    """
    path, way_out = folder / SUBMISSION_FILE, "Make it again with `dabs submit`."
    text = read_text(path, MAX_RESULT_BYTES, way_out)
    value = require_object(path, parse_json(path, text, way_out), way_out)
    current = migrate(path, value, "submission_version", SUBMISSION_VERSION, SUBMISSIONS, {})
    if current is not value:
        text = json.dumps(current)
    try:
        found = Submission.model_validate_json(text)
    except ValidationError as error:
        raise DabsError(f"{path}: {explain(error)} {way_out}") from error
    if found.name != folder.resolve().name:
        raise DabsError(f"{path}: its name is {found.name!r}, but its folder is called {folder.resolve().name!r}.")
    return found


def find_damage(folder: Path, submission: Submission) -> list[str]:
    """Return a sentence for each file that is missing, too large, changed, or not listed in `submission.json`."""
    found = []
    for name, digest in submission.files.items():
        path = folder / name
        limit = MAX_PREDICTIONS_BYTES if name.endswith(".npz") else MAX_RESULT_BYTES
        if path.is_symlink() or not path.is_file():
            found.append(f"{path} is missing")
        elif path.stat().st_size > limit:
            found.append(f"{path} is too large: a file of its kind has at most {limit:,} bytes")
        elif sha256_file(path) != digest:
            found.append(f"{path} was changed: its sha256 is not the one in {SUBMISSION_FILE}")
    listed = {folder / SUBMISSION_FILE, *(folder / name for name in submission.files)}
    there = {path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
    return found + [f"{path} is not listed in {SUBMISSION_FILE}" for path in sorted(there - listed)]


def result_paths(folder: Path, submission: Submission) -> list[Path]:
    """Return the result files of a submission, sorted."""
    return sorted(folder / name for name in submission.files if name.endswith(RESULT_SUFFIX))


def load_submission(folder: Path) -> tuple[Submission, list[Result]]:
    """Read a submission and its results, which are renamed after the submission.

    Raises:
        DabsError: a file in the folder is invalid, missing, changed or not listed.
    """
    submission = read_submission(folder)
    wrong = find_damage(folder, submission)
    if wrong:
        raise DabsError(f"{'; '.join(wrong)}. Make the submission again with `dabs submit`.")
    results = [read_result(path) for path in result_paths(folder, submission)]
    return submission, [rename_result(result, submission.name) for result in results]


def rename_result(result: Result, name: str) -> Result:
    """Return a result under the name of its submission; two submitters may use the same class name."""
    return result.model_copy(update={"algorithm": name})


def submission_folders(root: Path) -> list[Path]:
    """Return the folders in `root` that contain a submission, sorted by name; none if `root` does not exist."""
    return sorted(path.parent for path in root.glob(f"*/{SUBMISSION_FILE}") if not is_hidden(path, root))


def write_submission(folder: Path, submission: Submission, files: Mapping[str, bytes]) -> None:
    """Write the folder of a submission completely or not at all.

    Args:
        folder: must not exist.
        submission: what to write to `submission.json`.
        files: the content of each file in `submission.files`.

    Raises:
        DabsError: the folder exists already or cannot be written.
    """
    if folder.exists():
        raise DabsError(f"{folder} is there already. Take another --name, or remove it.")
    with replacing_with_lock(folder, over=False) as temporary:  # if two processes write it at once, one fails
        temporary.mkdir(parents=True)
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
        write_json(temporary / SUBMISSION_FILE, submission.model_dump(mode="json"))


if __name__ == "__main__":
    write_json(SCHEMA_FILE, json_schema())
