"""Checkpoints: written whole under a temporary name, then renamed; read as tensors and plain values only."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

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


def save_checkpoint(run: Path, objective: Objective, optimizer: Any, state: dict[str, Any]) -> Path:
    """Write `checkpoints/step-N` and drop all but the last two."""
    target = run / "checkpoints" / f"step-{state['steps_done']:08d}"
    with replacing(target) as folder:
        folder.mkdir(parents=True)
        save_encoder(objective.encoder, folder)
        training = {
            "algorithm": objective.algorithm.state_dict(),
            "optimizer": optimizer.state_dict(),
            "state": dict(state),
        }
        torch.save(training, folder / "training.pt")
    for old in _folders(run)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_training_state(checkpoint: Path, objective: Objective, optimizer: Any) -> dict[str, Any]:
    """Put a checkpoint's weights and optimiser state back; gives its counters.

    Raises:
        DabsError: the checkpoint is damaged or of another run.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        objective.encoder.load_state_dict(load_file(checkpoint / "encoder.safetensors"), strict=True)
        training = torch.load(checkpoint / "training.pt", map_location="cpu", weights_only=True)
        objective.algorithm.load_state_dict(training["algorithm"], strict=True)
        optimizer.load_state_dict(training["optimizer"])
        return dict(training["state"])
    except (SafetensorError, OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError) as error:
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
