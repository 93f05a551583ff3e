"""Is what is committed valid: every result and submission by the same models and rules, no doubles, tables current.

A row of `leaderboard/results/` is one of the project's own algorithms, whose source lies in the checkout; everything
else is a submission, which brings its source along.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dabs.errors import DabsError
from dabs.evaluation.raw_input import RAW
from dabs.leaderboard.submit.consistency import Labels, Seen, prediction_differences
from dabs.leaderboard.submit.doc_tables import RESULTS, SUBMISSIONS, stale_pages
from dabs.leaderboard.submit.rules import REQUIRED, Rules, broken_rules, clashes, options_of
from dabs.leaderboard.tables.aggregate import FLOORS, protocols_of
from dabs.results.files import RESULT_SUFFIX, read_result, result_files
from dabs.results.schema import Result
from dabs.results.submission import SOURCE_FILE, Submission, Tuning, load_submission, submission_folders
from dabs.source_scan import MAX_SOURCE_BYTES, scan
from dabs.utils.files import read_text

RAW_SOURCE = Path("dabs") / "evaluation" / "raw_input.py"  # of the row that is no algorithm
Rows = Mapping[str, Sequence[Result]]  # a table's row -> its results


def problems(root: Path, rules: Rules, labels: Labels = lambda domain, task: None) -> list[str]:
    """A text for everything that is wrong with the results, submissions and tables of a checkout.

    Args:
        root: the checkout.
        rules: what a submission must be.
        labels: of the prepared data, against which those beside included predictions are held.
    """
    if not (root / RESULTS).is_dir():
        raise DabsError(f"there is no {root / RESULTS}: run this in a checkout of the project, or name it with --root.")
    rows, found = committed_rows(root / RESULTS)
    known = Known(rows)
    for name, own in rows.items():
        found += [f"{root / RESULTS}, {name}: {text}" for text in of_row(root, name, own, rules)]
    submissions, seen = root / SUBMISSIONS, Seen()
    for folder in sorted(path for path in submissions.glob("*") if path.is_dir() or path.is_symlink()):
        if folder not in submission_folders(submissions):
            found.append(f"{folder} holds no submission.json")
            continue
        wrong, results = of_submission(folder, rules, known)
        found += wrong + _edited(folder, results, labels, seen)
        known.add(folder.name, results)
    if not found:  # tables of invalid results say nothing
        found += [
            f"the tables in {page} differ from leaderboard/: run docs/update_tables.py" for page in stale_pages(root)
        ]
    return found


def committed_rows(folder: Path) -> tuple[dict[str, list[Result]], list[str]]:
    """The project's own results by algorithm, and what is wrong with them: schema, names, places, doubles, dirt."""
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
            found.append(f"{places[cell]} and {path} are results of one cell")
        places[cell] = path
        rows[result.algorithm].append(result)
    return dict(rows), found


def of_row(root: Path, name: str, results: Sequence[Result], rules: Rules) -> list[str]:
    """What is wrong with one of the project's own rows: made of another source than is here, or not by the rules.

    What is said of a protocol holds for its own table, so that its seeds and commit may be others than another's.
    """
    source = root / (RAW_SOURCE if name == RAW else f"algorithms/{name}.py")
    if not (name.isidentifier() and not name.startswith("_") and source.is_file()):
        return ["is no algorithm of the project: hand it in with `dabs submit`"]
    digest = hashlib.sha256(source.read_text(encoding="utf-8").encode()).hexdigest()
    others = [result for result in results if result.algorithm_sha256 != digest]
    found = []
    if others:
        found.append(f"{len(others)} of {len(results)} results were made of another source than {source}: run again")
    if name in FLOORS:  # they learn nothing, and the raw input has no encoder
        nothing = {domain: {"steps": 0} for domain in rules.tasks}
        rules = replace(rules, budgets=nothing, encoders={} if name == RAW else rules.encoders)
    for protocol in dict.fromkeys((*REQUIRED, *protocols_of(results))):
        own = replace(rules, seeds=1, protocols={protocol: rules.protocols[protocol]})
        broken = broken_rules([result for result in results if result.protocol == protocol], own, None)
        found += [f"{protocol}: {text}" for text in broken]
    return found


Settings = frozenset[tuple[str, str, str]]


class Known:
    """What of the rows so far a new one can clash with. Not all of their results: a thousand rows have too many.

    Attributes:
        settings: each row's `settings_of`.
        firsts: of each task and protocol the first result, and the first with pretraining, which the others equal in
            all that must be equal.
        floors: the same of the random encoder and the raw input alone.
    """

    def __init__(self, rows: Rows) -> None:
        self.settings: dict[str, Settings] = {}
        self.firsts: dict[tuple[Any, ...], Result] = {}
        self.floors: dict[tuple[Any, ...], Result] = {}
        for name, results in rows.items():
            self.add(name, results)

    def add(self, name: str, results: Sequence[Result]) -> None:
        """Take a row in."""
        self.settings[name] = settings_of(results)
        for result in results:
            key = (result.domain, result.task, result.protocol, bool(result.pretraining.steps))
            self.firsts.setdefault(key, result)
            if result.algorithm in FLOORS:
                self.floors.setdefault(key, result)


def of_submission(folder: Path, rules: Rules, known: Known) -> tuple[list[str], list[Result]]:
    """What is wrong with one submission beside the rows before it, and its results (none when it cannot be read)."""
    try:
        submission, results = load_submission(folder)
        source = read_text(folder / SOURCE_FILE, MAX_SOURCE_BYTES, "Make the submission again with `dabs submit`.")
    except DabsError as error:
        return [str(error)], []
    tuning = submission.tuning if isinstance(submission.tuning, Tuning) else None
    others = list((known.firsts if submission.ruleset == "fixed" else known.floors).values())
    wrong = [f"{SOURCE_FILE} line {use.line}: {use.what}" for use in scan(source)]
    wrong += taken(submission.name, results, known.settings)
    wrong += broken_rules(results, rules, tuning)
    wrong += clashes(results, others, rules.tasks)
    wrong += _contradictions(submission, results)
    return [f"{folder}: {text}" for text in wrong], results


def taken(name: str, results: Sequence[Result], rows: Mapping[str, Settings]) -> list[str]:
    """Whether a row of this name, or of the same source and options under another name, is there already."""
    found = []
    if name.casefold() in {other.casefold() for other in (*rows, *FLOORS)}:
        found.append(f"the name {name} is taken; choose another")
    mine = settings_of(results)
    return found + [f"{row} is the same algorithm with the same options" for row, its in rows.items() if its == mine]


def settings_of(results: Sequence[Result]) -> Settings:
    """Which source was run where with which options; one tuned may agree with another in some domains."""
    return frozenset((r.algorithm_sha256, r.domain, json.dumps(options_of(r), sort_keys=True)) for r in results)


def _contradictions(submission: Submission, results: Sequence[Result]) -> list[str]:
    """Where `submission.json` says something else than its results."""
    found = []
    runs = {(run.domain, run.seed): run for run in submission.runs}
    seen = {(result.domain, result.seed) for result in results}
    if set(runs) != seen:
        found.append(f"runs and results are of other domains and seeds: {sorted(set(runs) ^ seen)}")
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
            f"{name} of submission.json is not that of {cell}" for name, (said, is_) in facts.items() if said != is_
        ]
        if cell not in submission.files:
            found.append(f"a result of {cell} stands in another place")
    return found


def _edited(folder: Path, results: Sequence[Result], labels: Labels, seen: Seen) -> list[str]:
    """Scores and labels that do not follow from the predictions and the data, where predictions are included."""
    places = [(folder / f"results/{r.domain}/seed{r.seed}", r) for r in results]
    included = [(place, result) for place, result in places if (place / result.predictions.file).exists()]
    found = []
    if 0 < len(included) < len(places):
        found.append(f"{folder}: predictions of {len(included)} of {len(places)} results are included: all or none")
    for place, result in included:
        path = place / f"{result.task}.{result.protocol}{RESULT_SUFFIX}"
        found += prediction_differences(path, result, labels, seen)
    return found
