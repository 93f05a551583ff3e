"""The pretraining loop. Nothing in it is specific to a domain or an algorithm.

AdamW, linear warm-up and cosine decay, gradients clipped at norm 1. Every step seeds all random generators from
(seed, step), so a resumed run draws the same numbers as an uninterrupted one. Lightning Fabric places the run on its
devices and sets the precision; several processes share each batch (`dabs.distributed`), and only the first one writes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from dabs.algorithm import Algorithm, defaults
from dabs.config import STANDARD_BETA2, STANDARD_RATE, PretrainConfig, label_at, steps_at
from dabs.data.domain import TRAIN, VALIDATION, Domain
from dabs.data.loader import Loader, check_batch_size
from dabs.data.prepared import Prepared, open_prepared
from dabs.data.split import Split
from dabs.distributed import independent_processes, processes, rank
from dabs.encoder import Encoder, compile_blocks
from dabs.errors import RequestError, unknown
from dabs.registry import algorithm_label, find_algorithm, find_domain
from dabs.training.checkpoint import (
    CHECKPOINTS_KEPT,
    after_divergence,
    clean_run_folder,
    gather_encoder,
    latest_intact_checkpoint,
    load_training_state,
    load_weights,
    save_checkpoint,
    save_final,
)
from dabs.training.devices import Devices, launch
from dabs.training.held_out import HeldOutLoss, is_due
from dabs.training.learning import constant_answer, ending_of, nothing_to_learn, rank_of_features, verdict
from dabs.training.log import RunLog, choose_logger
from dabs.training.memory import explain_out_of_memory, keep_freed_memory
from dabs.training.operations import flops_of_run
from dabs.training.precision import resolve_precision
from dabs.training.repair import (
    compare_with_before,
    find_lost_encoder,
    label_before,
    make_room,
    reopen_without_encoder,
)
from dabs.training.run_folder import (
    Watch,
    check_folder,
    claim_folder,
    default_folder,
    identity_of,
    in_first_process,
    lock_run_folder,
    read_provenance,
)
from dabs.training.step import (
    Objective,
    OptimizerStep,
    adamw,
    build,
    check_finite,
    flush_denormals,
    learning_rate,
    seed_all,
)
from dabs.utils.environment import environment, peak_memory
from dabs.utils.signals import Interrupted, StopFlag, stop_flag

Logged = tuple[int, float, dict[str, Tensor]]  # step, learning rate, the algorithm's scalars
FLUSH_EVERY = 10  # steps between reads of the loss, which on a GPU wait for the device


def resolve(config: PretrainConfig) -> tuple[PretrainConfig, type[Algorithm], Domain]:
    """Fill in the domain's budget, the precision and the algorithm's defaults.

    Raises:
        RequestError: an unknown algorithm, domain or option.
    """
    algorithm, domain = find_algorithm(config.algorithm), find_domain(config.domain, config.suite)
    options = defaults(algorithm)
    for key in config.options:
        if key not in options:
            raise unknown("option", key, list(options), of=config.algorithm)
    config = with_budget(replace(config, options=options | config.options), domain)
    return config if algorithm.trains else replace(config, steps=0, budget=1.0), algorithm, domain


def with_budget(config: PretrainConfig, domain: Domain) -> PretrainConfig:
    """Fill in the domain's encoder, steps and batches, that encoder's optimiser, and this machine's precision."""
    size: Any = domain.encoder if config.encoder == "auto" else config.encoder
    return replace(
        config,
        encoder=size,
        steps=config.steps or steps_at(config.budget, domain.steps),
        batch_size=config.batch_size or domain.batch_size,
        lr=config.lr or STANDARD_RATE[size],
        beta2=config.beta2 or STANDARD_BETA2[size],
        precision=resolve_precision(config.precision),
    )


def pretrain(
    config: PretrainConfig,
    folder: Path | str | None = None,
    *,
    logger: str = "auto",
    checkpoint_every: int = 200,
    keep_checkpoints: int = CHECKPOINTS_KEPT,
    watch: Watch | None = None,
    fabric: Fabric | None = None,
    gather: bool = True,
    label: str = "",
    force: bool = False,
) -> Path:
    """Pretrain an encoder, resume a run that was stopped, or do nothing when the run and its encoder are complete.

    Args:
        config: what to train.
        folder: the run's folder; by default runs/SUITE/ALGORITHM/DOMAIN/seedN.
        logger: "tensorboard", "wandb", "none", or "auto": tensorboard if installed; metrics.csv is always written.
        checkpoint_every, keep_checkpoints: steps between checkpoints, and how many of the newest to keep.
        watch: called after each flush of the losses, in the first process only.
        fabric: the devices (from `training.devices.launch`, which every process has called); by default one.
        label: what tables call the run's row; by default the algorithm's name.
        gather: whether an algorithm that can do so treats the processes' parts of a batch as one batch.
        force: whether to put a run with another configuration, source or data in this folder aside.

    Returns:
        The run's folder.

    Raises:
        DabsError: data or a package is missing, the folder is not writable or holds another run, a loss is not finite.
    """
    logger = _checked_logger(logger, checkpoint_every, keep_checkpoints)
    config, algorithm, domain = resolve(config)
    data, own = open_prepared(domain), label_at(algorithm_label(config.algorithm), config.budget)
    folder = Path(folder or default_folder(config, label or own))
    fabric = fabric or launch(Devices(devices=1, num_nodes=1), config.precision)
    independent = processes() > 1 and not (gather and algorithm.gathers)
    identity = identity_of(algorithm, data) | ({"processes_apart": processes()} if independent else {})
    if force:
        in_first_process(fabric, lambda: make_room(folder, config, identity))
    if _is_complete(folder, config, identity):
        return folder
    check_batch_size(config, data.entry(TRAIN).rows)
    run = _Run(
        config=config,
        label=label or label_before(folder) or own,
        folder=folder,
        data=data,
        fabric=fabric,
        identity=identity,
        objective=build(config, algorithm, domain, data.standardisation()),  # refuses wrong options before the lock
        logger=logger,
        checkpoint_every=checkpoint_every,
        keep_checkpoints=keep_checkpoints,
        watch=watch,
    )
    with lock_run_folder(folder, fabric), independent_processes(independent):
        run.complete()
    return folder


def _is_complete(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> bool:
    """Return whether a folder holds this run, complete with its encoder; remove what is left of its making.

    Raises:
        DabsError: the folder holds another run.
    """
    check_folder(folder, config, identity)
    if read_provenance(folder) is None or find_lost_encoder(folder):
        return False
    clean_run_folder(folder)
    return True


def _checked_logger(logger: str, every: int, keep: int) -> str:
    """Return what draws the curves, after checking how often a run is saved."""
    if every < 1 or keep < 1:
        raise RequestError(f"checkpoint_every and keep_checkpoints must be at least 1, not {every} and {keep}")
    return choose_logger(logger)


@dataclass(kw_only=True)
class _Run:
    """A run in progress, in a folder that this process (or its rank 0) has locked."""

    config: PretrainConfig
    label: str
    folder: Path
    data: Prepared
    fabric: Fabric
    identity: dict[str, Any]
    objective: Objective
    logger: str
    checkpoint_every: int
    keep_checkpoints: int
    watch: Watch | None
    # saved with each checkpoint; `waited` is the part of `seconds` that training waited for data
    state: dict[str, Any] = field(
        default_factory=lambda: {"steps_done": 0, "seconds": 0.0, "waited": 0.0, "loss": 0.0},
    )

    @property
    def independent(self) -> bool:
        """Whether each process draws its own random numbers and computes its own loss."""
        return "processes_apart" in self.identity

    def complete(self) -> None:
        """Claim the folder, train, and write the final encoder."""
        trains, writes = self.objective.algorithm.trains, self.fabric.is_global_zero
        if writes:
            check_folder(self.folder, self.config, self.identity)  # again, now that no other process can write there
            claim_folder(self.folder, self.config, self.identity)
            reopen_without_encoder(self.folder)
            clean_run_folder(self.folder)
        if self.fabric.broadcast(read_provenance(self.folder) is not None):  # as the first process sees it
            return
        constant = self.constant_answer() if trains else {}  # before training, in case the algorithm's code fails
        if trains:
            self.train()
        encoder = gather_encoder(self.objective.encoder)
        if writes:
            device = self.fabric.device.type if trains else "cpu"
            save_final(self.folder, encoder, {**self.provenance(device), "learning": self.learning(encoder, constant)})
            compare_with_before(self.folder)

    def train(self) -> None:
        """Train from the newest intact checkpoint, or from the start."""
        config, objective, fabric = self.config, self.objective, self.fabric
        # all processes follow the first, because a slow shared file system may show them different checkpoints
        checkpoint = fabric.broadcast(latest_intact_checkpoint(self.folder))
        saved = load_weights(checkpoint, objective) if checkpoint else {}
        if config.compile:
            compile_blocks(objective.encoder)
        module = fabric.setup_module(objective)
        optimizer = adamw(objective.parameters(), config.lr, config.weight_decay, config.beta2)
        fabric_optimizer = fabric.setup_optimizers(optimizer)
        if checkpoint:  # only now: the optimiser's state follows the weights to their device
            self.state |= load_training_state(checkpoint, saved, optimizer)
        start = self.state["steps_done"]
        step = OptimizerStep(
            lambda batch: module((batch.inputs, batch.mask)),
            fabric_optimizer,
            parts=config.accumulate,
            fabric=fabric,
            module=module,
        )
        keep_freed_memory()
        loader = Loader(Split(self.data, TRAIN, labels=False), config, start, fabric.device)
        unseen = Split(self.data, VALIDATION, labels=False)
        held_out = HeldOutLoss(module, unseen, config, fabric, independent=self.independent)
        log = RunLog(self.folder, self.logger, start, writes=fabric.is_global_zero)
        module.train()
        with log, stop_flag() as stop, flush_denormals(), explain_out_of_memory(config, self.folder):
            self.loop(step, loader, held_out, log, stop)

    def loop(
        self, take_step: OptimizerStep, loader: Loader, held_out: HeldOutLoss, log: RunLog, stop: StopFlag
    ) -> None:
        """Take all remaining steps, flushing the log and writing checkpoints on the way."""
        config, state = self.config, self.state
        waiting: list[Logged] = []
        begun, before, waited = time.perf_counter(), state["seconds"], state["waited"]
        flushed, flushed_at = state["steps_done"], begun
        for number, batch in enumerate(loader, start=state["steps_done"]):
            seed_all(config.seed, number, rank() if self.independent else 0)
            rate = learning_rate(number, config.steps, config.lr)
            logged: Any = take_step(batch, rate)
            self.objective.after_step(number)
            if self.independent:
                logged = self.fabric.all_reduce(logged, reduce_op="mean")
            done, stopping = number + 1, self.stopping(stop, number)
            if is_due(done, config.steps):
                logged = logged | held_out()
            waiting.append((number, rate, logged))
            saving = done % self.checkpoint_every == 0 or done == config.steps or stopping > 0
            if saving or done % FLUSH_EVERY == 0:
                now = time.perf_counter() - held_out.seconds
                speed = (done - flushed) * config.batch_size / (now - flushed_at)
                state |= {"steps_done": done, "loss": log.write(waiting, speed), "seconds": before + now - begun}
                state["waited"] = waited + loader.waited
                flushed, flushed_at, waiting = done, now, []
                if self.watch is not None and self.fabric.is_global_zero:
                    self.watch(done, config.steps, state["loss"], speed)
            if saving:
                check_finite(self.objective.encoder, done, after_divergence(self.folder))
            if saving and done < config.steps:
                writes, keep = self.fabric.is_global_zero, self.keep_checkpoints
                save_checkpoint(self.folder, self.objective, take_step.optimizer, state, writes=writes, keep=keep)
            if stopping and done < config.steps:  # a signal that comes later is handled after the next step
                raise Interrupted(f"stopped at step {done} of {config.steps}; the same command resumes there", stopping)

    def stopping(self, stop: StopFlag, step: int) -> int:
        """Return the signal that asks to save and stop, or 0; several processes agree on it every few steps."""
        if processes() == 1:
            return stop.number
        if (step + 1) % FLUSH_EVERY:
            return 0
        wanted: Any = self.fabric.all_reduce(torch.tensor(float(stop.number)), reduce_op="max")
        return int(wanted)

    def constant_answer(self) -> dict[str, float]:
        """Return what a constant answer scores, on a batch of the size that the algorithm sees at once."""
        size = self.config.batch_size // self.config.accumulate // processes()
        batch = Split(self.data, TRAIN, labels=False).batch(np.arange(size))
        return constant_answer(self.objective.algorithm, batch)

    def learning(self, encoder: Encoder, constant: dict[str, float]) -> dict[str, Any]:
        """Return whether the run learned, from the end of its log and the features of validation inputs."""
        spread = rank_of_features(encoder, Split(self.data, VALIDATION, labels=False))
        if not self.objective.algorithm.trains:
            return nothing_to_learn(spread)
        return verdict(ending_of(self.folder), constant, spread)

    def provenance(self, device: str) -> dict[str, Any]:
        """Return what `run.json` records about a complete run."""
        config, state = self.config, self.state
        return {
            "label": self.label,
            **self.identity,
            "steps": state["steps_done"],
            "examples_seen": state["steps_done"] * config.batch_size,
            "flops": flops_of_run(config, type(self.objective.algorithm), self.data),
            "wall_seconds": round(state["seconds"], 3),
            "waited_seconds": round(state["waited"], 3),
            "peak_memory_bytes": peak_memory(device),
            "final_loss": state["loss"],
            "parameters": sum(p.numel() for p in self.objective.encoder.parameters()),
            "environment": {
                **environment(),
                "precision": config.precision,
                "threads": torch.get_num_threads(),
                "processes": processes(),
            },
        }
