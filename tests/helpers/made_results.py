"""Made-up results: a factory for one, a small suite, and submissions of them."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dabs.config import label_at
from dabs.evaluation.reference_rows import SUPERVISED, WITHOUT_ENCODER
from dabs.results.files import predictions_record, write_result
from dabs.results.schema import Result
from dabs.results.submission import Submission, write_submission

SUITE = {
    "chest_xray": {"findings": ("auroc", 0.5, "generated")},
    "english_text": {
        "question_type": ("accuracy", 0.22, "recorded"),
        "reply": ("accuracy", 0.5, "recorded"),
        "sentiment": ("spearman", 0.0, "recorded"),
        "spam": ("accuracy", 0.5, "recorded"),
    },
    "sensor": {"exercise": ("accuracy", 0.17, "recorded"), "side": ("accuracy", 0.5, "recorded")},
    "speech": {
        "language": ("accuracy", 0.14, "synthesised"),
        "voice": ("accuracy", 0.03, "synthesised"),
        "word": ("accuracy", 0.03, "synthesised"),
    },
}
ENVIRONMENT = {
    "python": "3.11.9",
    "platform": "Linux-6.1-x86_64",
    "processor": "x86_64",
    "cores": 2,
    "device": "cpu",
    "precision": "bf16",
    "versions": {"torch": "2.11.0", "numpy": "2.4.6"},
    "dabs_version": "0.1.0",
    "git_commit": hashlib.sha256(repr(("commit",)).encode()).hexdigest()[:40],
    "git_dirty": False,
}
GAIN = {"none": 0.12, "raw": 0.15, "contrastive": 0.24, "emix": 0.27, "shed": 0.31}
EVERY_ROW = {**GAIN, "summary": 0.06, "supervised": 0.48}


def digest(*words: object) -> str:
    """Return a hash that depends only on the words."""
    return hashlib.sha256(repr(words).encode()).hexdigest()


def make_payload(
    algorithm: str = "shed",
    domain: str = "sensor",
    task: str = "exercise",
    protocol: str = "linear",
    seed: int = 0,
    score: float = 0.71,
    reason: str = "",
) -> dict[str, Any]:
    """Return a valid result as plain values; its file of predictions is named but not written.

    `reason` says why the run did not learn; it did if that is empty.
    """
    metric, chance, origin = SUITE.get(domain, {}).get(task, ("accuracy", 0.1, "recorded"))
    splits = ("train", "validation", "test")
    return {
        "schema_version": 3,
        "suite": "lite",
        "domain": domain,
        "task": task,
        "protocol": protocol,
        "algorithm": algorithm,
        "algorithm_sha256": digest(algorithm),
        "seed": seed,
        "metric": {
            "name": metric,
            "direction": "higher",
            "low": -1.0 if metric == "spearman" else 0.0,
            "high": 1.0,
            "chance": chance,
        },
        "score": score,
        "interval": {
            "level": 0.95,
            "low": score - 0.021,
            "high": min(1.0, score + 0.019),
            "method": "Student's t, standard error from a bootstrap over test examples",
            "resamples": 1000,
            "resampled": "examples",
            "units": 1031,
        },
        "validation_score": score,
        "selected": {"C": 0.01, "k": 20},
        "counts": {"train": 2210, "validation": 360, "test": 1031},
        "data": {
            "origin": origin,
            "sha256": {split: digest(domain, task, split) for split in splits},
            "split_sha256": {split: digest(domain, task, split, "groups") for split in splits},
            "sources": [{"package": "seglearn", "version": "1.2.5", "sha256": digest("seglearn")}],
        },
        "pretraining": _make_pretraining(algorithm, domain, task, seed, reason),
        "evaluation": {"config": {"protocol": protocol, "features": "mean"}},
        "encoder": {"config": {"width": 64, "depth": 4}, "parameters": 0 if algorithm in WITHOUT_ENCODER else 123456},
        "environment": copy.deepcopy(ENVIRONMENT),
        "predictions": {"file": f"{task}.{protocol}.predictions.npz", "sha256": digest("predictions")},
        "timings": {"started": "2026-11-21T04:50:00Z", "seconds": {"features": 1.2, "fit": 0.8}},
    }


def _make_pretraining(algorithm: str, domain: str, task: str, seed: int, reason: str) -> dict[str, Any]:
    steps = 0 if algorithm in ("none", *WITHOUT_ENCODER) else 600
    trained_on = (domain, task) if algorithm == SUPERVISED else (domain,)
    points = [step for step in range(0, steps + 1, 20) if steps]
    return {
        "config": {"seed": seed, "lr": 0.0001, "names": ["a", "b"], "nested": {"on": True}},
        "steps": steps,
        "examples_seen": 64 * steps,
        "wall_seconds": 21.3 * bool(steps),
        "flops": 9_000_000_000 * steps,
        "held_out": [[steps, 0.9]] if steps else [],
        "peak_memory_bytes": 412_000_000,
        "final_loss": 0.8 * bool(steps),
        "learning": {
            "learned": not reason,
            "reason": reason,
            "ending": {"loss": 0.8} if steps else {},
            "constant": {"loss": 2.2} if steps else {},
            "effective_rank": 0.0 if algorithm in WITHOUT_ENCODER else 17.5,
        },
        "data_sha256": digest(domain) if steps else "none",
        "weights_sha256": "none" if algorithm in WITHOUT_ENCODER else digest(algorithm, *trained_on, seed),
        "curve": [[step, 0.8 + 1.4 * float(np.exp(-step / (120 + 20 * seed)))] for step in points],
    }


def make(**changes: Any) -> Result:
    """Return a valid result; keyword arguments as for `make_payload`."""
    return Result.model_validate_json(_json(make_payload(**changes)))


def alter(payload: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of `payload` with the field at the dotted `path` set to `value`."""
    changed = copy.deepcopy(payload)
    *parents, last = path.split(".")
    part = changed
    for name in parents:
        part = part[name]
    part[last] = value
    return changed


def altered(path: str, value: Any, **changes: Any) -> Result:
    """Return a valid result with the field at the dotted `path` set to `value`."""
    return Result.model_validate_json(_json(alter(make_payload(**changes), path, value)))


def _json(payload: dict[str, Any]) -> str:
    return json.dumps(payload)


def write_payload(folder: Path, payload: dict[str, Any], predictions: Mapping[str, np.ndarray]) -> Path:
    """Write a result given as plain values, with its predictions; each example is its own group unless they say so."""
    if np.ndim(predictions.get("label", 0)) and "prediction" in predictions:
        predictions = {"group": np.arange(len(predictions["label"])), **predictions}
    record = predictions_record(payload["task"], payload["protocol"], predictions).model_dump()
    return write_result(folder, Result.model_validate_json(_json(payload | {"predictions": record})), predictions)


def write_scored(folder: Path, right: int = 70, **changes: Any) -> Path:
    """Write a result of accuracy with predictions that give its score, for 100 examples of which `right` are right."""
    payload = make_payload(score=right / 100, **changes)
    for path, value in (("counts.test", 100), ("interval.units", 100)):
        payload = alter(payload, path, value)
    return write_payload(folder, payload, {"label": np.ones(100, "u1"), "prediction": np.arange(100) < right})


def make_suite(
    protocols: tuple[str, ...] = ("linear", "knn"),
    seeds: int = 3,
    names: Any = None,
    gains: Mapping[str, float] = GAIN,
    failed: Mapping[tuple[str, str, int], str] = MappingProxyType({}),
) -> list[Result]:
    """Return results of every algorithm on every task.

    Args:
        protocols: those without an encoder have no results of "finetune".
        seeds: of every algorithm that has an encoder.
        names: maps algorithms to other names.
        gains: how far above chance each algorithm is; `EVERY_ROW` has all reference rows.
        failed: (algorithm, domain, seed) -> why that run did not learn.
    """
    generator = np.random.default_rng(7)
    results = []
    for protocol in protocols:
        for algorithm, gain in gains.items():
            for domain, tasks in SUITE.items():
                for task, (_, chance, _) in tasks.items():
                    ease = generator.uniform(0.4, 1.2)
                    for seed in range(1 if algorithm in WITHOUT_ENCODER else seeds):
                        score = round(min(0.97, chance + gain * ease + generator.normal(0, 0.008)), 4)
                        if protocol == "finetune" and algorithm in WITHOUT_ENCODER:
                            continue
                        cell = {"domain": domain, "task": task, "protocol": protocol, "seed": seed, "score": score}
                        reason = failed.get((algorithm, domain, seed), "")
                        results.append(make(algorithm=(names or {}).get(algorithm, algorithm), reason=reason, **cell))
    return results


def make_budgets(budgets: tuple[float, ...] = (0.25, 1.0, 4.0, 10.0), **changes: Any) -> list[Result]:
    """Return results of every budget, named as runs are; keyword arguments as for `make_suite`.

    Four times the steps are worth 3 points. A step of contrastive takes twice as long as one of the others.
    """
    found = []
    for result in make_suite(**changes):
        if not result.pretraining.steps:
            found.append(result)
            continue
        for budget in budgets:
            pace = 2.0 if result.algorithm == "contrastive" else 1.0
            run, gain = result.pretraining, 0.03 * math.log(budget, 4)
            changed = {
                "config": {**run.config, "budget": budget},
                "steps": round(budget * run.steps),
                "examples_seen": round(budget * run.examples_seen),
                "wall_seconds": budget * pace * (run.wall_seconds + result.seed),
                "flops": round(budget * pace * run.flops),
                "curve": ((0, 2.2), (round(budget * run.steps), 0.8)),
                "held_out": ((round(budget * run.steps), 0.9),),
            }
            ends = {"low": result.interval.low + gain, "high": min(1.0, result.interval.high + gain)}
            found.append(
                result.model_copy(
                    update={
                        "algorithm": label_at(result.algorithm, budget),
                        "score": min(1.0, result.score + gain),
                        "interval": result.interval.model_copy(update=ends),
                        "pretraining": run.model_copy(update=changed),
                    }
                )
            )
    return found


def write(folder: Path, results: list[Result]) -> Path:
    """Write result files as runs do."""
    for result in results:
        place = folder / result.domain / f"seed{result.seed}" / "results"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{result.task}.{result.protocol}.result.json").write_text(result.model_dump_json())
    return folder


def submit(folder: Path, results: list[Result], **changes: Any) -> Path:
    """Write a submission named after its folder; `changes` replaces fields of its `submission.json`."""
    source = b"class Mine: ...\n"
    sha256 = hashlib.sha256(source).hexdigest()
    files = {"algorithm.py": source}
    for result in results:
        place = f"results/{result.domain}/seed{result.seed}/{result.task}.{result.protocol}.result.json"
        files[place] = result.model_copy(update={"algorithm_sha256": sha256}).model_dump_json().encode()
    run = {"options": {}, "weights_sha256": digest("w"), "git_commit": digest("c")[:40], "commands": ("one", "two")}
    value = {
        "submission_version": 1,
        "name": folder.name,
        "authors": ("A. Stranger",),
        "url": "https://example.org/x",
        "created": "2026-11-21T04:50:00Z",
        "ruleset": "fixed",
        "tuning": "none",
        "suite": "lite",
        "algorithm": {"reference": "mine.py:Mine", "kind": "Mine", "sha256": sha256},
        "environment": ENVIRONMENT,
        "runs": tuple({"domain": d, "seed": s, **run} for d, s in {(r.domain, r.seed): 0 for r in results}),
        "predictions": {},
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    write_submission(folder, Submission.model_validate(value | changes), files)
    return folder


TUNED = {"ruleset": "tuned", "tuning": {"grid": {"a": (1, 2)}, "budget": 2, "selected_by": "validation"}}
