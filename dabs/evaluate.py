"""Evaluation: frozen features once, then a linear probe and k-NN; fine-tuning; and the result each of them gives.

No submitted code runs here: an encoder is its weights and sizes. The same run gives the same result apart from timings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dabs.dataset import Card, Domain, Task
from dabs.encoder import Encoder, load_encoder
from dabs.errors import DabsError
from dabs.finetune import Recipe, finetune
from dabs.home import sha256_file
from dabs.logs import curve
from dabs.metrics import bootstrap_interval, chance, metric_of
from dabs.prepared import Split, manifest_of, read_columns
from dabs.probes import MAX_ITERATIONS, NEIGHBOURS, READERS, STRENGTHS, Cached, Reading
from dabs.raw_input import COMPONENTS, raw_features
from dabs.registry import find_domain, unknown
from dabs.run import PretrainConfig, environment, load_run
from dabs.specs import specs_to_json

PROTOCOLS = ("linear", "knn", "finetune")
RAW = "raw"  # the algorithm name of the raw-input row
SPLITS = ("train", "validation", "test")
FEATURE_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One cell: the fields of `leaderboard.schema.Result` but for the predictions' checksum, and the predictions."""

    payload: dict[str, Any]
    predictions: dict[str, np.ndarray]


Tell = Callable[[str], None]


@torch.inference_mode()
def features_of(encoder: Encoder, split: Split) -> np.ndarray:
    """Pooled features of a whole split in order, float32 (n, D), in evaluation mode."""
    encoder.eval()
    device = next(encoder.parameters()).device
    parts = []
    for start in range(0, len(split), FEATURE_BATCH):
        index = np.arange(start, min(start + FEATURE_BATCH, len(split)))
        parts.append(encoder(split.batch(index).to(device)).float().cpu().numpy())
    return np.concatenate(parts)


def _features_once(encoder: Encoder, split: Split, known: dict[str, np.ndarray]) -> np.ndarray:
    """Features of a split, computed once for tasks that ask about the same examples."""
    key = split.digest()
    if key is None:
        return features_of(encoder, split)
    if key not in known:
        known[key] = features_of(encoder, split)
    return known[key]


def _labels(domain: Domain, task: Task) -> dict[str, np.ndarray]:
    return {split: read_columns(domain, task.name, split)["label"] for split in SPLITS}


def chosen_tasks(domain: Domain, names: tuple[str, ...]) -> list[Task]:
    """The named tasks of a domain, or all of them."""
    return [domain.task(name) for name in names] if names else list(domain.tasks)


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
        run: the folder that `dabs.pretrain.pretrain` gave.
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
    about = _about_run(run, config, provenance, encoder)
    known: dict[str, np.ndarray] = {}
    for task in chosen_tasks(domain, tasks):
        cached, seconds = None, 0.0
        for protocol in protocols:
            tell(f"{task.name} {protocol}")
            begun = time.perf_counter()
            if protocol != "finetune" and cached is None:
                features = {
                    s: _features_once(encoder, Split(domain, task.name, s, labels=False), known) for s in SPLITS
                }
                cached = Cached(features=features, labels=_labels(domain, task))
                seconds, begun = time.perf_counter() - begun, time.perf_counter()
            if protocol == "finetune":
                reading = finetune(encoder, domain, task, config.seed, Recipe())
            else:
                assert cached is not None  # noqa: S101  filled above
                reading = READERS[protocol](cached, task)
            spent = {"features": 0.0 if protocol == "finetune" else seconds, "fit": time.perf_counter() - begun}
            yield _evaluation(domain, task, protocol, reading, about, spent)


def evaluate_raw(
    domain: Domain,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = ("linear", "knn"),
    tell: Tell = lambda line: None,
) -> Iterator[Evaluation]:
    """The raw-input row of a domain: the same readers on the inputs themselves; it cannot be fine-tuned."""
    check_protocols(protocols)
    about = _about_raw(domain)
    for task in chosen_tasks(domain, tasks):
        begun = time.perf_counter()
        cached = Cached(features=raw_features(domain, task.name), labels=_labels(domain, task))
        seconds = time.perf_counter() - begun
        for protocol in (p for p in protocols if p in READERS):
            tell(f"{task.name} {protocol}")
            begun = time.perf_counter()
            reading = READERS[protocol](cached, task)
            spent = {"features": seconds, "fit": time.perf_counter() - begun}
            yield _evaluation(domain, task, protocol, reading, about, spent)


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
    found = manifest_of(domain)["splits"]["pretrain/train"]["sha256"]
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
        "pretraining": {"config": asdict(config), **pretraining, "curve": curve(run)},
        "encoder": {
            "config": {**asdict(encoder.config), "specs": specs_to_json(encoder.specs)},
            "parameters": provenance["parameters"],
        },
        "environment": {**environment(), "precision": config.precision},
    }


def _about_raw(domain: Domain) -> dict[str, Any]:
    source = sha256_file(Path(__file__).with_name("raw_input.py"))
    nothing = {"steps": 0, "examples_seen": 0, "wall_seconds": 0.0, "peak_memory_bytes": 0, "final_loss": 0.0}
    data = manifest_of(domain)["splits"]["pretrain/train"]["sha256"]
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
    domain: Domain, task: Task, protocol: str, reading: Reading, about: dict[str, Any], seconds: dict[str, float]
) -> Evaluation:
    labels = _labels(domain, task)
    metric, manifest = metric_of(task.metric), manifest_of(domain)
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
            "chance": chance(metric.name, labels["train"], labels["test"]),
        },
        "score": metric.score(reading.prediction, labels["test"]),
        "interval": bootstrap_interval(metric.name, reading.prediction, labels["test"]),
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
    return Evaluation(payload=payload, predictions={"prediction": reading.prediction, "label": labels["test"]})
