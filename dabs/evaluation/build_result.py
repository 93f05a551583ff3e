"""Build the typed result of a task from a run, predictions and the task's data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dabs.config import PretrainConfig
from dabs.data.domain import SPLITS, TEST, TRAIN, Domain, Task
from dabs.data.prepared import Prepared, open_prepared
from dabs.encoder import Encoder
from dabs.errors import DabsError
from dabs.evaluation.finetune import Recipe
from dabs.evaluation.metrics import Metric, bootstrap_interval, chance, metric_of
from dabs.evaluation.probes import MAX_ITERATIONS, NEIGHBOURS, STRENGTHS, ProbeResult
from dabs.evaluation.raw_input import COMPONENTS, RAW
from dabs.results.files import explain, predictions_record
from dabs.results.schema import (
    Counts,
    Data,
    EncoderRecord,
    Environment,
    EvaluationRecord,
    Interval,
    MetricRecord,
    Pretraining,
    Result,
    SplitHashes,
    Timings,
)
from dabs.specs import specs_to_json
from dabs.training.log import loss_curve
from dabs.training.run_folder import recorded_config
from dabs.utils.environment import environment
from dabs.utils.files import sha256_file


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The fields of `Result` that say where an encoder comes from; all its results share them."""

    algorithm: str
    algorithm_sha256: str
    seed: int
    pretraining: Pretraining
    encoder: EncoderRecord
    environment: Environment


@dataclass(frozen=True, kw_only=True)
class EvaluatedTask:
    """A result, and the arrays it was computed from: `prediction` and `label` of every test example."""

    result: Result
    predictions: Mapping[str, np.ndarray]


def origin_of_run(run: Path, config: PretrainConfig, provenance: dict[str, Any], encoder: Encoder) -> Origin:
    """Return where the encoder of a complete run comes from.

    Raises:
        DabsError: `run.json` or the log holds a value that a result cannot hold.
    """
    sizes = {**asdict(encoder.config), "specs": specs_to_json(encoder.specs)}
    try:
        return Origin(
            algorithm=provenance["label"],
            algorithm_sha256=provenance["algorithm_sha256"],
            seed=config.seed,
            pretraining=Pretraining(
                config=_as_json(recorded_config(config, provenance)),
                steps=provenance["steps"],
                examples_seen=provenance["examples_seen"],
                wall_seconds=provenance["wall_seconds"],
                peak_memory_bytes=provenance["peak_memory_bytes"],
                final_loss=provenance["final_loss"],
                data_sha256=provenance["data_sha256"],
                weights_sha256=provenance["weights_sha256"],
                curve=tuple((step, loss) for step, loss in loss_curve(run)),
            ),
            encoder=EncoderRecord(config=_as_json(sizes), parameters=provenance["parameters"]),
            environment=Environment(**environment(), precision=config.precision),
        )
    except ValidationError as error:
        raise DabsError(f"{run} cannot be evaluated: {explain(error)} Delete {run} and pretrain again.") from error


def origin_of_raw_input(domain: Domain) -> Origin:
    """Return the origin of raw-input results; the hash of raw_input.py stands for the algorithm and the weights."""
    source = sha256_file(Path(__file__).with_name("raw_input.py"))
    return Origin(
        algorithm=RAW,
        algorithm_sha256=source,
        seed=0,
        pretraining=Pretraining(
            config={},
            steps=0,
            examples_seen=0,
            wall_seconds=0.0,
            peak_memory_bytes=0,
            final_loss=0.0,
            data_sha256=open_prepared(domain).entry(TRAIN).sha256,
            weights_sha256=source,
            curve=(),
        ),
        encoder=EncoderRecord(config={"principal_components": COMPONENTS}, parameters=0),
        environment=Environment(**environment(), precision="fp32"),
    )


def protocol_config(protocol: str) -> dict[str, Any]:
    """Return the constants of a protocol; results with different constants are never compared."""
    if protocol == "linear":
        return {"strengths": list(STRENGTHS), "max_iterations": MAX_ITERATIONS, "features": "standardised mean-pooled"}
    if protocol == "knn":
        return {"k": NEIGHBOURS, "similarity": "cosine", "features": "standardised mean-pooled"}
    return {**asdict(Recipe()), "learning_rates": list(Recipe().learning_rates)}


def build_result(
    data: Prepared,
    task: Task,
    protocol: Any,
    found: ProbeResult,
    labels: Mapping[str, np.ndarray],
    origin: Origin,
    seconds: dict[str, float],
) -> EvaluatedTask:
    """Score the predictions of a task and build its result.

    Args:
        data: the task's prepared dataset.
        task: what was predicted.
        protocol: "linear", "knn" or "finetune".
        found: what the probe predicted and chose.
        labels: of each split.
        origin: where the encoder comes from.
        seconds: how long each part of the evaluation took.

    Raises:
        DabsError: a value that a result cannot hold, such as a score that is not a number.
    """
    domain, metric = data.domain, metric_of(task.metric)
    predictions = {"prediction": found.prediction, "label": labels[TEST]}
    try:
        result = Result(
            schema_version=1,
            suite=domain.suite,
            domain=domain.name,
            task=task.name,
            protocol=protocol,
            algorithm=origin.algorithm,
            algorithm_sha256=origin.algorithm_sha256,
            seed=origin.seed,
            metric=_metric_record(metric, labels),
            score=metric.score(found.prediction, labels[TEST]),
            interval=Interval(**bootstrap_interval(metric.name, found.prediction, labels[TEST])),
            validation_score=found.validation_score,
            selected=dict(found.selected),
            counts=Counts(**{split: data.entry(split).rows for split in SPLITS}),
            data=_data_record(data, task),
            pretraining=origin.pretraining,
            evaluation=EvaluationRecord(config=_as_json(protocol_config(protocol))),
            encoder=origin.encoder,
            environment=origin.environment,
            predictions=predictions_record(task.name, protocol, predictions),
            timings=Timings(
                started=datetime.now(UTC).isoformat(timespec="seconds"),
                seconds={name: round(value, 3) for name, value in seconds.items()},
            ),
        )
    except ValidationError as error:
        raise DabsError(
            f"the result of {domain.name}/{task.name} ({protocol}) cannot be recorded: {explain(error)}"
        ) from error
    return EvaluatedTask(result=result, predictions=predictions)


def _metric_record(metric: Metric, labels: Mapping[str, np.ndarray]) -> MetricRecord:
    return MetricRecord(
        name=metric.name,
        direction="higher",
        low=metric.low,
        high=metric.high,
        chance=chance(metric.name, labels[TRAIN], labels[TEST]),
    )


def _data_record(data: Prepared, task: Task) -> Data:
    entries = {split: data.entry(split) for split in SPLITS}
    return Data(
        origin=(task.card or data.domain.card).origin,
        sha256=SplitHashes(**{split: entry.sha256 for split, entry in entries.items()}),
        split_sha256=SplitHashes(**{split: entry.split_sha256 for split, entry in entries.items()}),
        sources=tuple(data.manifest["sources"]),
    )


def _as_json(value: Any) -> Any:
    """Return the value as JSON holds it: tuples become lists."""
    return json.loads(json.dumps(value))
