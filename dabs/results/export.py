"""Export results as Every Eval Ever records (schema 0.3), CSV or a pandas frame.

Every Eval Ever (https://github.com/evaleval/every_eval_ever) is a shared schema for evaluation results. Each record
describes one model: here the encoder of one pretraining run, with its results on all tasks and protocols.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dabs import __version__
from dabs.config import protocol_name
from dabs.errors import DabsError
from dabs.results.schema import Result
from dabs.utils.files import replacing, write_json

if TYPE_CHECKING:
    import pandas

EEE_VERSION = "0.3.0"
COLUMNS = (
    "suite", "domain", "task", "protocol", "algorithm", "seed", "metric", "chance", "score", "low", "high",
    "validation_score", "test_examples", "budget", "steps", "examples_seen", "wall_seconds", "flops", "learned",
    "effective_rank", "parameters", "origin",
    "algorithm_sha256", "data_sha256", "split_sha256", "weights_sha256", "dabs_version", "git_commit", "device",
    "started",
)  # fmt: skip


def rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return a flat row per result with the keys `COLUMNS`; `low` and `high` are the ends of its interval."""
    return [dict(zip(COLUMNS, _values(result), strict=True)) for result in results]


def _values(r: Result) -> tuple[Any, ...]:
    task = (r.suite, r.domain, r.task, r.protocol, r.algorithm, r.seed, r.metric.name, r.metric.chance)
    score = (r.score, r.interval.low, r.interval.high, r.validation_score, r.counts.test)
    run = r.pretraining
    learning = (run.learning.learned, run.learning.effective_rank)
    cost = (r.budget, run.steps, run.examples_seen, run.wall_seconds, run.flops)
    encoder = (r.encoder.parameters, r.data.origin)
    hashes = (r.algorithm_sha256, r.data.sha256.test, r.data.split_sha256.test, run.weights_sha256)
    where = (r.environment.dabs_version, r.environment.git_commit, r.environment.device, r.timings.started)
    return (*task, *score, *cost, *learning, *encoder, *hashes, *where)


def frame(results: Sequence[Result]) -> pandas.DataFrame:
    """Return `rows` as a pandas frame, one row per result."""
    import pandas

    return pandas.DataFrame(rows(results), columns=list(COLUMNS))


def write_csv(results: Sequence[Result], out: Path) -> Path:
    """Write `rows` as a CSV file. A quote precedes text that a spreadsheet would take for a formula."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows(results):
        writer.writerow({key: _escape_formula(value) for key, value in row.items()})
    with replacing(out) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return out


def _escape_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def write_records(results: Sequence[Result], out: Path) -> list[Path]:
    """Write Every Eval Ever records as `out/BENCHMARK/DEVELOPER/MODEL/UUID.json`, the layout of its collection.

    Returns:
        The files. The same results are written to the same files.
    """
    paths = []
    for record in records(results):
        developer, model = record["model_info"]["id"].split("/")
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
        name = str(uuid.UUID(bytes=digest[:16], version=4))
        path = out / str(record["source_metadata"]["additional_details"]["benchmark"]) / developer / model
        write_json(path / f"{name}.json", record)
        paths.append(path / f"{name}.json")
    return paths


def records(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return one record per pretraining run, valid under schema 0.3.

    Raises:
        DabsError: there are no results.
    """
    if not results:
        raise DabsError("there are no results to export. Make some with `dabs run`, or name another folder.")
    runs: dict[tuple[str, str, str, int, str], list[Result]] = defaultdict(list)
    for result in results:
        key = (result.suite, result.algorithm, result.domain, result.seed, result.algorithm_sha256)
        runs[key].append(result)
    return [_record(found) for _, found in sorted(runs.items())]


def _record(found: Sequence[Result]) -> dict[str, Any]:
    first = found[0]
    benchmark = f"dabs-{first.suite}"
    model = _path_safe(f"{first.algorithm}-{first.domain}-seed{first.seed}")
    latest = max(_epoch(result.timings.started) for result in found)
    return {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"{benchmark}/dabs_{model}/{latest}",
        "evaluation_timestamp": str(latest),
        "retrieved_timestamp": str(latest),
        "source_metadata": {
            "source_name": f"DABS {first.suite}",
            "source_type": "evaluation_run",
            "source_organization_name": "DABS",
            "evaluator_relationship": "first_party",
            "additional_details": {"benchmark": benchmark},
        },
        "eval_library": {
            "name": "dabs",
            "version": first.environment.dabs_version,
            "additional_details": {"git_commit": first.environment.git_commit, "exported_by": __version__},
        },
        "model_info": _model(first, f"dabs/{model}"),
        "evaluation_results": [_evaluation(result) for result in found],
    }


def _model(first: Result, name: str) -> dict[str, Any]:
    run = first.pretraining
    details = {
        "algorithm": first.algorithm,
        "algorithm_sha256": first.algorithm_sha256,
        "domain": first.domain,
        "seed": first.seed,
        "parameters": first.encoder.parameters,
        "steps": run.steps,
        "examples_seen": run.examples_seen,
        "wall_seconds": run.wall_seconds,
        "flops": run.flops,
        "weights_sha256": run.weights_sha256,
        "learning": run.learning.model_dump(mode="json"),
        "pretraining_config": run.config,
        "encoder_config": first.encoder.config,
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
    }
    return {"name": first.algorithm, "id": name, "developer": "dabs", "additional_details": _texts(details)}


def _evaluation(result: Result) -> dict[str, Any]:
    metric = result.metric
    name = f"{result.domain}/{result.task} ({protocol_name(result.protocol)})"
    data = {"origin": result.data.origin, "test_sha256": result.data.sha256.test, "sources": result.data.sources}
    return {
        "evaluation_result_id": f"{result.domain}.{result.task}.{result.protocol}",
        "evaluation_name": name,
        "source_data": {
            "dataset_name": f"{result.domain}/{result.task}",
            "source_type": "other",
            "additional_details": _texts(data | {"split_sha256": result.data.split_sha256.test}),
        },
        "evaluation_timestamp": str(_epoch(result.timings.started)),
        "metric_config": {
            "evaluation_description": f"{protocol_name(result.protocol)} on frozen features"
            if result.protocol != "finetune"
            else protocol_name(result.protocol),
            "metric_id": metric.name,
            "metric_name": metric.name,
            "metric_kind": metric.name,
            "metric_unit": "proportion" if metric.low == 0 else "correlation",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": metric.low,
            "max_score": metric.high,
            "additional_details": _texts({"chance": metric.chance, "protocol": result.evaluation.config}),
        },
        "score_details": {
            "score": result.score,
            "details": _texts({"validation_score": result.validation_score, "selected": result.selected}),
            "uncertainty": {
                "confidence_interval": {
                    "lower": result.interval.low,
                    "upper": result.interval.high,
                    "confidence_level": result.interval.level,
                    "method": result.interval.method,
                },
                "num_samples": result.counts.test,
                "num_bootstrap_samples": result.interval.resamples,
            },
        },
    }


def _texts(values: dict[str, Any]) -> dict[str, str]:
    """Return values as text, those that are not text as JSON: the free fields of the schema take nothing else."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True) for key, value in values.items()
    }


def _path_safe(text: str) -> str:
    """Return a name for use in a path: all but letters, digits, dots, dashes and underscores become code points."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda found: f"_{ord(found[0]):x}_", text)[:120]


def _epoch(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())
