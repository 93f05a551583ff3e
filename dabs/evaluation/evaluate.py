"""Evaluation of a run: one result per task and protocol, and writing it.

The frozen features of a task are computed once for all its probes. No submitted code runs here: an encoder is read as
weights and sizes. The same run gives the same results, apart from timings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dabs.config import PROTOCOLS
from dabs.data.domain import SPLITS, TRAIN, Domain, Task
from dabs.data.prepared import Prepared, is_prepared, open_prepared
from dabs.data.split import Split
from dabs.encoder import Encoder
from dabs.errors import DabsError, RequestError, unknown
from dabs.evaluation.build_result import EvaluatedTask, Origin, build_result, origin_of_raw_input, origin_of_run
from dabs.evaluation.features import FeatureCache
from dabs.evaluation.finetune import Recipe, finetune
from dabs.evaluation.probes import PROBES, Features, ProbeResult
from dabs.evaluation.raw_input import raw_features
from dabs.registry import find_domain
from dabs.results.files import write_result
from dabs.training.checkpoint import load_encoder
from dabs.training.precision import feature_precision, finetune_precision
from dabs.training.run_folder import load_run
from dabs.utils.files import sha256_file, sole_use

Tell = Callable[[str], None]


def evaluate(
    run: Path,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = ("linear", "knn"),
    tell: Tell = lambda line: None,
) -> Iterator[EvaluatedTask]:
    """Evaluate a complete run, task by task and protocol by protocol; `write_results` saves what this yields.

    Args:
        run: the folder that `pretrain` returned.
        tasks: names; all tasks of the domain when empty.
        protocols: of "linear", "knn", "finetune".
        tell: called with "TASK PROTOCOL" before each evaluation.

    Raises:
        DabsError: the run is incomplete or damaged, or the data is not what it was pretrained on.
    """
    check_protocols(protocols)
    config, provenance = load_run(run)
    domain = find_domain(config.domain, config.suite)
    encoder = _load_verified_encoder(run, provenance, domain)
    if torch.cuda.is_available():
        encoder = encoder.cuda()
    cache = FeatureCache(encoder, feature_precision(config.precision, encoder.width))

    def features(data: Prepared) -> dict[str, np.ndarray]:
        return {name: cache(Split(data, name, labels=False)) for name in SPLITS}

    def tune(data: Prepared, task: Task) -> ProbeResult:
        return finetune(encoder, data, task, config.seed, Recipe(), finetune_precision(config.precision))

    origin = origin_of_run(run, config, provenance, encoder)
    yield from _evaluate_tasks(domain, chosen_tasks(domain, tasks), protocols, origin, features, tune, tell)


def evaluate_raw(
    domain: Domain,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = ("linear", "knn"),
    tell: Tell = lambda line: None,
) -> Iterator[EvaluatedTask]:
    """Apply the same probes to a domain's raw inputs, which cannot be fine-tuned."""
    check_protocols(protocols)
    readable = tuple(protocol for protocol in protocols if protocol in PROBES)

    def features(data: Prepared) -> dict[str, np.ndarray]:
        return raw_features(data.domain, data.dataset)

    def tune(data: Prepared, task: Task) -> ProbeResult:
        raise RequestError(f"the raw input of {task.name} has no encoder to fine-tune")

    origin = origin_of_raw_input(domain)
    yield from _evaluate_tasks(domain, chosen_tasks(domain, tasks), readable, origin, features, tune, tell)


def _evaluate_tasks(
    domain: Domain,
    tasks: list[Task],
    protocols: tuple[str, ...],
    origin: Origin,
    features: Callable[[Prepared], dict[str, np.ndarray]],
    tune: Callable[[Prepared, Task], ProbeResult],
    tell: Tell,
) -> Iterator[EvaluatedTask]:
    """Yield one result per task and protocol; a task's features are computed when the first probe needs them."""
    for task in tasks:
        data, probed, feature_seconds = open_prepared(domain, task.name), None, 0.0
        labels = {split: data.labels(split) for split in SPLITS}
        for protocol in protocols:
            tell(f"{task.name} {protocol}")
            begun = time.perf_counter()
            if protocol in PROBES:
                if probed is None:
                    probed = Features(features=features(data), labels=labels)
                    feature_seconds, begun = time.perf_counter() - begun, time.perf_counter()
                found, seconds = PROBES[protocol](probed, task), {"features": feature_seconds}
            else:
                found, seconds = tune(data, task), {"features": 0.0}
            seconds["fit"] = time.perf_counter() - begun
            yield build_result(data, task, protocol, found, labels, origin, seconds)


def chosen_tasks(domain: Domain, names: tuple[str, ...]) -> list[Task]:
    """Return the named tasks of a domain. If none is named, return all, or in a domain of parts all that are prepared.

    Raises:
        DabsError: no task is named and none is prepared.
    """
    if names or not domain.parts:
        return [domain.task(name) for name in names] if names else list(domain.tasks)
    prepared = [task for task in domain.tasks if is_prepared(domain, (task.name,))]
    if not prepared:
        raise DabsError(
            f"no task of {domain.name} ({domain.suite}) is prepared. "
            f"Run `dabs data prepare {domain.name} --suite {domain.suite}`."
        )
    return prepared


def check_protocols(protocols: tuple[str, ...]) -> None:
    """Refuse an unknown protocol."""
    for name in protocols:
        if name not in PROTOCOLS:
            raise unknown("protocol", name, list(PROTOCOLS))


def _load_verified_encoder(run: Path, provenance: dict[str, Any], domain: Domain) -> Encoder:
    """Load the final encoder after checking that the weights and the data are those of the run."""
    weights = run / "encoder" / "encoder.safetensors"
    if weights.exists() and sha256_file(weights) != provenance["weights_sha256"]:
        raise DabsError(
            f"{weights} is not what the run wrote: its hash differs from run.json. Delete {run}, pretrain again."
        )
    encoder = load_encoder(run / "encoder")
    if encoder.specs != domain.specs:
        raise DabsError(f"the encoder in {run} was made for other inputs than those of {domain.name}. Pretrain again.")
    found = open_prepared(domain).entry(TRAIN).sha256
    if found != provenance["data_sha256"]:
        raise DabsError(
            f"the data of {domain.name} is not what {run} was pretrained on (hash {found[:12]}, the run has "
            f"{provenance['data_sha256'][:12]}). Prepare the same version of the data, or pretrain again."
        )
    return encoder


def write_results(run: Path, evaluated: Iterable[EvaluatedTask]) -> Iterator[tuple[Path, EvaluatedTask]]:
    """Write each result into RUN/results as soon as it is computed; yield its path and the result."""
    for item in evaluated:
        with sole_writer(run, (item.result.task,)):  # one process writes a result and its predictions
            path = write_result(run / "results", item.result, item.predictions)
        yield path, item


@contextmanager
def sole_writer(run: Path, tasks: Iterable[str]) -> Iterator[None]:
    """Keep other processes from writing results of some tasks of a run; wait for those that do.

    There is one lock per task, taken in a fixed order, so a process that locks all tasks and one that locks a single
    task cannot deadlock.
    """
    with ExitStack() as held:
        for task in sorted(set(tasks)):
            held.enter_context(sole_use(run.with_name(f"{run.name}-{task}"), wait=True))
        yield
