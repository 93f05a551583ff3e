"""Check that all committed results, submissions and generated pages are valid.

Each row of `leaderboard/results/` is one of the project's own algorithms, whose source is in the checkout. Every other
row is a submission, which brings its source along.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dabs.config import without_budget
from dabs.errors import DabsError
from dabs.evaluation.reference_rows import RANDOM, RAW, REFERENCES, SUMMARY, SUPERVISED, WITHOUT_ENCODER
from dabs.leaderboard.submit.consistency import LabelReader, SeenArrays, check_predictions
from dabs.leaderboard.submit.copies import KnownPredictions
from dabs.leaderboard.submit.doc_tables import RESULTS, SUBMISSIONS, find_stale_pages
from dabs.leaderboard.submit.rules import REQUIRED, Rules, at_budget, find_broken_rules, find_clashes, options_of
from dabs.leaderboard.tables.aggregate import protocols_of
from dabs.results.files import RESULT_SUFFIX, read_result, result_files
from dabs.results.schema import Result
from dabs.results.submission import SOURCE_FILE, Submission, Tuning, load_submission, submission_folders
from dabs.source_scan import MAX_SOURCE_BYTES, scan
from dabs.utils.files import read_text

EVALUATION = Path("dabs") / "evaluation"
REFERENCE_SOURCES = {  # the sources of the rows that are not algorithms
    RAW: EVALUATION / "raw_input.py",
    SUMMARY: EVALUATION / "raw_input.py",
    SUPERVISED: EVALUATION / "supervised.py",
}
RowResults = Mapping[str, Sequence[Result]]  # a row's name -> its results


def find_problems(root: Path, rules: Rules, labels: LabelReader = lambda domain, task: None) -> list[str]:
    """Return one line for each problem with the results, submissions and generated pages of a checkout.

    Args:
        root: the checkout.
        rules: what a submission must satisfy.
        labels: reads the labels of the prepared data, to which those of included predictions are compared.

    Raises:
        DabsError: `root` has no folder of results, or a page cannot be generated.
    """
    if not (root / RESULTS).is_dir():
        raise DabsError(f"there is no {root / RESULTS}: run this in a checkout of the project, or name it with --root.")
    rows, found = read_committed_rows(root / RESULTS)
    standard = {name: own for name, own in rows.items() if without_budget(name) == name}
    known, seen, predictions = KnownRows(standard), SeenArrays(), KnownPredictions()
    predictions.add_folder(root / RESULTS)
    found += find_wrong_predictions(root / RESULTS, labels, seen)
    for name, own in rows.items():
        found += [f"{root / RESULTS}, {name}: {text}" for text in check_row(root, name, own, rules)]
    submissions = root / SUBMISSIONS
    for folder in sorted(path for path in submissions.glob("*") if path.is_dir() or path.is_symlink()):
        if folder not in submission_folders(submissions):
            found.append(f"{folder} has no submission.json")
            continue
        wrong, results = check_submission(folder, rules, known)
        paths = paths_of(folder, results)
        found += wrong + _find_edits(folder, paths, labels, seen)
        found += [f"{folder}: {text}" for text in predictions.find_copies(folder.name, paths)]
        known.add(folder.name, results)
        predictions.add(folder.name, paths)
    if not found:  # pages made from invalid results mean nothing
        found += [
            f"the generated parts of {page} are out of date: run docs/update_tables.py"
            for page in find_stale_pages(root)
        ]
    return found


def read_committed_rows(folder: Path) -> tuple[dict[str, list[Result]], list[str]]:
    """Return the project's own results by algorithm, and a line for each invalid, misplaced, duplicate or dirty one."""
    rows: dict[str, list[Result]] = defaultdict(list)
    found: list[str] = []
    places: dict[tuple[str, ...], Path] = {}
    for path in result_files((folder,)):
        try:
            result = read_result(path)
        except DabsError as error:
            found.append(str(error))
            continue
        parts = (result.suite, result.algorithm, result.domain, f"seed{result.seed}")
        wanted = folder.joinpath(*parts, "results", f"{result.task}.{result.protocol}{RESULT_SUFFIX}")
        if path != wanted:
            found.append(f"{path} is a result that belongs in {wanted}")
        if result.environment.git_dirty:
            found.append(f"{path} was made from a checkout with uncommitted changes")
        cell = (*parts, result.task, result.protocol)
        if cell in places:
            found.append(f"{places[cell]} and {path} are results of the same cell")
        places[cell] = path
        rows[result.algorithm].append(result)
    return dict(rows), found


def find_wrong_predictions(folder: Path, labels: LabelReader, seen: SeenArrays) -> list[str]:
    """Return a line for each committed result whose predictions are missing or do not give its score and interval."""
    found = []
    for path in result_files((folder,)):
        try:
            result = read_result(path)
        except DabsError:  # `read_committed_rows` reports it
            continue
        found += check_predictions(path, result, labels, seen)
    return found


def check_row(root: Path, name: str, results: Sequence[Result], rules: Rules) -> list[str]:
    """Return what is wrong with one of the project's own rows: another source than in the checkout, or broken rules.

    The rules apply to each protocol on its own, since the protocols of a row may differ in their seeds and commit. At
    another budget, domains may still be missing.
    """
    name, budget = without_budget(name), next((result.budget for result in results if result.budget), 1.0)
    if budget != 1:
        rules = at_budget(rules, budget, {result.domain for result in results})
    source = root / REFERENCE_SOURCES.get(name, Path("algorithms") / f"{name}.py")
    if not (name.isidentifier() and not name.startswith("_") and source.is_file()):
        return ["is not an algorithm of the project: hand it in with `dabs submit`"]
    digest = hashlib.sha256(source.read_text(encoding="utf-8").encode()).hexdigest()
    others = [result for result in results if result.algorithm_sha256 != digest]
    found = []
    if others:
        found.append(f"{len(others)} of {len(results)} results were made with another version of {source}: run again")
    if name == RANDOM or name in WITHOUT_ENCODER:
        no_steps = {domain: {"steps": 0} for domain in rules.tasks}
        rules = replace(rules, budgets=no_steps)
    if name in WITHOUT_ENCODER:
        rules = replace(rules, encoders={}, seeds=(0,))
    if name in WITHOUT_ENCODER and any(result.protocol == "finetune" for result in results):
        found.append("finetune: there is no encoder to fine-tune")
    for protocol in dict.fromkeys((*REQUIRED, *protocols_of(results))):
        own = replace(rules, every_seed=False, protocols={protocol: rules.protocols[protocol]})
        broken = find_broken_rules([result for result in results if result.protocol == protocol], own, None)
        found += [f"{protocol}: {text}" for text in broken]
    return found


Settings = frozenset[tuple[str, str, str]]  # (hash of the source, domain, options as JSON)


class KnownRows:
    """What a new row can clash with in the rows read so far. Keeping all results of a thousand rows takes too much.

    Attributes:
        settings: each row's `settings_of`.
        firsts: for each task and protocol, the first result, and the first that was pretrained; the others equal these
            in everything that must be equal.
        references: the same for the reference rows alone.
    """

    def __init__(self, rows: RowResults) -> None:
        self.settings: dict[str, Settings] = {}
        self.firsts: dict[tuple[Any, ...], Result] = {}
        self.references: dict[tuple[Any, ...], Result] = {}
        for name, results in rows.items():
            self.add(name, results)

    def add(self, name: str, results: Sequence[Result]) -> None:
        """Add a row."""
        self.settings[name] = settings_of(results)
        for result in results:
            key = (result.domain, result.task, result.protocol, bool(result.pretraining.steps))
            self.firsts.setdefault(key, result)
            if result.algorithm in REFERENCES:
                self.references.setdefault(key, result)


def check_submission(folder: Path, rules: Rules, known: KnownRows) -> tuple[list[str], list[Result]]:
    """Return what is wrong with a submission, given the rows before it, and its results ([] if it is unreadable)."""
    try:
        submission, results = load_submission(folder)
        source = read_text(folder / SOURCE_FILE, MAX_SOURCE_BYTES, "Make the submission again with `dabs submit`.")
    except DabsError as error:
        return [str(error)], []
    tuning = submission.tuning if isinstance(submission.tuning, Tuning) else None
    others = list((known.firsts if submission.ruleset == "fixed" else known.references).values())
    wrong = [f"{SOURCE_FILE} line {use.line}: {use.what}" for use in scan(source)]
    wrong += find_duplicates(submission.name, results, known.settings)
    wrong += find_broken_rules(results, rules, tuning)
    wrong += find_clashes(results, others, rules.tasks)
    wrong += _find_contradictions(submission, results)
    return [f"{folder}: {text}" for text in wrong], results


def find_duplicates(name: str, results: Sequence[Result], rows: Mapping[str, Settings]) -> list[str]:
    """Return a line if a row of this name exists, and one for each row with the same source and options."""
    found = []
    if name.casefold() in {other.casefold() for other in (*rows, *REFERENCES)}:
        found.append(f"the name {name} is taken; choose another")
    mine = settings_of(results)
    return found + [f"{row} is the same algorithm with the same options" for row, its in rows.items() if its == mine]


def settings_of(results: Sequence[Result]) -> Settings:
    """Return which source was run in which domain with which options. Two tuned rows may share some of these."""
    return frozenset((r.algorithm_sha256, r.domain, json.dumps(options_of(r), sort_keys=True)) for r in results)


def _find_contradictions(submission: Submission, results: Sequence[Result]) -> list[str]:
    """Return a line for each fact in `submission.json` that differs from the results."""
    found = []
    runs = {(run.domain, run.seed): run for run in submission.runs}
    seen = {(result.domain, result.seed) for result in results}
    if set(runs) != seen:
        found.append(f"runs and results are of different domains and seeds: {sorted(set(runs) ^ seen)}")
    for result in results:
        run = runs.get((result.domain, result.seed))
        place = f"results/{result.domain}/seed{result.seed}"
        facts = {
            "suite": (submission.suite, result.suite),
            "algorithm.sha256": (submission.algorithm.sha256, result.algorithm_sha256),
            "environment.git_commit": (submission.environment.git_commit, result.environment.git_commit),
            "predictions": (
                submission.predictions.get(f"{place}/{result.predictions.file}"),
                result.predictions.sha256,
            ),
        }
        if run is not None:
            facts["runs.options"] = (str(run.options), str(options_of(result)))
            facts["runs.weights_sha256"] = (run.weights_sha256, result.pretraining.weights_sha256)
        cell = f"{place}/{result.task}.{result.protocol}{RESULT_SUFFIX}"
        found += [
            f"{name} in submission.json is not that of {cell}"
            for name, (stated, actual) in facts.items()
            if stated != actual
        ]
        if cell not in submission.files:
            found.append(f"the result of {cell} is in another place")
    return found


def paths_of(folder: Path, results: Sequence[Result]) -> dict[Path, Result]:
    """Return the results of a submission's folder by the paths of their files."""
    return {folder / f"results/{r.domain}/seed{r.seed}/{r.task}.{r.protocol}{RESULT_SUFFIX}": r for r in results}


def _find_edits(folder: Path, results: Mapping[Path, Result], labels: LabelReader, seen: SeenArrays) -> list[str]:
    """Return a line for each score or label that does not follow from the predictions and the data."""
    missing = [path for path, result in results.items() if not (path.parent / result.predictions.file).exists()]
    found = []
    if missing:
        found.append(
            f"{folder}: the predictions of {len(missing)} of {len(results)} results are missing; without them nobody "
            "can compute the scores again. Make the submission again with `dabs submit`"
        )
    for path, result in results.items():
        if path not in missing:
            found += check_predictions(path, result, labels, seen)
    return found
