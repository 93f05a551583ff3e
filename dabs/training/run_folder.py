"""The folder of a run: configuration, checkpoints, metrics, encoder, provenance.

RUN/config.json                      the resolved configuration; `--config` replays it
RUN/metrics.csv, RUN/tensorboard/    loss and throughput
RUN/checkpoints/step-00000200/       encoder.safetensors, config.json, training.pt (to resume from)
RUN/encoder/                         the final encoder: encoder.safetensors, config.json
RUN/run.json                         provenance, written last: its presence means the run is complete
"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from lightning_fabric import Fabric

RUN_FORMAT = 2


def load_config(path: Path) -> PretrainConfig:
    """Read a run's configuration from its folder or from its `config.json`."""
    path = path / "config.json" if path.is_dir() else path
    return config_from_json(_read_config_file(path)["pretrain"], path)


def _read_config_file(path: Path) -> dict[str, Any]:
    """Read a `config.json`, which must be of this version."""
    saved = read_object(path)
    if saved.get("format") != RUN_FORMAT or not isinstance(saved.get("identity", {}), dict) or "pretrain" not in saved:
        raise DabsError(
            f"{path} was written by another version of dabs (format {short(saved.get('format'))}, this one reads "
            f"{RUN_FORMAT}). Pretrain again, or use the version that wrote it."
        )
    return saved


def _differences(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> list[str]:
    """Describe how the run in a folder differs from this one; empty if it is the same run or the folder is free."""
    path = folder / "config.json"
    if not path.exists():
        return []
    found = asdict(load_config(path)) | _read_config_file(path).get("identity", {})
    wanted = json.loads(json.dumps(asdict(config))) | identity  # as read back from JSON: tuples become lists
    names = [name for name in found | wanted if found.get(name) != wanted.get(name)]
    return [f"{name} is {short(found.get(name))} there and {short(wanted.get(name))} here" for name in names]


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
    if different:
        raise DabsError(
            f"the folder {folder} holds a run with another configuration: {'; '.join(different)}. "
            "Give another folder with --out, or delete this one."
        )


def claim_folder(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> None:
    """Record in a free folder which run it holds; call `check_folder` first."""
    if not (folder / "config.json").exists():
        write_json(folder / "config.json", {"format": RUN_FORMAT, "pretrain": asdict(config), "identity": identity})


def default_folder(config: PretrainConfig, label: str, root: Path = Path("runs")) -> Path:
    """Return ROOT/SUITE/LABEL/DOMAIN/seedN, for example runs/lite/shed/sensor/seed0."""
    return root / config.suite / label / domain_label(config.domain) / f"seed{config.seed}"


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
    found = read_object(path)
    environment = found.get("environment")
    parts = (
        ("", found, _PROVENANCE_TYPES),
        ("environment.", environment if isinstance(environment, dict) else {}, _ENVIRONMENT_TYPES),
    )
    for prefix, values, kinds in parts:
        for name, kind in kinds.items():
            value = values.get(name)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise DabsError(
                    f"{path} is damaged: {prefix}{name} is {short(value)}. Delete {folder} and pretrain again."
                )
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
        refusal = None
        if fabric.is_global_zero:
            try:
                held.enter_context(sole_use(folder))
            except DabsError as error:
                refusal = str(error)
        refusal = fabric.broadcast(refusal)
        if refusal:
            raise DabsError(refusal)
        yield
