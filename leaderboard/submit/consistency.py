"""Check that run folders agree with their results, predictions and source.

A score that was edited by hand no longer follows from the predictions next to it; edited predictions no longer have the
hash in the result; edited labels differ from those of the data or of the other seeds. None of this is a signature: only
running the cell again exposes someone who makes up predictions and everything that follows from them.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dabs.config import PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.evaluation.metrics import bootstrap_interval, metric_of
from dabs.results.files import RESULT_SUFFIX, read_predictions, read_result
from dabs.results.predictions import find_mismatch
from dabs.results.schema import Result
from dabs.training.run_folder import load_run, recorded_config
from dabs.utils.files import is_hidden, sha256_file

SCORE_TOLERANCE = 1e-9  # how far a recomputed score may be off
LabelReader = Callable[[str, str], np.ndarray | None]
"""Returns the test labels of a (domain, task), or None if its data is not prepared."""
SeenArrays = dict[tuple[str, str, str, str], np.ndarray]  # (suite, domain, task, "label" or "group") -> the test array


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """A complete run with its results, keyed by the paths of their files."""

    folder: Path
    config: PretrainConfig
    provenance: dict[str, Any]
    results: dict[Path, Result]


def find_runs(roots: Sequence[Path]) -> list[RunFolder]:
    """Return every run at or below some folders, ordered by domain and seed.

    Raises:
        RequestError: there is no run, or the runs are of several algorithms.
        DabsError: a run is incomplete or a result is invalid.
    """
    for root in roots:
        if not root.is_dir():
            raise RequestError(
                f"there are no runs in {root}, which does not exist. Name another folder, or use `dabs run`."
            )
    found = ((root, path) for root in roots for path in root.rglob("config.json"))
    configs = {path.resolve().parent for root, path in found if not is_hidden(path, root)}
    folders = sorted(folder for folder in configs if not (folder / "encoder.safetensors").exists())
    if not folders:
        raise RequestError(f"there is no run in {', '.join(map(str, roots))}. Make them with `dabs run`.")
    runs, refused = [], []
    for folder in folders:
        try:
            runs.append(_read_run(folder))
        except DabsError as error:
            refused.append(f"  - {error}")
    if refused:
        raise DabsError("these runs are not a submission yet:\n" + "\n".join(refused))
    labels = sorted({run.provenance["label"] for run in runs})
    if len(labels) > 1:
        raise RequestError(
            f"these are runs of several algorithms ({', '.join(labels)}), but a submission has one. Name the folder of "
            f"one algorithm, such as {runs[0].folder.parents[1]}."
        )
    return sorted(runs, key=lambda run: (run.config.domain, run.config.seed))


def _read_run(folder: Path) -> RunFolder:
    config, provenance = load_run(folder)
    paths = sorted((folder / "results").glob(f"*{RESULT_SUFFIX}"))
    results = {path: read_result(path) for path in paths}
    return RunFolder(folder=folder, config=config, provenance=provenance, results=results)


def find_disagreements(runs: Sequence[RunFolder], source: str, labels: LabelReader) -> list[str]:
    """Return one line for each disagreement between the runs and their results, source, predictions and data.

    Args:
        runs: the runs of one algorithm.
        source: the text of the algorithm's file.
        labels: reads the labels of the prepared data.
    """
    digest, found = hashlib.sha256(source.encode()).hexdigest(), []
    stale = [run for run in runs if run.provenance["algorithm_sha256"] != digest]
    if stale:
        found.append(
            f"the algorithm's source was changed after {stale[0].folder} was made ({len(stale)} of {len(runs)} runs): "
            f"its hash is {digest[:12]}, the run has {stale[0].provenance['algorithm_sha256'][:12]}. Run again"
        )
    seen: SeenArrays = {}
    for run in runs:
        found += _check_run(run)
        for path, result in run.results.items():
            found += _check_result(path, result, run)
            found += check_predictions(path, result, labels, seen)
    return found


def _check_run(run: RunFolder) -> list[str]:
    """Return what is wrong with a run itself: exchanged weights, no results, or a dirty checkout."""
    found = []
    weights = run.folder / "encoder" / "encoder.safetensors"
    if not weights.is_file() or sha256_file(weights) != run.provenance["weights_sha256"]:
        found.append(
            f"{weights} is missing or is not what the run wrote: its hash is not the one in run.json: run "
            f"`dabs pretrain --config {run.folder}`"
        )
    if not run.results:
        found.append(f"{run.folder} has no results: run `dabs eval {run.folder}`")
    reported = any(result.environment.git_dirty for result in run.results.values())  # the rules refuse such results
    if run.provenance["environment"]["git_dirty"] and not reported:
        found.append(f"{run.folder} was pretrained from a checkout of dabs with uncommitted changes")
    return found


def _check_result(path: Path, result: Result, run: RunFolder) -> list[str]:
    """Return a line for each fact that a result and its run state differently."""
    pretraining, environment = result.pretraining, run.provenance["environment"]
    stated: dict[str, Any] = {
        "algorithm": result.algorithm,
        "algorithm_sha256": result.algorithm_sha256,
        "domain": result.domain,
        "seed": result.seed,
        "file name": path.name,
        "pretraining.config": pretraining.config,
        "environment.git_commit": result.environment.git_commit,
        "environment.dabs_version": result.environment.dabs_version,
        "environment.versions": result.environment.versions,
    }
    recorded: dict[str, Any] = {
        "algorithm": run.provenance["label"],
        "algorithm_sha256": run.provenance["algorithm_sha256"],
        "domain": run.config.domain,
        "seed": run.config.seed,
        "file name": f"{result.task}.{result.protocol}{RESULT_SUFFIX}",
        "pretraining.config": json.loads(json.dumps(recorded_config(run.config, run.provenance))),
        "environment.git_commit": environment["git_commit"],
        "environment.dabs_version": environment["dabs_version"],
        "environment.versions": environment["versions"],
    }
    for name in ("steps", "examples_seen", "wall_seconds", "final_loss", "data_sha256", "weights_sha256"):
        stated[f"pretraining.{name}"] = getattr(pretraining, name)
        recorded[f"pretraining.{name}"] = run.provenance[name]
    stated["pretraining.learning"] = pretraining.learning.model_dump(mode="json")
    recorded["pretraining.learning"] = run.provenance["learning"]
    different = [name for name in stated if stated[name] != recorded[name]]
    return [f"{path}: {name} is {stated[name]!r}, the run has {recorded[name]!r}" for name in different]


def check_predictions(path: Path, result: Result, labels: LabelReader, seen: SeenArrays) -> list[str]:
    """Return what is wrong with a result's predictions: their hash, score or interval, or other labels or groups.

    Args:
        path: the result's file; its predictions are in the same folder.
        result: the result in that file.
        labels: reads the labels of the prepared data.
        seen: the labels and groups of each task checked so far; those of a new task are added.
    """
    try:
        arrays = read_predictions(path)
    except DabsError as error:
        return [str(error)]
    found = check_score(path, result, arrays)
    label = arrays.get("label", np.empty(0))
    known = labels(result.domain, result.task)
    if known is not None and not np.array_equal(known, label):
        found.append(f"{path}: the labels stored with its predictions are not those of the prepared data")
    for name in ("label", "group"):
        own = arrays.get(name, np.empty(0))
        if not np.array_equal(seen.setdefault((result.suite, result.domain, result.task, name), own), own):
            found.append(
                f"{path}: the {name}s stored with its predictions are not those of the other results of this task"
            )
    return found


def check_score(path: Path, result: Result, arrays: dict[str, np.ndarray]) -> list[str]:
    """Return one line for each number of a result that does not follow from its predictions."""
    wrong = find_mismatch(result, arrays)
    if wrong:
        return [f"{path}: {wrong}"]
    prediction, label, group = arrays["prediction"], arrays["label"], arrays["group"]
    try:
        score = metric_of(result.metric.name).score(prediction, label)
        interval = bootstrap_interval(result.metric.name, prediction, label, group)
    except (DabsError, ValueError, IndexError) as error:
        return [f"{path}: its predictions cannot be scored ({error})"]
    drawn = {name: (getattr(result.interval, name), interval[name]) for name in ("resampled", "units")}
    pairs = {
        "score": (result.score, score),
        "interval.low": (result.interval.low, interval["low"]),
        "interval.high": (result.interval.high, interval["high"]),
    }
    return [
        f"{path}: interval.{name} is {stated!r}, its groups give {computed!r}; the file was edited"
        for name, (stated, computed) in drawn.items()
        if stated != computed
    ] + [
        f"{path}: {name} is {stated:.6g}, its predictions give {computed:.6g}; the file was edited"
        for name, (stated, computed) in pairs.items()
        if not math.isclose(stated, computed, rel_tol=0, abs_tol=SCORE_TOLERANCE)
    ]
