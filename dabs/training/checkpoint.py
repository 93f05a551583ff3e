"""Checkpoints: written whole under a temporary name, then renamed; read as tensors and plain values only.

The newest that is what was written is gone on from: each holds the hashes of its own files.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dabs.distributed import rank
from dabs.encoder import Encoder, EncoderConfig
from dabs.errors import DabsError, RequestError, first_line
from dabs.specs import Specs, specs_from_json, specs_to_json
from dabs.training.devices import is_sharded, load_optimizer, whole
from dabs.utils.files import discard, remove_leftovers, replacing, sha256_file, short, write_json
from dabs.utils.strict_json import read_json, read_object

if TYPE_CHECKING:
    from dabs.training.step import Objective

KEPT = 2  # checkpoints of a run, where nothing else is asked for
HASHES = "sha256.json"


def _folders(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step-*"))


def latest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint of a run, or None."""
    folders = _folders(run)
    return folders[-1] if folders else None


def intact_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint whose files are what was written; None where there is no checkpoint at all.

    Warns of each that is damaged and passed over.

    Raises:
        DabsError: all that there are, are damaged.
    """
    folders = _folders(run)
    for folder in reversed(folders):
        damage = _damage(folder)
        if damage is None:
            return folder
        if rank() == 0:
            text = f"the checkpoint {folder} is damaged ({damage}); the run goes on from the one before it"
            warnings.warn(text, stacklevel=2)
    if folders:
        raise DabsError(
            f"every checkpoint in {run / 'checkpoints'} is damaged. Delete that folder: the run then begins again."
        )
    return None


def _damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint's files, or None; one of an older dabs has no hashes to check."""
    try:
        if not (checkpoint / HASHES).exists():
            return None if (checkpoint / "training.pt").exists() else f"there is no {HASHES}"
        for name, expected in read_json(checkpoint / HASHES).items():
            if sha256_file(checkpoint / name) != expected:
                return f"{name} is not what was written"
    except (DabsError, OSError) as error:
        return str(error)
    return None


def whole_encoder(encoder: Encoder) -> Encoder:
    """The encoder itself, or a copy on the CPU of one that is sharded, for which all processes must call."""
    if not is_sharded(encoder):
        return encoder
    copy = Encoder(encoder.config, encoder.specs)
    copy.load_state_dict(whole(encoder.state_dict()))
    return copy


def save_checkpoint(
    run: Path, objective: Objective, optimizer: Any, state: dict[str, Any], *, writes: bool = True, keep: int = KEPT
) -> None:
    """Write `checkpoints/step-N` and `keep` only the newest. Every process calls, and the one that `writes` does.

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
    with replacing(target) as folder, _full_disk_named():
        folder.mkdir(parents=True)
        save_encoder(encoder, folder)
        torch.save(training, folder / "training.pt")
        write_json(folder / HASHES, {path.name: sha256_file(path) for path in sorted(folder.iterdir())})
    for old in _folders(run)[:-keep]:
        discard(old)


@contextmanager
def _full_disk_named() -> Iterator[None]:
    """What PyTorch and safetensors raise when they cannot write, as the error that Python has for it."""
    from safetensors import SafetensorError

    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        raise OSError(first_line(error)) from error


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
        first = first_line(error)
        raise DabsError(
            f"the checkpoint {checkpoint} is damaged or does not fit ({first}). "
            "Delete that folder: the run then goes on from the checkpoint before it, or from the start."
        ) from error


def save_final(run: Path, encoder: Encoder, provenance: dict[str, Any]) -> None:
    """Write the final encoder, then the provenance that marks the run complete, then drop the checkpoints."""
    with replacing(run / "encoder") as folder, _full_disk_named():
        folder.mkdir(parents=True)
        save_encoder(encoder, folder)
    weights = sha256_file(run / "encoder" / "encoder.safetensors")
    write_json(run / "run.json", {**provenance, "weights_sha256": weights})
    shutil.rmtree(run / "checkpoints", ignore_errors=True)


def tidy(run: Path) -> None:
    """Remove what killed processes left of a run: temporary files, and the checkpoints of one that is complete.

    Only for who holds the run's folder for himself, or when it is complete.
    """
    for name in ("encoder", "run.json", "config.json", "metrics.csv", "checkpoints"):
        remove_leftovers(run / name)
    for checkpoint in (run / "checkpoints").glob(".step-*.tmp"):
        shutil.rmtree(checkpoint, ignore_errors=True)
    if (run / "run.json").exists():
        shutil.rmtree(run / "checkpoints", ignore_errors=True)


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write `encoder.safetensors` and `config.json` into an existing folder."""
    from safetensors.torch import save_file

    save_file(
        {k: v.detach().cpu().contiguous() for k, v in encoder.state_dict().items()}, folder / "encoder.safetensors"
    )
    config = {"encoder": asdict(encoder.config), "specs": specs_to_json(encoder.specs)}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_encoder(folder: Path) -> Encoder:
    """Read what `save_encoder` wrote: weights and sizes only, strictly; no code of an algorithm is run.

    Raises:
        DabsError: a file is missing, damaged or does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config = read_object(folder / "config.json")
    weights = folder / "encoder.safetensors"
    if not weights.is_file():
        raise DabsError(f"there is no {weights}; the checkpoint is not whole. Pretrain again.")
    try:
        sizes, specs = encoder_config(config["encoder"]), specs_from_json(config["specs"])
        found = load_file(weights)
        _refuse_other_shapes(sizes, specs, found)
        encoder = Encoder(sizes, specs)
        encoder.load_state_dict(found, strict=True)
    except RequestError as error:
        raise DabsError(f"{folder / 'config.json'}: {error}. Delete {folder} and pretrain again.") from error
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, ArithmeticError, OSError) as error:
        first = first_line(error)
        raise DabsError(
            f"the checkpoint {weights} is damaged or of another version ({first}). Delete {folder} and pretrain again."
        ) from error
    return encoder


def _refuse_other_shapes(sizes: EncoderConfig, specs: Specs, found: dict[str, Tensor]) -> None:
    """Raise a ValueError unless the sizes are those of the weights, before memory is taken for what sizes claim."""
    if sizes.depth > len(found):
        raise ValueError(f"depth is {sizes.depth}, with weights of {len(found)} tensors")
    with torch.device("meta"):
        wanted = {name: x.shape for name, x in Encoder(sizes, specs).state_dict().items()}
    different = [name for name in wanted | found if name not in found or wanted.get(name) != found[name].shape]
    if different:
        raise ValueError(f"{len(different)} tensors have other shapes than its config.json says, e.g. {different[0]}")


def encoder_config(values: Any) -> EncoderConfig:
    """Sizes from plain values.

    Raises:
        RequestError: they are no object, or a field is unknown or of another type.
    """
    known = asdict(EncoderConfig())
    if not isinstance(values, dict):
        raise RequestError(f"the encoder's sizes must be an object, not {short(values)}")
    for key, value in values.items():
        if key not in known:
            raise RequestError(f"unknown encoder field {key!r}; known: {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int if key != "dropout" else (int, float)):
            raise RequestError(f"encoder field {key} must be a number, not {value!r}")
    return EncoderConfig(**values)
