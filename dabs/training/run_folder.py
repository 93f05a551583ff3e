"""The folder of a run: configuration, checkpoints, metrics, encoder, provenance.

RUN/config.json                      the resolved configuration; `--config` replays it
RUN/metrics.csv, RUN/tensorboard/    loss and throughput
RUN/checkpoints/step-00000200/       encoder.safetensors, config.json, training.pt (to resume from)
RUN/encoder/                         the final encoder: encoder.safetensors, config.json
RUN/run.json                         provenance, written last: its presence means the run is complete
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dabs.config import PretrainConfig, config_from_json
from dabs.errors import DabsError
from dabs.registry import domain_label
from dabs.results.hub import local_run
from dabs.utils.files import short, sole_use, write_json
from dabs.utils.strict_json import read_object
from dabs.utils.versions import other_version

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from dabs.algorithm import Algorithm
    from dabs.data.prepared import Prepared

RUN_FORMAT = 2


def load_config(path: Path) -> PretrainConfig:
    """Read a run's configuration from its folder or from its `config.json`."""
    path = path / "config.json" if path.is_dir() else path
    return config_from_json(_read_config_file(path)["pretrain"], path)


def _read_config_file(path: Path) -> dict[str, Any]:
    """Read a `config.json`, which must be of this version."""
    again = "pretrain again into another folder (--out), or with --force, which puts the old run aside."
    saved = read_object(path, way_out=f"It is damaged. So {again}")
    if type(saved.get("format")) is not int or saved["format"] != RUN_FORMAT:
        older = f"It was written by another version of dabs. Use that version, or {again}"
        raise other_version(path, "format", saved.get("format"), RUN_FORMAT, older=older)
    if not isinstance(saved.get("identity", {}), dict) or "pretrain" not in saved:
        raise DabsError(f"{path} is damaged: `pretrain` or `identity` is missing or of the wrong type. So {again}")
    return saved


def _differences(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> list[tuple[str, str]]:
    """Return in which settings the run in a folder differs from this one, each by its name and in words.

    The list is empty if it is the same run or the folder is free.
    """
    path = folder / "config.json"
    if not path.exists():
        left = next((name for name in ("run.json", "encoder", "checkpoints") if (folder / name).exists()), None)
        return [("config.json", f"there is {folder / left}, but no config.json that says of which run")] if left else []
    found = asdict(load_config(path)) | _read_config_file(path).get("identity", {})
    wanted = json.loads(json.dumps(asdict(config))) | identity  # as read back from JSON: tuples become lists
    names = [name for name in found | wanted if found.get(name) != wanted.get(name)]
    return [
        (name, f"{name} is {_shown(name, found.get(name))} there and {_shown(name, wanted.get(name))} here")
        for name in names
    ]


def _shown(name: str, value: Any) -> str:
    return value[:12] if name.endswith("sha256") and isinstance(value, str) else short(value)


def check_folder(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> None:
    """Make sure that a folder is free or holds this very run.

    Args:
        folder: the run's folder.
        config: the resolved configuration.
        identity: the hashes of the algorithm's source and of the data, which also define a run.

    Raises:
        DabsError: the folder holds a run with another configuration, source, data or version.
    """
    different = _differences(folder, config, identity)
    if not different:
        return
    way_out = "Give another folder with --out, or put the old run aside and train again with --force."
    if all(name == "algorithm_sha256" for name, _ in different):
        raise DabsError(
            f"the folder {folder} holds a run of another version of the algorithm's source: {different[0][1]}. "
            "Options, steps and data are the same, but even an edited comment makes it another run. Undo the edit. "
            f"{way_out}"
        )
    words = "; ".join(text for _, text in different)
    raise DabsError(f"the folder {folder} holds a run with another configuration: {words}. {way_out}")


def claim_folder(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> None:
    """Record in a free folder which run it holds; call `check_folder` first."""
    if not (folder / "config.json").exists():
        write_json(folder / "config.json", {"format": RUN_FORMAT, "pretrain": asdict(config), "identity": identity})


def default_folder(config: PretrainConfig, label: str, root: Path = Path("runs")) -> Path:
    """Return ROOT/SUITE/LABEL/DOMAIN/seedN, for example runs/lite/shed/sensor/seed7."""
    return root / config.suite / label / domain_label(config.domain) / f"seed{config.seed}"


def identity_of(algorithm: type[Algorithm], data: Prepared) -> dict[str, Any]:
    """Return the hashes of the algorithm's source file and of the pretraining data: a run's identity.

    Raises:
        DabsError: the source cannot be read.
    """
    from dabs.algorithm import source_of
    from dabs.data.domain import TRAIN

    return {
        "algorithm_sha256": hashlib.sha256(source_of(algorithm).encode()).hexdigest(),
        "data_sha256": data.entry(TRAIN).sha256,
    }


_NUMBER = (int, float)
_PROVENANCE_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("label", "algorithm_sha256", "data_sha256", "weights_sha256"), str),
    **dict.fromkeys(("steps", "examples_seen", "peak_memory_bytes", "parameters"), int),
    **dict.fromkeys(("wall_seconds", "final_loss"), _NUMBER),
    "environment": dict,
    "learning": dict,
}
_ENVIRONMENT_TYPES = {"git_commit": str, "git_dirty": bool, "dabs_version": str, "versions": dict}


def read_provenance(folder: Path) -> dict[str, Any] | None:
    """Return the provenance of a complete run, or None if the run is not complete.

    Raises:
        DabsError: `run.json` is damaged: an entry that its readers need is missing or of the wrong type.
    """
    path = folder / "run.json"
    if not path.exists():
        return None
    way_out = f"It is damaged. Delete that file and run `dabs pretrain --config {folder}`, which trains the run again."
    found = read_object(path, way_out=way_out)
    environment = found.get("environment")
    parts = (
        ("", found, _PROVENANCE_TYPES),
        ("environment.", environment if isinstance(environment, dict) else {}, _ENVIRONMENT_TYPES),
    )
    for prefix, values, kinds in parts:
        for name, kind in kinds.items():
            value = values.get(name)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise DabsError(f"{path}: {prefix}{name} is {short(value)}. {way_out}")
    return found


def why_not_learned(folder: Path) -> str:
    """Return why a complete run did not learn; an empty string if it did."""
    return str((read_provenance(folder) or {}).get("learning", {}).get("reason", ""))


def load_run(run: Path | str) -> tuple[PretrainConfig, dict[str, Any]]:
    """Return the configuration and the provenance of a complete run.

    Args:
        run: its folder, or `hf://USER/NAME[@REVISION]`.

    Raises:
        DabsError: there is no run, it is of another version, or it is not complete.
    """
    folder = local_run(run)
    if not (folder / "config.json").exists():
        raise DabsError(f"{folder} is not a run folder: there is no config.json. Make one with `dabs pretrain`.")
    config, provenance = load_config(folder), read_provenance(folder)
    if provenance is None:
        raise DabsError(f"the run in {folder} is not complete. Run `dabs pretrain --config {folder}` to finish it.")
    return config, provenance


def recorded_config(config: PretrainConfig, provenance: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration that a run's results state.

    The number of processes is added if they computed independent losses, because the run then depends on it.
    """
    stated = asdict(config) | {"domain": domain_label(config.domain)}
    return stated | {name: provenance[name] for name in ("processes_apart",) if name in provenance}


Watch = Callable[[int, int, float, float], None]
"""Called during a run with the steps done, the number of steps, the loss and examples per second."""


@contextmanager
def lock_run_folder(folder: Path, fabric: Fabric) -> Iterator[None]:
    """Lock a run's folder; every process of the run raises a DabsError if another run holds the lock."""
    with ExitStack() as held:
        in_first_process(fabric, lambda: held.enter_context(sole_use(folder)))
        yield


def in_first_process(fabric: Fabric, action: Callable[[], None]) -> None:
    """Do something in the first process while the others wait; each raises a DabsError if it fails there."""
    refusal = None
    if fabric.is_global_zero:
        try:
            action()
        except DabsError as error:
            refusal = str(error)
    refusal = fabric.broadcast(refusal)
    if refusal:
        raise DabsError(refusal)
