"""The pretraining loop. Nothing in it is specific to a domain or an algorithm.

AdamW, linear warm-up and cosine decay, gradient clipping at norm 1. Every step seeds all generators from (seed, step),
so that a resumed run draws what an uninterrupted one draws. Lightning Fabric places the run on its devices and sets the
precision; several processes share each batch (`dabs.distributed`), and the first one alone writes.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from dabs.algorithm import Algorithm, defaults, source_of
from dabs.config import STANDARD_RATE, PretrainConfig
from dabs.data.domain import PRETRAIN, TRAIN, Domain
from dabs.data.loader import Loader, check_batch_size
from dabs.data.prepare import manifest_of
from dabs.data.split import Split
from dabs.distributed import apart, processes, rank
from dabs.encoder import compile_blocks
from dabs.errors import RequestError, unknown
from dabs.registry import algorithm_label, find_algorithm, find_domain
from dabs.specs import Batch
from dabs.training.checkpoint import (
    KEPT,
    load_training_state,
    load_weights,
    save_checkpoint,
    save_final,
    tidy,
    whole_checkpoint,
    whole_encoder,
)
from dabs.training.devices import Devices, launch
from dabs.training.log import RunLog
from dabs.training.memory import memory_kept, memory_named
from dabs.training.precision import resolved
from dabs.training.run_folder import Watch, check_folder, claim_folder, completed, default_folder, taken
from dabs.training.step import (
    CLIP_NORM,
    Objective,
    backward,
    build,
    check_finite,
    denormals_flushed,
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
    encoder: Any = domain.encoder if config.encoder == "auto" else config.encoder
    steps = (config.steps or domain.steps) if algorithm.trains else 0
    batch_size = config.batch_size or domain.batch_size
    options |= config.options
    rate = config.lr or STANDARD_RATE[encoder]
    filled = {"encoder": encoder, "lr": rate, "precision": resolved(config.precision), "options": options}
    return replace(config, steps=steps, batch_size=batch_size, **filled), algorithm, domain


def pretrain(
    config: PretrainConfig,
    folder: Path | str | None = None,
    *,
    logger: str = "tensorboard",
    checkpoint_every: int = 200,
    keep_checkpoints: int = KEPT,
    watch: Watch | None = None,
    fabric: Fabric | None = None,
    gather: bool = True,
) -> Path:
    """Pretrain an encoder, or go on with a run that was stopped, or do nothing when it is complete.

    Args:
        config: what to train.
        folder: the run's folder; by default runs/SUITE/ALGORITHM/DOMAIN/seedN.
        logger: "tensorboard", "wandb" or "none"; metrics.csv is always written.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: how many of the newest are kept, to go on from when one is damaged.
        watch: called after each flush of the losses, in the first process only.
        fabric: on which devices (from `training.devices.launch`, which every process has called); by default on one.
        gather: whether the processes' parts of a batch count as one, for an algorithm that can.

    Returns:
        The run's folder.

    Raises:
        DabsError: missing data, an unwritable folder, a loss that is not finite, a folder of another configuration.
    """
    if checkpoint_every < 1 or keep_checkpoints < 1:
        wrong = f"{checkpoint_every} and {keep_checkpoints}"
        raise RequestError(f"checkpoint_every and keep_checkpoints must be at least 1, not {wrong}")
    config, algorithm, domain = resolve(config)
    folder = Path(folder) if folder else default_folder(config, algorithm_label(config.algorithm))
    fabric = fabric or launch(Devices(devices=1, num_nodes=1), config.precision)
    lonely = processes() > 1 and not (gather and algorithm.gathers)
    identity = identity_of(algorithm, domain) | ({"processes_apart": processes()} if lonely else {})
    check_folder(folder, config, identity)
    if completed(folder) is not None:
        tidy(folder)
        return folder
    objective = build(config, algorithm, domain)  # a wrong option is found before the folder is taken
    check_batch_size(config, manifest_of(domain)["splits"][f"{PRETRAIN}/{TRAIN}"]["rows"])
    training = _Training(
        config=config,
        folder=folder,
        fabric=fabric,
        lonely=lonely,
        objective=objective,
        state={"steps_done": 0, "seconds": 0.0, "waited": 0.0, "loss": 0.0},
        checkpoint_every=checkpoint_every,
        keep_checkpoints=keep_checkpoints,
        watch=watch,
    )
    with taken(folder, fabric), apart(lonely):
        _complete(training, domain, logger, identity)
    return folder


@dataclass(kw_only=True)
class _Training:
    """A run in progress: what `_train` sets up and `_loop` goes through."""

    config: PretrainConfig
    folder: Path
    fabric: Fabric
    lonely: bool  # each process draws, and takes its loss, by itself
    objective: Objective
    state: dict[str, Any]  # steps_done, seconds, of them waited for data, loss: saved with each checkpoint
    checkpoint_every: int
    keep_checkpoints: int
    watch: Watch | None


def _complete(training: _Training, domain: Domain, logger: str, identity: dict[str, Any]) -> None:
    """Claim the folder, train and write the final encoder."""
    config, folder, fabric, objective = training.config, training.folder, training.fabric, training.objective
    if fabric.is_global_zero:
        check_folder(folder, config, identity)  # again, now that nobody else writes there
        claim_folder(folder, config, identity)
        tidy(folder)
    if completed(folder) is not None:
        return
    if objective.algorithm.trains:
        _train(training, domain, logger)
    encoder = whole_encoder(objective.encoder)
    if fabric.is_global_zero:
        device = fabric.device.type if objective.algorithm.trains else "cpu"
        save_final(folder, encoder, _provenance(config, objective, identity, training.state, device))


def _train(training: _Training, domain: Domain, logger: str) -> None:
    """Train from the latest checkpoint or the start."""
    config, objective, fabric = training.config, training.objective, training.fabric
    checkpoint = fabric.broadcast(whole_checkpoint(training.folder))  # one answer, also of a slow shared folder
    saved = load_weights(checkpoint, objective) if checkpoint else {}
    if config.compile:
        compile_blocks(objective.encoder)
    module = fabric.setup_module(objective)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True)
    fabric_optimizer = fabric.setup_optimizers(optimizer)
    if checkpoint:  # after the weights are on their device, where the optimiser's state follows them
        training.state |= load_training_state(checkpoint, saved, optimizer)
    start = training.state["steps_done"]
    memory_kept()
    loader = Loader(Split(domain, PRETRAIN, TRAIN, labels=False), config, start, fabric.device)
    log = RunLog(training.folder, logger, start, writes=fabric.is_global_zero)
    with log, stop_flag() as stop, denormals_flushed(), memory_named(config, training.folder):
        _loop(training, module, fabric_optimizer, loader, log, stop)


def _step(training: _Training, module: Any, optimizer: Any, step: int, batch: Batch) -> Logged:
    """One optimiser step; gives what is logged of it, still on the device."""
    config, fabric = training.config, training.fabric
    seed_all(config.seed, step, rank() if training.lonely else 0)
    rate = learning_rate(step, config.steps, config.lr)
    for group in optimizer.param_groups:
        group["lr"] = rate
    out = backward(fabric, module, batch, config.accumulate)
    fabric.clip_gradients(module, optimizer, max_norm=CLIP_NORM, error_if_nonfinite=False)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    training.objective.algorithm.after_step(step)
    logged = {name: value.detach() for name, value in out.items()}
    means: Any = fabric.all_reduce(logged, reduce_op="mean") if training.lonely else logged
    return step, rate, means


def _stopping(training: _Training, stop: StopFlag, step: int) -> int:
    """The signal that asks to save and leave, or 0: on several processes they agree on it, every few steps."""
    if processes() == 1:
        return stop.number
    if (step + 1) % FLUSH_EVERY:
        return 0
    wanted: Any = training.fabric.all_reduce(torch.tensor(float(stop.number)), reduce_op="max")
    return int(wanted)


def _loop(training: _Training, module: Any, optimizer: Any, loader: Loader, log: RunLog, stop: StopFlag) -> None:
    """All steps that are left, with the log flushed and checkpoints written on the way."""
    config, state = training.config, training.state
    module.train()
    waiting: list[Logged] = []
    begun, before, waited = time.perf_counter(), state["seconds"], state["waited"]
    flushed, flushed_at = state["steps_done"], begun
    for step, batch in enumerate(loader, start=state["steps_done"]):
        waiting.append(_step(training, module, optimizer, step, batch))
        done, stopping = step + 1, _stopping(training, stop, step)
        saving = done % training.checkpoint_every == 0 or done == config.steps or stopping > 0
        if saving or done % FLUSH_EVERY == 0:
            now = time.perf_counter()
            speed = (done - flushed) * config.batch_size / (now - flushed_at)
            state |= {"steps_done": done, "loss": log.write(waiting, speed), "seconds": before + now - begun}
            state["waited"] = waited + loader.waited
            flushed, flushed_at, waiting = done, now, []
            if training.watch is not None and training.fabric.is_global_zero:
                training.watch(done, config.steps, state["loss"], speed)
        if saving:
            check_finite(training.objective.encoder, done, training.folder)
        if saving and done < config.steps:
            writes, keep = training.fabric.is_global_zero, training.keep_checkpoints
            save_checkpoint(training.folder, training.objective, optimizer, state, writes=writes, keep=keep)
        if stopping and done < config.steps:  # a signal since then is met, and saved, after the next step
            text = f"stopped at step {done} of {config.steps}; the same command goes on from there"
            raise Interrupted(text, stopping)


def identity_of(algorithm: type[Algorithm], domain: Domain) -> dict[str, Any]:
    """Hashes of the algorithm's source file and of the pretraining data.

    Raises:
        DabsError: the data is not prepared, or the source cannot be read.
    """
    return {
        "algorithm_sha256": hashlib.sha256(source_of(algorithm).encode()).hexdigest(),
        "data_sha256": manifest_of(domain)["splits"][f"{PRETRAIN}/{TRAIN}"]["sha256"],
    }


def _provenance(
    config: PretrainConfig, objective: Objective, identity: dict[str, Any], state: dict[str, Any], device: str
) -> dict[str, Any]:
    return {
        "label": algorithm_label(config.algorithm),
        **identity,
        "steps": state["steps_done"],
        "examples_seen": state["steps_done"] * config.batch_size,
        "wall_seconds": round(state["seconds"], 3),
        "waited_seconds": round(state["waited"], 3),
        "peak_memory_bytes": peak_memory(device),
        "final_loss": state["loss"],
        "parameters": sum(p.numel() for p in objective.encoder.parameters()),
        "environment": {
            **environment(),
            "precision": config.precision,
            "threads": torch.get_num_threads(),
            "processes": processes(),
        },
    }
