"""Checkpoints: written whole under a temporary name, then renamed; read as tensors and plain values only."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dabs.devices import is_sharded, load_optimizer, whole
from dabs.encoder import Encoder, save_encoder
from dabs.errors import DabsError
from dabs.home import replacing, sha256_file, write_json

if TYPE_CHECKING:
    from dabs.pretrain import Objective

KEPT = 2  # checkpoints of a run


def _folders(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step-*"))


def latest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint of a run, or None."""
    folders = _folders(run)
    return folders[-1] if folders else None


def whole_encoder(encoder: Encoder) -> Encoder:
    """The encoder itself, or a copy on the CPU of one that is sharded, for which all processes must call."""
    if not is_sharded(encoder):
        return encoder
    copy = Encoder(encoder.config, encoder.specs)
    copy.load_state_dict(whole(encoder.state_dict()))
    return copy


def save_checkpoint(
    run: Path, objective: Objective, optimizer: Any, state: dict[str, Any], *, writes: bool = True
) -> None:
    """Write `checkpoints/step-N` and drop all but the last two. Every process calls, and the one that `writes` does.

    Sharded tensors are written whole, so that a run goes on with another number of devices, or another strategy.
    """
    encoder = whole_encoder(objective.encoder)
    training = {
        "algorithm": whole(objective.algorithm.state_dict()),
        "optimizer": whole(optimizer.state_dict()),
        "state": dict(state),
    }
    if not writes:
        return
    target = run / "checkpoints" / f"step-{state['steps_done']:08d}"
    with replacing(target) as folder:
        folder.mkdir(parents=True)
        save_encoder(encoder, folder)
        torch.save(training, folder / "training.pt")
    for old in _folders(run)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def load_weights(checkpoint: Path, objective: Objective) -> dict[str, Any]:
    """Put a checkpoint's weights into an objective that is not yet on its devices; gives what else was saved.

    Raises:
        DabsError: the checkpoint is damaged or of another run.
    """
    from safetensors.torch import load_file

    with _damage_named(checkpoint):
        objective.encoder.load_state_dict(load_file(checkpoint / "encoder.safetensors"), strict=True)
        training: dict[str, Any] = torch.load(checkpoint / "training.pt", map_location="cpu", weights_only=True)
        objective.algorithm.load_state_dict(training["algorithm"], strict=True)
        return training


def load_training_state(checkpoint: Path, saved: dict[str, Any], optimizer: Any) -> dict[str, Any]:
    """Put the optimiser's state back, from what `load_weights` gave; gives the run's counters.

    Raises:
        DabsError: the checkpoint is damaged or of another run.
    """
    with _damage_named(checkpoint):
        load_optimizer(optimizer, saved["optimizer"])
        return dict(saved["state"])


@contextmanager
def _damage_named(checkpoint: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a damaged or hostile file can raise nearly anything
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DabsError(
            f"the checkpoint {checkpoint} is damaged or does not fit ({first}). "
            "Delete that folder: the run then goes on from the checkpoint before it, or from the start."
        ) from error


def save_final(run: Path, encoder: Encoder, provenance: dict[str, Any]) -> None:
    """Write the final encoder, then the provenance that marks the run complete, then drop the checkpoints."""
    with replacing(run / "encoder") as folder:
        folder.mkdir(parents=True)
        save_encoder(encoder, folder)
    weights = sha256_file(run / "encoder" / "encoder.safetensors")
    write_json(run / "run.json", {**provenance, "weights_sha256": weights})
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
