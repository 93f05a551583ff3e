"""The schema of a result file.

A result belongs to one algorithm, suite, domain, task, protocol and pretraining seed. Scores, losses and seconds are
plain numbers, sizes are bytes, and hashes are sha256 in lower-case hex. Nothing is null.

`python -m dabs.results.schema` writes the same schema to `result.schema.json`, for readers in other languages.
"""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from dabs.config import Protocol
from dabs.data.domain import DataOrigin, MetricName
from dabs.utils.files import write_json

SCHEMA_VERSION = 3
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
MAX_CURVE_POINTS = 64
SCORE_TOLERANCE = 1e-9  # how far a score may be outside its bounds, through rounding


def _check_text(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("should be printable text without spaces at its ends")
    return text


def _refuse_null_and_nan(value: JsonValue) -> JsonValue:
    """Refuse null, NaN and infinity at any depth, which `JsonValue` alone would accept."""
    if value is None:
        raise ValueError("should not contain null")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("should contain finite numbers only")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _refuse_null_and_nan(item)
    return value


def _check_moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


Text = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_check_text)]
Name = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_check_text)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=80)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*\.npz$", max_length=200)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64}|not a git checkout)$")]
Moment = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$", description="ISO 8601, UTC"),
    AfterValidator(_check_moment),
]
Number = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Json = Annotated[JsonValue, AfterValidator(_refuse_null_and_nan)]
Config = dict[Name, Json]


class StrictRecord(BaseModel):
    """A frozen record that refuses unknown fields and values of the wrong type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class MetricRecord(StrictRecord):
    """The metric: its name, its bounds, and the score of guessing."""

    name: MetricName
    direction: Literal["higher"]
    low: Number
    high: Number
    chance: Number

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not (self.low < self.high and self.low <= self.chance <= self.high):
            raise ValueError("should have low < high and chance between them")
        return self


class Interval(StrictRecord):
    """The uncertainty of the score from the choice of test examples, or of whole groups where examples share one.

    The score may be outside a percentile interval.
    """

    level: Annotated[float, Field(gt=0, lt=1)]
    low: Number
    high: Number
    method: Text
    resamples: Annotated[int, Field(ge=1)]
    resampled: Literal["examples", "groups"]
    units: Annotated[int, Field(ge=1, description="how many examples or groups were drawn from")]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("should have low <= high")
        return self


class Counts(StrictRecord):
    """The number of examples in each split."""

    train: Annotated[int, Field(ge=1)]
    validation: Annotated[int, Field(ge=1)]
    test: Annotated[int, Field(ge=1)]


class SplitHashes(StrictRecord):
    """One hash per split."""

    train: Sha256
    validation: Sha256
    test: Sha256


class Data(StrictRecord):
    """The data of the task. `sha256` covers the rows, `split_sha256` their groups, and so how they were split."""

    origin: DataOrigin
    sha256: SplitHashes
    split_sha256: SplitHashes
    sources: tuple[dict[Name, Text], ...]


class Learning(StrictRecord):
    """Whether pretraining learned anything: how the run ended, against what a constant answer scores."""

    learned: bool
    reason: Annotated[str, Field(max_length=400, description="why it did not learn; empty if it did")]
    ending: Annotated[dict[Name, Number], Field(description="mean of each logged scalar over the last steps")]
    constant: Annotated[dict[Name, Number], Field(description="what a constant answer scores, if the algorithm says")]
    effective_rank: Annotated[Amount, Field(description="of the features of unlabelled validation inputs")]

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.learned == bool(self.reason):
            raise ValueError("should have a reason exactly when the run did not learn")
        return self


class Pretraining(StrictRecord):
    """How the encoder was made. Without pretraining: steps and final loss 0 and an empty curve."""

    config: Config
    steps: Count
    examples_seen: Count
    wall_seconds: Amount
    flops: Annotated[int, Field(ge=0, description="of all its matrix products, counted on one batch; 0 if unknown")]
    peak_memory_bytes: Count
    final_loss: Number
    learning: Learning
    data_sha256: Sha256 | Literal["none"]
    weights_sha256: Sha256 | Literal["none"]
    curve: Annotated[
        tuple[tuple[Count, Number], ...],
        Field(max_length=MAX_CURVE_POINTS, description="(step, loss), steps ascending"),
    ]

    held_out: Annotated[
        tuple[tuple[Count, Number], ...],
        Field(max_length=MAX_CURVE_POINTS, description="(step, loss on validation inputs); empty if not checked"),
    ]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for steps in ([step for step, _ in self.curve], [step for step, _ in self.held_out]):
            if any(a >= b for a, b in pairwise(steps)) or (steps and steps[-1] > self.steps):
                raise ValueError("should have curves whose steps ascend and do not exceed `steps`")
        if self.steps == 0 and (self.curve or self.held_out or self.examples_seen):
            raise ValueError("should have no curve and no examples seen when steps is 0")
        return self


class EvaluationRecord(StrictRecord):
    """The settings of the protocol, equal for all algorithms that share a table."""

    config: Config


class EncoderRecord(StrictRecord):
    """The configuration and size of the encoder."""

    config: Config
    parameters: Count


class Environment(StrictRecord):
    """The machine and the software that the result was computed with."""

    python: Text
    platform: Text
    processor: Text
    cores: Annotated[int, Field(ge=1)]
    device: Text
    precision: Text
    versions: dict[Name, Text]
    dabs_version: Text
    git_commit: Commit
    git_dirty: bool


class Predictions(StrictRecord):
    """The file of test predictions beside the result."""

    file: FileName
    sha256: Sha256


class Timings(StrictRecord):
    """When the evaluation started, and how long each of its steps took."""

    started: Moment
    seconds: dict[Name, Amount]


class Result(StrictRecord):
    """One score, with everything needed to trust and reproduce it."""

    schema_version: Literal[3]
    suite: Word
    domain: Word
    task: Word
    protocol: Protocol
    algorithm: Name
    algorithm_sha256: Sha256
    seed: Count
    metric: MetricRecord
    score: Number
    interval: Interval
    validation_score: Number
    selected: dict[Name, int | Number]
    counts: Counts
    data: Data
    pretraining: Pretraining
    evaluation: EvaluationRecord
    encoder: EncoderRecord
    environment: Environment
    predictions: Predictions
    timings: Timings

    @property
    def budget(self) -> float | None:
        """The multiple of the standard steps that pretraining took; None for a row that took none."""
        return cast("float", self.pretraining.config.get("budget", 1.0)) if self.pretraining.steps else None

    @model_validator(mode="after")
    def _within_bounds(self) -> Self:
        for name, value in (("score", self.score), ("validation_score", self.validation_score)):
            if not self.metric.low - SCORE_TOLERANCE <= value <= self.metric.high + SCORE_TOLERANCE:
                raise ValueError(f"should have {name} (here {value}) between metric.low and metric.high")
        return self


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of a result file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Result.model_json_schema()}


if __name__ == "__main__":
    write_json(SCHEMA_FILE, json_schema())
