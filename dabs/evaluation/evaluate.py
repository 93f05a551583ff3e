"""Evaluation: frozen features once, then a linear probe and k-NN; fine-tuning; and the result each of them gives.

No submitted code runs here: an encoder is its weights and sizes. The same run gives the same result apart from timings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dabs.config import PROTOCOLS, PretrainConfig
from dabs.data.domain import PRETRAIN, SPLITS, TEST, TRAIN, Card, Domain, Task
from dabs.data.loader import read
from dabs.data.prepare import is_prepared, manifest_of, read_columns
from dabs.data.split import READ_BATCH, Split
from dabs.encoder import Encoder
from dabs.errors import DabsError, RequestError, unknown
from dabs.evaluation.finetune import Recipe, finetune
from dabs.evaluation.metrics import bootstrap_interval, chance, metric_of
from dabs.evaluation.probes import MAX_ITERATIONS, NEIGHBOURS, READERS, STRENGTHS, Cached, Reading
from dabs.evaluation.raw_input import COMPONENTS, RAW, raw_features
from dabs.registry import find_domain
from dabs.specs import specs_to_json
from dabs.training.checkpoint import load_encoder
from dabs.training.log import curve
from dabs.training.precision import autocast, evaluation_precision, reading_precision
from dabs.training.run_folder import load_run, recorded_config
from dabs.utils.environment import environment
from dabs.utils.files import sha256_file, sole_use


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One cell: the fields of a `Result` but for the predictions' checksum, and the predictions."""

    payload: dict[str, Any]
    predictions: dict[str, np.ndarray]


Tell = Callable[[str], None]
CPU_BATCH = 32  # examples at a time in bf16 on a CPU, whose caches hold the activations of so many


@torch.inference_mode()
def features_of(encoder: Encoder, split: Split, precision: str = "fp32") -> np.ndarray:
    """Pooled features of a whole split in order, float32 (n, D), in evaluation mode.

    Args:
        encoder: on its device.
        split: read once, ahead of a GPU.
        precision: "fp32", or "bf16" for autocast, whose features differ by 0.01 to 0.1 of their deviation.
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    size = CPU_BATCH if precision == "bf16" and device.type == "cpu" else READ_BATCH
    order = _reading_order(split, precision)
    batches = read(split, (order[start : start + size] for start in range(0, len(order), size)), device)
    with autocast(device, precision):
        found = torch.cat([encoder(batch).float() for batch in batches])
    features = np.empty(found.shape, np.float32)
    features[order] = found.cpu().numpy()
    return features


def _reading_order(split: Split, precision: str) -> np.ndarray:
    """Texts by length, so that a batch has little padding; not in fp32, where recorded scores would move a little."""
    lengths = split.lengths() if precision == "bf16" else None
    return np.arange(len(split)) if lengths is None else np.argsort(lengths, kind="stable")


def _features_once(encoder: Encoder, split: Split, precision: str, known: dict[str, np.ndarray]) -> np.ndarray:
    """Features of a split, computed once for tasks that ask about the same examples."""
    key = split.digest()
    if key is None:
        return features_of(encoder, split, precision)
    if key not in known:
        known[key] = features_of(encoder, split, precision)
    return known[key]


def _labels(domain: Domain, task: Task) -> dict[str, np.ndarray]:
    return {split: read_columns(domain, task.name, split, ("label",))["label"] for split in SPLITS}


def chosen_tasks(domain: Domain, names: tuple[str, ...]) -> list[Task]:
    """The named tasks of a domain, or all of them; where a domain has parts, all whose data is prepared.

    Raises:
        DabsError: none is named and none is prepared.
    """
    if names or not domain.parts:
        return [domain.task(name) for name in names] if names else list(domain.tasks)
    there = [task for task in domain.tasks if is_prepared(domain, (task.name,))]
    if not there:
        raise DabsError(
            f"no task of {domain.name} ({domain.suite}) is prepared. "
            f"Run `dabs data prepare {domain.name} --suite {domain.suite}`."
        )
    return there


def check_protocols(protocols: tuple[str, ...]) -> None:
    """Refuse an unknown protocol."""
    for name in protocols:
        if name not in PROTOCOLS:
            raise unknown("protocol", name, list(PROTOCOLS))


def evaluate(
    run: Path,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = ("linear", "knn"),
    tell: Tell = lambda line: None,
) -> Iterator[Evaluation]:
    """Evaluate a complete run, task by task and protocol by protocol.

    Args:
        run: the folder that `dabs.training.pretrain.pretrain` gave.
        tasks: names; all of the domain's when empty.
        protocols: of "linear", "knn", "finetune".
        tell: called with "task protocol" before each cell.

    Raises:
        DabsError: the run is not complete, damaged, or the data is not the one it was pretrained on.
    """
    check_protocols(protocols)
    config, provenance = load_run(run)
    domain = find_domain(config.domain, config.suite)
    encoder = _trusted_encoder(run, provenance, domain)
    if torch.cuda.is_available():
        encoder = encoder.cuda()
    precision = reading_precision(config.precision, encoder.width)
    known: dict[str, np.ndarray] = {}

    def features(task: Task) -> dict[str, np.ndarray]:
        splits = {name: Split(domain, task.name, name, labels=False) for name in SPLITS}
        return {name: _features_once(encoder, split, precision, known) for name, split in splits.items()}

    def tune(task: Task) -> Reading:
        return finetune(encoder, domain, task, config.seed, Recipe(), evaluation_precision(config.precision))

    about = _about_run(run, config, provenance, encoder)
    yield from _cells(domain, chosen_tasks(domain, tasks), protocols, about, features, tune, tell)


def evaluate_raw(
    domain: Domain,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = ("linear", "knn"),
    tell: Tell = lambda line: None,
) -> Iterator[Evaluation]:
    """The raw-input row of a domain: the same readers on the inputs themselves; it cannot be fine-tuned."""
    check_protocols(protocols)
    readable = tuple(protocol for protocol in protocols if protocol in READERS)

    def features(task: Task) -> dict[str, np.ndarray]:
        return raw_features(domain, task.name)

    def tune(task: Task) -> Reading:
        raise RequestError(f"the raw input of {task.name} has no encoder to fine-tune")

    yield from _cells(domain, chosen_tasks(domain, tasks), readable, _about_raw(domain), features, tune, tell)


def _cells(
    domain: Domain,
    tasks: list[Task],
    protocols: tuple[str, ...],
    about: dict[str, Any],
    features: Callable[[Task], dict[str, np.ndarray]],
    tune: Callable[[Task], Reading],
    tell: Tell,
) -> Iterator[Evaluation]:
    """Task by task and protocol by protocol; a task's features are made when the first reader asks for them."""
    for task in tasks:
        labels, made, spent_on_features = _labels(domain, task), None, 0.0
        for protocol in protocols:
            tell(f"{task.name} {protocol}")
            begun = time.perf_counter()
            if protocol not in READERS:
                reading, spent = tune(task), {"features": 0.0}
            else:
                if made is None:
                    made = Cached(features=features(task), labels=labels)
                    spent_on_features, begun = time.perf_counter() - begun, time.perf_counter()
                reading, spent = READERS[protocol](made, task), {"features": spent_on_features}
            spent["fit"] = time.perf_counter() - begun
            yield _evaluation(domain, task, protocol, reading, labels, about, spent)


def _trusted_encoder(run: Path, provenance: dict[str, Any], domain: Domain) -> Encoder:
    """The final encoder, after checking that the files and the data are those of the run."""
    weights = run / "encoder" / "encoder.safetensors"
    if weights.exists() and sha256_file(weights) != provenance["weights_sha256"]:
        raise DabsError(
            f"{weights} is not what the run wrote: its hash differs from run.json. Delete {run}, pretrain again."
        )
    encoder = load_encoder(run / "encoder")
    if encoder.specs != domain.specs:
        raise DabsError(f"the encoder in {run} was made for other inputs than {domain.name} has. Pretrain again.")
    found = manifest_of(domain)["splits"][f"{PRETRAIN}/{TRAIN}"]["sha256"]
    if found != provenance["data_sha256"]:
        raise DabsError(
            f"the data of {domain.name} is not what {run} was pretrained on (hash {found[:12]}, the run has "
            f"{provenance['data_sha256'][:12]}). Prepare the same version of the data, or pretrain again."
        )
    return encoder


def _about_run(run: Path, config: PretrainConfig, provenance: dict[str, Any], encoder: Encoder) -> dict[str, Any]:
    names = (
        "steps",
        "examples_seen",
        "wall_seconds",
        "peak_memory_bytes",
        "final_loss",
        "data_sha256",
        "weights_sha256",
    )
    pretraining = {name: provenance[name] for name in names}
    return {
        "algorithm": provenance["label"],
        "algorithm_sha256": provenance["algorithm_sha256"],
        "seed": config.seed,
        "pretraining": {"config": recorded_config(config, provenance), **pretraining, "curve": curve(run)},
        "encoder": {
            "config": {**asdict(encoder.config), "specs": specs_to_json(encoder.specs)},
            "parameters": provenance["parameters"],
        },
        "environment": {**environment(), "precision": config.precision},
    }


def _about_raw(domain: Domain) -> dict[str, Any]:
    source = sha256_file(Path(__file__).with_name("raw_input.py"))
    nothing = {"steps": 0, "examples_seen": 0, "wall_seconds": 0.0, "peak_memory_bytes": 0, "final_loss": 0.0}
    data = manifest_of(domain)["splits"][f"{PRETRAIN}/{TRAIN}"]["sha256"]
    return {
        "algorithm": RAW,
        "algorithm_sha256": source,
        "seed": 0,
        "pretraining": {"config": {}, **nothing, "data_sha256": data, "weights_sha256": source, "curve": []},
        "encoder": {"config": {"principal_components": COMPONENTS}, "parameters": 0},
        "environment": {**environment(), "precision": "fp32"},
    }


def protocol_config(protocol: str) -> dict[str, Any]:
    """The constants of a protocol; results with other constants are never compared."""
    if protocol == "linear":
        return {"strengths": list(STRENGTHS), "max_iterations": MAX_ITERATIONS, "features": "standardised mean-pooled"}
    if protocol == "knn":
        return {"k": NEIGHBOURS, "similarity": "cosine", "features": "standardised mean-pooled"}
    return {**asdict(Recipe()), "learning_rates": list(Recipe().learning_rates)}


def _evaluation(
    domain: Domain,
    task: Task,
    protocol: str,
    reading: Reading,
    labels: dict[str, np.ndarray],
    about: dict[str, Any],
    seconds: dict[str, float],
) -> Evaluation:
    metric, manifest = metric_of(task.metric), manifest_of(domain, task.name)
    splits = {split: manifest["splits"][f"{task.name}/{split}"] for split in SPLITS}
    card: Card = task.card or domain.card
    payload = {
        **about,
        "schema_version": 1,
        "suite": domain.suite,
        "domain": domain.name,
        "task": task.name,
        "protocol": protocol,
        "metric": {
            "name": metric.name,
            "direction": "higher",
            "low": metric.low,
            "high": metric.high,
            "chance": chance(metric.name, labels[TRAIN], labels[TEST]),
        },
        "score": metric.score(reading.prediction, labels[TEST]),
        "interval": bootstrap_interval(metric.name, reading.prediction, labels[TEST]),
        "validation_score": reading.validation_score,
        "selected": reading.selected,
        "counts": {split: entry["rows"] for split, entry in splits.items()},
        "data": {
            "origin": card.origin,
            "sha256": {split: entry["sha256"] for split, entry in splits.items()},
            "split_sha256": {split: entry["split_sha256"] for split, entry in splits.items()},
            "sources": manifest["sources"],
        },
        "evaluation": {"config": protocol_config(protocol)},
        "timings": {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
        },
    }
    return Evaluation(payload=payload, predictions={"prediction": reading.prediction, "label": labels[TEST]})


@contextmanager
def sole_writer(run: Path, tasks: Iterable[str]) -> Iterator[None]:
    """Keep other processes from writing results of some tasks of a run; waits for those that do.

    The locks are one a task and taken in one order, so that a process for all tasks and one for a single task meet.
    """
    with ExitStack() as held:
        for task in sorted(set(tasks)):
            held.enter_context(sole_use(run.with_name(f"{run.name}-{task}"), wait=True))
        yield


def write_all(run: Path, cells: Iterable[Evaluation]) -> Iterator[tuple[Path, Evaluation]]:
    """Write each result into RUN/results as it comes, when no other process writes one; gives its path and itself."""
    from dabs.results.files import write_result

    for cell in cells:
        with sole_writer(run, (cell.payload["task"],)):  # a result and its predictions are of one writer
            path = write_result(run / "results", cell.payload, cell.predictions)
        yield path, cell
