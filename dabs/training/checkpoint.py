"""Checkpoints of a run, and the encoder it ends with.

A checkpoint is written under a temporary name and then renamed, and holds the hashes of its own files; training resumes
from the newest intact one. Reading accepts only tensors and plain values, so a checkpoint cannot run code.
"""

from __future__ import annotations

import json
import os
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
from dabs.results.hub import is_on_hub, local_run
from dabs.specs import Specs, specs_from_json, specs_to_json
from dabs.training.devices import gather_shards, is_sharded, load_optimizer
from dabs.utils.files import discard, remove_leftovers, replacing, sha256_file, short, write_json
from dabs.utils.strict_json import read_json, read_object

if TYPE_CHECKING:
    from dabs.training.step import Objective

CHECKPOINTS_KEPT = 2  # of each run, by default
HASHES_FILE = "sha256.json"
PROBE_BYTES = 1 << 20  # more than is left on a disk on which a checkpoint has just failed


def after_divergence(run: Path) -> str:
    """Return what is left of a run whose numbers are no longer finite, and what to do, as sentences."""
    newest = latest_checkpoint(run)
    kept = f"{run} has no checkpoint yet, so there is nothing to resume from"
    if newest is not None:
        kept = f"the last checkpoint before it is kept in {newest}"
    return f"Training stopped; {kept}. Start again with a lower --lr or fp32, and another --out."


def _checkpoints(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step-*"))


def latest_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint of a run, or None."""
    folders = _checkpoints(run)
    return folders[-1] if folders else None


def latest_intact_checkpoint(run: Path) -> Path | None:
    """Return the newest checkpoint whose files match their hashes, or None if the run has no checkpoint.

    Warns about each damaged checkpoint that is skipped.

    Raises:
        DabsError: every checkpoint is damaged.
    """
    folders = _checkpoints(run)
    for folder in reversed(folders):
        damage = _damage(folder)
        if damage is None:
            return folder
        if rank() == 0:
            text = f"the checkpoint {folder} is damaged ({damage}); the run resumes from the one before it"
            warnings.warn(text, stacklevel=2)
    if folders:
        raise DabsError(
            f"every checkpoint in {run / 'checkpoints'} is damaged. Delete that folder to start the run again."
        )
    return None


def _damage(checkpoint: Path) -> str | None:
    """Return what is wrong with a checkpoint's files, or None; older versions of dabs wrote no hashes to check."""
    try:
        if not (checkpoint / HASHES_FILE).exists():
            return None if (checkpoint / "training.pt").exists() else f"there is no {HASHES_FILE}"
        for name, expected in read_json(checkpoint / HASHES_FILE).items():
            if sha256_file(checkpoint / name) != expected:
                return f"{name} is not what was written"
    except (DabsError, OSError) as error:
        return str(error)
    return None


def gather_encoder(encoder: Encoder) -> Encoder:
    """Return the encoder, or a whole copy on the CPU if it is sharded; every process must call this."""
    if not is_sharded(encoder):
        return encoder
    copy = Encoder(encoder.config, encoder.specs)
    copy.load_state_dict(gather_shards(encoder.state_dict()))
    return copy


def save_checkpoint(
    run: Path,
    objective: Objective,
    optimizer: Any,
    state: dict[str, Any],
    *,
    writes: bool = True,
    keep: int = CHECKPOINTS_KEPT,
) -> None:
    """Write `checkpoints/step-N` and delete the oldest ones.

    Sharded tensors are written whole, so a run can resume on another number of devices or with another strategy.

    Args:
        run: the run's folder.
        objective: the encoder and the algorithm.
        optimizer: whose state is saved.
        state: the run's counters, `steps_done` among them.
        writes: whether this process writes the files. Every process must call, because each holds its own shards.
        keep: how many of the newest checkpoints to keep.
    """
    encoder = gather_encoder(objective.encoder)
    training = {
        "algorithm": gather_shards(objective.algorithm.state_dict()),
        "optimizer": gather_shards(optimizer.state_dict()),
        "state": dict(state),
    }
    if not writes:
        return
    target = run / "checkpoints" / f"step-{state['steps_done']:08d}"
    with replacing(target) as folder, _as_os_error(folder):
        folder.mkdir(parents=True)
        save_encoder(encoder, folder)
        torch.save(training, folder / "training.pt")
        write_json(folder / HASHES_FILE, {path.name: sha256_file(path) for path in sorted(folder.iterdir())})
    for old in _checkpoints(run)[:-keep]:
        discard(old)


@contextmanager
def _as_os_error(folder: Path) -> Iterator[None]:
    """Raise what PyTorch and safetensors raise when they cannot write into `folder` as an OSError.

    On a full disk they speak of positions and buffers, so a small file is written to learn the system's own error.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        probe = folder / "probe"
        try:
            with open(probe, "wb") as handle:
                handle.write(bytes(PROBE_BYTES))
                os.fsync(handle.fileno())
        except OSError as actual:
            raise actual from error
        finally:
            probe.unlink(missing_ok=True)
        raise OSError(first_line(error)) from error


def load_weights(checkpoint: Path, objective: Objective) -> dict[str, Any]:
    """Load a checkpoint's weights into an objective that is not yet on its devices.

    Returns:
        The rest of the checkpoint, for `load_training_state`.

    Raises:
        DabsError: the checkpoint is damaged or belongs to another run.
    """
    from safetensors.torch import load_file

    with _explain_damage(checkpoint):
        objective.encoder.load_state_dict(load_file(checkpoint / "encoder.safetensors"), strict=True)
        training: dict[str, Any] = torch.load(checkpoint / "training.pt", map_location="cpu", weights_only=True)
        objective.algorithm.load_state_dict(training["algorithm"], strict=True)
        return training


def load_training_state(checkpoint: Path, saved: dict[str, Any], optimizer: Any) -> dict[str, Any]:
    """Load the optimiser's state from what `load_weights` returned.

    Returns:
        The run's counters.

    Raises:
        DabsError: the checkpoint is damaged or belongs to another run.
    """
    with _explain_damage(checkpoint):
        load_optimizer(optimizer, saved["optimizer"])
        return dict(saved["state"])


@contextmanager
def _explain_damage(checkpoint: Path) -> Iterator[None]:
    """Raise any error while loading as a DabsError that names the checkpoint and says what to do."""
    try:
        yield
    except Exception as error:  # a damaged or hostile file can raise nearly anything
        first = first_line(error)
        raise DabsError(
            f"the checkpoint {checkpoint} is damaged or does not fit ({first}). "
            "Delete that folder: the run then resumes from the checkpoint before it, or starts again."
        ) from error


def save_final(run: Path, encoder: Encoder, provenance: dict[str, Any]) -> None:
    """Write the final encoder, then the provenance that marks the run as complete, then delete the checkpoints."""
    with replacing(run / "encoder") as folder, _as_os_error(folder):
        folder.mkdir(parents=True)
        save_encoder(encoder, folder)
    names = {"weights_sha256": "encoder.safetensors", "sizes_sha256": "config.json"}
    hashes = {key: sha256_file(run / "encoder" / name) for key, name in names.items()}
    write_json(run / "run.json", {**provenance, **hashes})
    shutil.rmtree(run / "checkpoints", ignore_errors=True)


def clean_run_folder(run: Path) -> None:
    """Remove what killed processes left in a run's folder: temporary files, and checkpoints if the run is complete.

    The caller must hold the lock on the folder, unless the run is complete.
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


def load_encoder(place: Path | str) -> Encoder:
    """Read an encoder that `save_encoder` wrote. Only weights and sizes are read; no code of an algorithm runs.

    Args:
        place: the folder that it was written to, such as RUN/encoder, or a run on the hub, `hf://USER/NAME[@REVISION]`.

    Raises:
        DabsError: a file is missing or damaged, or the weights do not fit the sizes.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = local_run(place) / "encoder" if is_on_hub(place) else Path(place)
    weights = folder / "encoder.safetensors"
    for path in (weights, folder / "config.json"):
        if not path.is_file():
            raise DabsError(f"there is no {path}. {_train_again(folder)}")
    config = read_object(folder / "config.json")
    try:
        sizes, specs = encoder_config_from_json(config["encoder"]), specs_from_json(config["specs"])
        found = load_file(weights)
        _check_shapes(sizes, specs, found)
        encoder = Encoder(sizes, specs)
        encoder.load_state_dict(found, strict=True)
    except RequestError as error:
        raise DabsError(f"{folder / 'config.json'}: {error}. Delete {folder}. {_train_again(folder)}") from error
    except (SafetensorError, RuntimeError, KeyError, TypeError, ValueError, ArithmeticError, OSError) as error:
        first = first_line(error)
        raise DabsError(
            f"{weights} is damaged or from another version ({first}). Delete {folder}. {_train_again(folder)}"
        ) from error
    return encoder


def _train_again(folder: Path) -> str:
    """Return what to do about a damaged encoder, as a sentence; `folder` is RUN/encoder or holds an encoder alone."""
    run = folder.parent
    if folder.name == "encoder" and (run / "config.json").is_file():
        return f"Run `dabs pretrain --config {run}`, which trains it again."
    return "Pretrain again."


def _check_shapes(sizes: EncoderConfig, specs: Specs, found: dict[str, Tensor]) -> None:
    """Raise a ValueError unless the weights have these sizes, before an encoder of these sizes takes memory."""
    if sizes.depth > len(found):
        raise ValueError(f"depth is {sizes.depth}, but there are only {len(found)} tensors")
    with torch.device("meta"):
        wanted = {name: x.shape for name, x in Encoder(sizes, specs).state_dict().items()}
    different = [name for name in wanted | found if name not in found or wanted.get(name) != found[name].shape]
    if different:
        raise ValueError(f"{len(different)} tensors do not have the shapes of config.json, such as {different[0]}")


def encoder_config_from_json(values: Any) -> EncoderConfig:
    """Return an encoder's sizes from parsed JSON.

    Raises:
        RequestError: the values are not an object, or a field is unknown or of the wrong type.
    """
    known = asdict(EncoderConfig())
    if not isinstance(values, dict):
        raise RequestError(f"the encoder's sizes must be an object, not {short(values)}")
    for key, value in values.items():
        if key not in known:
            raise RequestError(f"unknown encoder field {key!r}; known: {', '.join(known)}")
        kind = type(known[key])
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise RequestError(f"encoder field {key} must be of type {kind.__name__}, not {value!r}")
    return EncoderConfig(**values)
