"""Evaluation of a run: one result per task and protocol, and writing it.

The frozen features of a task are computed once for all its probes. No submitted code runs here: an encoder is read as
weights and sizes. The same run gives the same results, apart from timings.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from dabs.config import PROTOCOLS, STANDARD_PROTOCOLS, PretrainConfig
from dabs.data.domain import SPLITS, TRAIN, Domain, Task
from dabs.data.prepared import Prepared, is_prepared, open_prepared
from dabs.data.split import Split
from dabs.encoder import Encoder
from dabs.errors import DabsError, RequestError, unknown
from dabs.evaluation.build_result import (
    EvaluatedTask,
    Origin,
    build_result,
    origin_of_input,
    origin_of_run,
    origin_of_supervised,
)
from dabs.evaluation.features import FeatureCache
from dabs.evaluation.finetune import finetune, recipe_of
from dabs.evaluation.probes import PROBES, Features, ProbeResult, probe_head
from dabs.evaluation.raw_input import raw_features, summary_features
from dabs.evaluation.reference_rows import RAW
from dabs.evaluation.supervised import SupervisedEncoder, own_predictions, train_supervised
from dabs.registry import domain_label, find_domain, is_file_reference
from dabs.results.files import write_result
from dabs.results.hub import local_run
from dabs.training.checkpoint import load_encoder
from dabs.training.precision import feature_precision, finetune_precision
from dabs.training.pretrain import with_budget
from dabs.training.repair import find_lost_encoder
from dabs.training.run_folder import load_run
from dabs.utils.files import sole_use

Tell = Callable[[str], None]


def evaluate(
    run: Path | str,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = STANDARD_PROTOCOLS,
    tell: Tell = lambda line: None,
    *,
    domain: str = "",
) -> Iterator[EvaluatedTask]:
    """Evaluate a complete run, task by task and protocol by protocol; `write_results` saves what this yields.

    Args:
        run: the folder that `pretrain` returned, or `hf://USER/NAME[@REVISION]`.
        tasks: names; all tasks of the domain when empty.
        protocols: of `dabs.config.PROTOCOLS`.
        tell: called with "TASK PROTOCOL" before each evaluation.
        domain: the run's domain. It must be named if it is a file, because that file is run.

    Raises:
        DabsError: the run is incomplete or damaged, or the data is not what it was pretrained on.
    """
    check_protocols(protocols)
    run = local_run(run)
    config, provenance = load_run(run)
    found = _domain_of_run(run, config, domain)
    encoder = _load_verified_encoder(run, provenance, found)
    if torch.cuda.is_available():
        encoder = encoder.cuda()
    origin = origin_of_run(run, config, provenance, encoder)
    views = EncoderViews(encoder, config.precision, protocols)
    for task in chosen_tasks(found, tasks):
        reader = TaskReader(open_prepared(found, task.name), task, views, origin)
        yield from reader.read(protocols, tell, tune=lambda reader: finetune_from_probe(reader, views, config))


def _domain_of_run(run: Path, config: PretrainConfig, named: str) -> Domain:
    """Return the domain of a run. A run's configuration may come from elsewhere, so a file that it names is not run."""
    if is_file_reference(config.domain) and not named:
        raise RequestError(
            f"{run} was pretrained on the domain of a file, {config.domain}, and to evaluate it that file is run. If "
            f"you trust it, say so: --domain {config.domain}"
        )
    if named and domain_label(named) != domain_label(config.domain):
        raise RequestError(f"{run} was pretrained on {domain_label(config.domain)}, not on {domain_label(named)}.")
    return find_domain(named or config.domain, config.suite)


def evaluate_input(
    name: str,
    domain: Domain,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = STANDARD_PROTOCOLS,
    tell: Tell = lambda line: None,
) -> Iterator[EvaluatedTask]:
    """Apply the readers to a domain's inputs: the row `raw` or `summary`, which cannot be fine-tuned."""
    check_protocols(protocols)
    origin = origin_of_input(domain, name)
    for task in chosen_tasks(domain, tasks):
        data = open_prepared(domain, task.name)
        yield from TaskReader(data, task, InputViews(name), origin).read(protocols, tell)


def evaluate_supervised(
    config: PretrainConfig,
    tasks: tuple[str, ...] = (),
    protocols: tuple[str, ...] = STANDARD_PROTOCOLS,
    tell: Tell = lambda line: None,
) -> Iterator[EvaluatedTask]:
    """Train an encoder with the labels of each task and read it like any other: the row `supervised`.

    Args:
        config: the domain, the seed and the budget; 0 stands for the domain's standards.
        tasks, protocols, tell: as for `evaluate`.
    """
    check_protocols(protocols)
    domain = find_domain(config.domain, config.suite)
    config = with_budget(config, domain)
    for task in chosen_tasks(domain, tasks):
        data = open_prepared(domain, task.name)
        tell(f"{task.name} training")
        trained = train_supervised(data, task, config)
        views = EncoderViews(trained.encoder, config.precision, protocols)
        reader = TaskReader(data, task, views, origin_of_supervised(trained, data))

        def own(reader: TaskReader, trained: SupervisedEncoder = trained) -> ProbeResult:
            return own_predictions(trained, reader.data, reader.task)

        yield from reader.read(protocols, tell, tune=own)


class Views(Protocol):
    """The two views that readers take of the examples of a task, each features (n, D) by split."""

    def pooled(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return features without layout: the mean over positions."""
        ...

    def positions(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return features with layout: all positions, reduced."""
        ...


class EncoderViews:
    """The views of an encoder. Tasks on the same examples share their features.

    Args:
        encoder: on its device.
        trained_in: the precision of its training.
        protocols: which will be read; for those that need both views, examples are encoded once.
    """

    def __init__(self, encoder: Encoder, trained_in: str, protocols: tuple[str, ...]) -> None:
        self.encoder = encoder
        self.together = "linear_tokens" in protocols
        self.cache = FeatureCache(encoder, feature_precision(trained_in, encoder.width))

    def pooled(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return the mean over [CLS] and all real positions."""
        splits = _unlabelled(data)
        if not self.together:
            return self.cache.pooled(splits)
        return {name: pooled for name, (pooled, _) in self.cache.both(splits[TRAIN], splits).items()}

    def positions(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return all positions, reduced to 256 values."""
        splits = _unlabelled(data)
        return {name: positions for name, (_, positions) in self.cache.both(splits[TRAIN], splits).items()}


@dataclass(frozen=True)
class InputViews:
    """The views of the inputs themselves, for the row `name`."""

    name: str

    def pooled(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return the mean over patches, segments or tokens, or the summary."""
        return raw_features(data, pooled=True) if self.name == RAW else summary_features(data)

    def positions(self, data: Prepared) -> dict[str, np.ndarray]:
        """Return the whole input, reduced; a summary has no positions and is returned as it is."""
        return raw_features(data, pooled=False) if self.name == RAW else summary_features(data)


def _unlabelled(data: Prepared) -> dict[str, Split]:
    return {name: Split(data, name, labels=False) for name in SPLITS}


class TaskReader:
    """Reads one task through the protocols; views and probes that several of them need are computed once."""

    def __init__(self, data: Prepared, task: Task, views: Views, origin: Origin) -> None:
        self.data, self.task, self.views, self.origin = data, task, views, origin
        self.labels = {split: data.labels(split) for split in SPLITS}
        self.known: dict[str, Features] = {}
        self.seconds: dict[str, float] = {}
        self.found: dict[str, ProbeResult] = {}

    def read(
        self, protocols: tuple[str, ...], tell: Tell, tune: Callable[[TaskReader], ProbeResult] | None = None
    ) -> Iterator[EvaluatedTask]:
        """Yield one result per protocol; `tune` computes that of fine-tuning, which is skipped without it."""
        for protocol in protocols:
            if protocol not in PROBES and tune is None:
                continue
            tell(f"{self.task.name} {protocol}")
            begun, before = time.perf_counter(), dict(self.seconds)
            found = self.probe(protocol) if protocol in PROBES else tune(self)  # type: ignore[misc]
            spent = sum(self.seconds[view] - before.get(view, 0.0) for view in self.seconds)
            view = "positions" if protocol == "linear_tokens" else "pooled"
            seconds = {
                "features": self.seconds.get(view, 0.0) if protocol in PROBES else spent,
                "fit": time.perf_counter() - begun - spent,
            }
            yield build_result(self.data, self.task, protocol, found, self.labels, self.origin, seconds)

    def features(self, view: str) -> Features:
        """Return the features of a view, "pooled" or "positions"."""
        if view not in self.known:
            begun = time.perf_counter()
            self.known[view] = Features(features=getattr(self.views, view)(self.data), labels=self.labels)
            self.seconds[view] = time.perf_counter() - begun
        return self.known[view]

    def probe(self, protocol: str) -> ProbeResult:
        """Return what a probe predicts."""
        if protocol not in self.found:
            view = self.features("positions" if protocol == "linear_tokens" else "pooled")
            self.found[protocol] = PROBES[protocol](view, self.task)
        return self.found[protocol]


def finetune_from_probe(reader: TaskReader, views: EncoderViews, config: PretrainConfig) -> ProbeResult:
    """Fine-tune the encoder from the linear probe of its own features."""
    head = probe_head(reader.features("pooled"), reader.task, reader.probe("linear").selected["C"])
    precision = finetune_precision(config.precision)
    recipe = recipe_of(config.suite)
    return finetune(views.encoder, reader.data, reader.task, config.seed, recipe, head, precision)


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
    if lost := find_lost_encoder(run):
        raise DabsError(f"{lost}. Run `dabs pretrain --config {run}`, which trains it again.")
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
