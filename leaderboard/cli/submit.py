"""`dabs submit RUNS ...`: gather runs into a submission, or list what is wrong."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro
from rich.console import Console

from dabs import __version__
from dabs.cli.options import Command
from dabs.config import PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.utils.files import read_text
from dabs.utils.strict_json import parse_json

if TYPE_CHECKING:
    from dabs.leaderboard.submit.consistency import RunFolder
    from dabs.leaderboard.submit.rules import Rules
    from dabs.results.schema import Result
    from dabs.results.submission import Submission, Tuning

LEADERBOARD = Path("leaderboard")


@dataclass(frozen=True, kw_only=True)
class SubmitOptions:
    """Gather the runs of one algorithm into leaderboard/submissions/NAME, after checking that nothing is missing."""

    runs: tyro.conf.Positional[tuple[Path, ...]]  # run folders, or folders above them, such as runs/lite/MyIdea
    name: str  # the row's name in tables: letters, digits, - and _
    authors: tuple[str, ...]  # who submits it, one word or quoted name each
    url: str  # where to read more: a paper, a repository
    ruleset: Literal["fixed", "tuned"] = "fixed"  # one setting for all domains, or a declared grid and budget
    tuning: Path | None = None  # for --ruleset tuned: JSON with grid, budget and selected_by; see docs/submitting.md
    algorithm: str = ""  # path/to/file.py:Class of the source, if it is no longer where the runs say
    check_only: bool = False  # report what is wrong, write nothing
    suite: Literal["lite"] = "lite"  # which data
    out: Path = LEADERBOARD / "submissions"  # the folder in which the submission's folder is made


COMMAND = Command(
    words="submit",
    options=SubmitOptions,
    examples=(
        (
            "what is missing; nothing is written",
            "dabs submit runs/lite/MyIdea --name my-idea --authors Ada --url https://a.org --check-only",
        ),
        (
            "make the submission",
            'dabs submit runs/lite/MyIdea --name my-idea --authors "A. Stranger" --url https://a.org',
        ),
    ),
)


def main(arguments: list[str]) -> None:
    """Parse the options, check the runs, write the submission and print what to do next."""
    options = COMMAND.parse(arguments)
    from dabs.leaderboard.cli.suite_rules import build_rules

    console = Console()
    with console.status("reading runs, recomputing scores from predictions"):
        folder = submit(options, build_rules(options.suite))
    if folder is None:
        console.print("nothing is wrong with these runs; without --check-only they become a submission")
        return
    in_checkout = (options.out.parent / "results").is_dir()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    console.print(f"submission in {folder} ({size:.1f} MB)", highlight=False, soft_wrap=True)
    if not in_checkout:
        console.print(
            "note: this is not the top of a checkout, so the runs were compared with the results that came with dabs "
            f"{__version__}, and with no other submission",
            style="yellow",
            soft_wrap=True,
        )
    place = folder if in_checkout else f"a copy of {folder} in {LEADERBOARD / 'submissions'}"
    lines = [
        "next, in a checkout of the project: dabs leaderboard verify",
        "      if the tables changed:        python docs/update_tables.py",
        f"      then commit {place} and open a pull request (docs/submitting.md)",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True)


def submit(options: SubmitOptions, rules: Rules) -> Path | None:
    """Check runs and write their submission; return its folder, or None with `check_only`.

    Raises:
        RequestError: a name, a folder or the declared tuning cannot be used.
        DabsError: something is wrong with the runs; the message has one line for each problem.
    """
    from dabs.leaderboard.cli.suite_rules import read_labels
    from dabs.leaderboard.submit.consistency import find_disagreements, find_runs
    from dabs.leaderboard.submit.rules import find_broken_rules
    from dabs.results.submission import rename_result, write_submission

    tuning = read_tuning(options)
    if options.out.joinpath(options.name).exists():
        raise RequestError(f"{options.out / options.name} is there already. Take another --name, or remove it.")
    runs = find_runs(options.runs)
    kind, source = _read_source(options, runs[0])
    paths = {path: result for run in runs for path, result in run.results.items()}
    results = list(paths.values())
    wrong = _scan_source(source)
    wrong += find_disagreements(runs, source, lambda domain, task: read_labels(options.suite, domain, task))
    wrong += find_broken_rules(results, rules, tuning)
    renamed = {path: rename_result(result, options.name) for path, result in paths.items()}
    wrong += _compare_with_committed(options, renamed, rules)
    if wrong:
        lines = "\n".join(f"  - {line}" for line in wrong)
        raise DabsError(f"these runs are not a submission yet:\n{lines}")
    submission, files = compose(options, tuning, runs, kind, source)
    if options.check_only:
        return None
    write_submission(options.out / options.name, submission, files)
    return options.out / options.name


def read_tuning(options: SubmitOptions) -> Tuning | None:
    """Return the declared grid and budget under the ruleset `tuned`, None under `fixed`.

    Raises:
        RequestError: the file is missing, not wanted, or not in the form that docs/submitting.md shows.
    """
    from pydantic import ValidationError

    from dabs.results.files import MAX_RESULT_BYTES, explain
    from dabs.results.submission import Tuning

    if (options.ruleset == "tuned") != (options.tuning is not None):
        raise RequestError(
            "--ruleset tuned needs --tuning FILE with the grid, the budget and how options were selected; "
            "--ruleset fixed takes none. docs/submitting.md shows such a file."
        )
    if options.tuning is None:
        return None
    way_out = "docs/submitting.md shows such a file."
    text = read_text(options.tuning, MAX_RESULT_BYTES, way_out)
    parse_json(options.tuning, text, way_out)
    try:
        return Tuning.model_validate_json(text)
    except ValidationError as error:
        raise RequestError(f"{options.tuning}: {explain(error)} {way_out}") from error


def _read_source(options: SubmitOptions, run: RunFolder) -> tuple[str, str]:
    """Return the algorithm's class name and source without running it: the runs may come from someone else."""
    from dabs.registry import read_algorithm

    reference = options.algorithm or run.config.algorithm
    try:
        return read_algorithm(reference)
    except RequestError as error:
        raise RequestError(
            f"{error} The runs name {run.config.algorithm}; say where it is now with --algorithm."
        ) from error


def _scan_source(source: str) -> list[str]:
    from dabs.source_scan import scan

    return [f"the source {use.what} in line {use.line}, which `dabs check` refuses" for use in scan(source)]


def _compare_with_committed(options: SubmitOptions, paths: Mapping[Path, Result], rules: Rules) -> list[str]:
    """Return why the results cannot join the tables of the checkout of `--out`, or else of this copy of dabs."""
    from dabs.evaluation.reference_rows import is_reference
    from dabs.leaderboard.submit.copies import KnownPredictions
    from dabs.leaderboard.submit.rules import find_clashes
    from dabs.leaderboard.submit.verify import find_duplicates, paths_of, read_committed_rows, settings_of
    from dabs.results.places import published_folder
    from dabs.results.submission import load_submission, submission_folders

    folder, results = options.out.parent / "results", list(paths.values())
    folder = folder if folder.is_dir() else published_folder()
    rows, known = read_committed_rows(folder)[0], KnownPredictions()
    known.add_folder(folder)
    shown = [r for name, own in rows.items() for r in own if options.ruleset == "fixed" or is_reference(name)]
    sharing = [result for result in shown if result.domain in rules.tasks]
    submitted = {f: load_submission(f)[1] for f in submission_folders(options.out)}
    for place, own in submitted.items():
        known.add(place.name, paths_of(place, own))
    others = rows | {place.name: own for place, own in submitted.items()}
    wrong = find_duplicates(options.name, results, {name: settings_of(own) for name, own in others.items()})
    return wrong or [*find_clashes(results, sharing, rules.tasks), *known.find_copies(options.name, paths)]


def compose(
    options: SubmitOptions, tuning: Tuning | None, runs: Sequence[RunFolder], kind: str, source: str
) -> tuple[Submission, dict[str, bytes]]:
    """Return the submission and the contents of its files.

    Raises:
        RequestError: a name, author or URL cannot be used.
    """
    from pydantic import ValidationError

    from dabs.results.files import explain
    from dabs.results.submission import SOURCE_FILE, Submission

    files, predictions = {SOURCE_FILE: source.encode()}, dict[str, str]()
    for run in runs:
        place = f"results/{run.config.domain}/seed{run.config.seed}"
        for path, result in run.results.items():
            files[f"{place}/{path.name}"] = path.read_bytes()
            predictions[f"{place}/{result.predictions.file}"] = result.predictions.sha256
            files[f"{place}/{result.predictions.file}"] = (path.parent / result.predictions.file).read_bytes()
    first = next(iter(runs[0].results.values()))
    value: dict[str, Any] = {
        "submission_version": 1,
        "name": options.name,
        "authors": options.authors,
        "url": options.url,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "ruleset": options.ruleset,
        "tuning": tuning or "none",
        "suite": options.suite,
        "algorithm": {
            "reference": Path(runs[0].config.algorithm).name,
            "kind": kind,
            "sha256": hashlib.sha256(source.encode()).hexdigest(),
        },
        "environment": first.environment,
        "runs": tuple(_run_record(run, kind) for run in runs),
        "predictions": predictions,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    try:
        return Submission.model_validate(value), files
    except ValidationError as error:
        raise RequestError(f"the submission cannot be written: {explain(error)}") from error


def _run_record(run: RunFolder, kind: str) -> dict[str, Any]:
    protocols = sorted({result.protocol for result in run.results.values()})
    return {
        "domain": run.config.domain,
        "seed": run.config.seed,
        "options": dict(run.config.options),
        "weights_sha256": run.provenance["weights_sha256"],
        "git_commit": run.provenance["environment"]["git_commit"],
        "commands": tuple(command_lines(run.config, kind, protocols)),
    }


def command_lines(config: PretrainConfig, kind: str, protocols: Sequence[str]) -> list[str]:
    """Return the two commands that repeat a run and its evaluation, with every value spelled out."""
    folder = f"again/{config.domain}/seed{config.seed}"
    words = ["dabs", "pretrain", f"algorithm.py:{kind}", config.domain]
    values = {
        "suite": config.suite,
        "encoder": config.encoder,
        "seed": config.seed,
        "steps": config.steps,
        "batch_size": config.batch_size,
        "accumulate": config.accumulate,
        "lr": config.lr,
        "weight_decay": config.weight_decay,
        "beta2": config.beta2,
        "precision": config.precision,
        "compile": config.compile,
        **config.options,
        "out": folder,
    }
    for name, value in values.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", *map(str, value if isinstance(value, list | tuple) else [value])]
    return [shlex.join(words), shlex.join(["dabs", "eval", folder, "--protocol", *protocols])]
