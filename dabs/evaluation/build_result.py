"""Build the typed result of a task from a run, predictions and the task's data."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dabs.config import PretrainConfig, label_at
from dabs.data.domain import SPLITS, TEST, TRAIN, Classes, Domain, Task
from dabs.data.prepared import Prepared, open_prepared
from dabs.data.split import Split
from dabs.encoder import Encoder
from dabs.errors import DabsError
from dabs.evaluation.features import POSITION_COMPONENTS, POSITION_EXAMPLES
from dabs.evaluation.finetune import recipe_of
from dabs.evaluation.metrics import Metric, bootstrap_interval, chance, metric_of
from dabs.evaluation.probes import NEIGHBOURS, STRENGTHS, TIE, WHITENING_RIDGE, ProbeResult
from dabs.evaluation.raw_input import COMPONENTS
from dabs.evaluation.reference_rows import RAW, SUPERVISED
from dabs.evaluation.supervised import SupervisedEncoder
from dabs.results.files import explain, predictions_record
from dabs.results.schema import (
    SCHEMA_VERSION,
    Counts,
    Data,
    EncoderRecord,
    Environment,
    EvaluationRecord,
    Interval,
    Learning,
    MetricRecord,
    Pretraining,
    Result,
    SplitHashes,
    Timings,
)
from dabs.specs import specs_to_json
from dabs.training.log import held_out_curve, loss_curve
from dabs.training.operations import flops_of_training
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
    """A result, and the arrays it was computed from: `prediction`, `label` and `group` of every test example."""

    result: Result
    predictions: Mapping[str, np.ndarray]


def origin_of_run(run: Path, config: PretrainConfig, provenance: dict[str, Any], encoder: Encoder) -> Origin:
    """Return where the encoder of a complete run comes from.

    Raises:
        DabsError: `run.json` or the log holds a value that a result cannot hold.
    """
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
                flops=provenance.get("flops", 0),
                peak_memory_bytes=provenance["peak_memory_bytes"],
                final_loss=provenance["final_loss"],
                learning=Learning(**provenance["learning"]),
                data_sha256=provenance["data_sha256"],
                weights_sha256=provenance["weights_sha256"],
                curve=tuple(loss_curve(run)),
                held_out=tuple(held_out_curve(run)),
            ),
            encoder=_encoder_record(encoder),
            environment=Environment(**environment(), precision=config.precision),
        )
    except ValidationError as error:
        raise DabsError(f"{run} cannot be evaluated: {explain(error)} Delete {run} and pretrain again.") from error


def _encoder_record(encoder: Encoder) -> EncoderRecord:
    sizes = {**asdict(encoder.config), "specs": specs_to_json(encoder.specs)}
    parameters = sum(p.numel() for p in encoder.parameters())
    return EncoderRecord(config=_as_json(sizes), parameters=parameters)


def origin_of_input(domain: Domain, name: str) -> Origin:
    """Return the origin of results of `raw` or `summary`; the hash of raw_input.py stands for algorithm and weights."""
    source = _hash_of_source("raw_input.py")
    config = {"principal_components": COMPONENTS} if name == RAW else {}
    return Origin(
        algorithm=name,
        algorithm_sha256=source,
        seed=0,
        pretraining=Pretraining(
            config={},
            steps=0,
            examples_seen=0,
            wall_seconds=0.0,
            flops=0,
            peak_memory_bytes=0,
            final_loss=0.0,
            learning=_NOTHING_TO_LEARN,
            data_sha256=open_prepared(domain).entry(TRAIN).sha256,
            weights_sha256=source,
            curve=(),
            held_out=(),
        ),
        encoder=EncoderRecord(config=config, parameters=0),  # type: ignore[arg-type]
        environment=Environment(**environment(), precision="fp32"),
    )


def origin_of_external(domain: Domain, label: str, about: str, digest: str) -> Origin:
    """Return the origin of results of an encoder that was not pretrained here.

    Args:
        domain: whose tasks it is read on.
        label: of the row.
        about: which encoder it is.
        digest: a hash that stands for its code and weights.
    """
    return replace(
        origin_of_input(domain, label),
        algorithm_sha256=digest,
        pretraining=origin_of_input(domain, label).pretraining.model_copy(update={"weights_sha256": digest}),
        encoder=EncoderRecord(config={"about": about}, parameters=0),
    )


def _flops_of_supervised(trained: SupervisedEncoder, data: Prepared) -> int:
    model, config = copy.deepcopy(trained.model).cpu(), trained.config
    split = Split(data, TRAIN, labels=False)
    return flops_of_training(lambda batch: model(batch).sum(), split, config.batch_size, trained.steps)


def origin_of_supervised(trained: SupervisedEncoder, data: Prepared) -> Origin:
    """Return the origin of the results of one task's supervised encoder."""
    config = trained.config
    return Origin(
        algorithm=label_at(SUPERVISED, config.budget),
        algorithm_sha256=_hash_of_source("supervised.py"),
        seed=config.seed,
        pretraining=Pretraining(
            config=_as_json(asdict(config)),
            steps=trained.steps,
            examples_seen=trained.steps * min(config.batch_size, data.entry(TRAIN).rows),
            wall_seconds=round(trained.seconds, 3),
            flops=_flops_of_supervised(trained, data),
            peak_memory_bytes=0,
            final_loss=0.0,
            learning=_NOTHING_TO_LEARN.model_copy(update={"effective_rank": round(trained.effective_rank, 3)}),
            data_sha256=data.entry(TRAIN).sha256,
            weights_sha256=trained.weights_sha256,
            curve=(),
            held_out=(),
        ),
        encoder=_encoder_record(trained.encoder),
        environment=Environment(**environment(), precision=config.precision),
    )


_NOTHING_TO_LEARN = Learning(learned=True, reason="", ending={}, constant={}, effective_rank=0.0)


def _hash_of_source(file: str) -> str:
    return sha256_file(Path(__file__).with_name(file))


def protocol_config(protocol: str, suite: str) -> dict[str, Any]:
    """Return the constants of a protocol; results with different constants are never compared."""
    whitened = {"features": "mean-pooled, whitened by the training split", "whitening_ridge": WHITENING_RIDGE}
    strengths = {"strengths": list(STRENGTHS), "tie": TIE}
    if protocol == "linear":
        return strengths | whitened
    if protocol == "linear_tokens":
        about = {"features": "all positions, whitened by the training split"}
        reduced = {"components": POSITION_COMPONENTS, "fitted_on_at_most": POSITION_EXAMPLES}
        return strengths | whitened | about | reduced
    if protocol == "knn":
        return {"k": NEIGHBOURS, "similarity": "cosine"} | whitened
    recipe = recipe_of(suite)
    return {**asdict(recipe), "learning_rates": list(recipe.learning_rates), "head": "linear probe"}


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
        protocol: one of `dabs.config.PROTOCOLS`.
        found: what the probe predicted and chose.
        labels: of each split.
        origin: where the encoder comes from.
        seconds: how long each part of the evaluation took.

    Raises:
        DabsError: a value that a result cannot hold, such as a score that is not a number.
    """
    domain, metric = data.domain, metric_of(task.metric)
    predictions = _compact(found.prediction, labels[TEST], data.clusters(TEST), task)
    prediction, label, group = (predictions[name] for name in ("prediction", "label", "group"))
    try:
        result = Result(
            schema_version=SCHEMA_VERSION,  # type: ignore[arg-type]
            suite=domain.suite,
            domain=domain.name,
            task=task.name,
            protocol=protocol,
            algorithm=origin.algorithm,
            algorithm_sha256=origin.algorithm_sha256,
            seed=origin.seed,
            metric=_metric_record(metric, labels),
            score=metric.score(prediction, label),
            interval=Interval(**bootstrap_interval(metric.name, prediction, label, group)),
            validation_score=found.validation_score,
            selected=dict(found.selected),
            counts=Counts(**{split: data.entry(split).rows for split in SPLITS}),
            data=_data_record(data, task),
            pretraining=origin.pretraining,
            evaluation=EvaluationRecord(config=_as_json(protocol_config(protocol, domain.suite))),
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


def _compact(prediction: np.ndarray, label: np.ndarray, group: np.ndarray, task: Task) -> dict[str, np.ndarray]:
    """Return the arrays to publish, in the smallest types that hold them; scores are rounded to float32.

    The score and its interval are computed from these, so that anyone can compute them again.
    """
    if isinstance(task.target, Classes):
        prediction, label = _smallest(prediction), _smallest(label)
    else:
        prediction = prediction.astype(np.float32)
    return {"prediction": prediction, "label": label, "group": _smallest(group)}


def _smallest(x: np.ndarray) -> np.ndarray:
    return x.astype(np.min_scalar_type(int(x.max(initial=0))))


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
