"""A run's folder: configuration, checkpoints, metrics, provenance.

RUN/config.json                      the resolved configuration; `--config` replays it
RUN/metrics.csv, RUN/tensorboard/    loss and throughput
RUN/checkpoints/step-00000200/       encoder.safetensors, config.json, training.pt (to resume from)
RUN/encoder/                         the final encoder: encoder.safetensors, config.json
RUN/run.json                         provenance, written last: its presence means the run is complete
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from dabs import __version__
from dabs.errors import DabsError, RequestError
from dabs.registry import Suite
from dabs.utils.files import read_object, short, write_json

RUN_FORMAT = 1
NO_CHECKOUT = "not a git checkout"  # stands for the commit where there is none
PACKAGES = (
    "torch",
    "torchvision",
    "torchaudio",
    "lightning-fabric",
    "datasets",
    "numpy",
    "scikit-learn",
    "safetensors",
)


EncoderSize = Literal["auto", "small", "paper", "large"]
Precision = Literal["auto", "fp32", "bf16"]
Protocol = Literal["linear", "knn", "finetune"]  # how an encoder is read
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What defines a run beside its algorithm and domain: equal values on one machine give equal numbers."""

    suite: Suite = "lite"  # which data
    encoder: EncoderSize = "auto"  # its sizes; auto: small in lite, paper in paper
    seed: int = 0  # of the initial weights, the order of examples and every draw
    steps: int = 0  # optimiser steps; 0 takes the domain's standard budget
    batch_size: int = 0  # examples a step; 0 takes the domain's standard budget
    accumulate: int = 1  # compute a batch in so many parts, in less memory; negatives then come from a part
    lr: float = 0.0  # peak of AdamW's warm-up and cosine schedule; 0 takes the encoder's (small 3e-3, others 1e-4)
    weight_decay: float = 1e-4  # of AdamW, on all parameters
    precision: Precision = "auto"  # auto: bf16 autocast where the machine has it and it is faster
    compile: bool = False  # torch.compile of the encoder's blocks; on a CPU it pays only in long runs of a small one


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Training):
    """A pretraining run."""

    algorithm: str  # a registered name, or path/to/file.py:Class
    domain: str  # a registered name
    options: dict[str, Any] = field(default_factory=dict)  # the algorithm's own hyper-parameters

    def __post_init__(self) -> None:
        lowest = {"seed": 0, "steps": 0, "batch_size": 0, "accumulate": 1, "lr": 0.0, "weight_decay": 0.0}
        for name, low in lowest.items():
            if not getattr(self, name) >= low:
                raise RequestError(f"{name} must be at least {low}, not {getattr(self, name)}")
        if self.batch_size == 1:
            raise RequestError("batch_size must be at least 2: contrastive objectives need another example")
        hints = get_type_hints(PretrainConfig)
        for name in ("suite", "encoder", "precision"):
            if getattr(self, name) not in get_args(hints[name]):
                allowed = ", ".join(get_args(hints[name]))
                raise RequestError(f"{name} must be one of {allowed}, not {short(getattr(self, name))}")


def config_from_json(values: Any, where: Path) -> PretrainConfig:
    """A configuration from plain values.

    Raises:
        RequestError: they are no object, or a key is unknown, missing, of another type or not allowed; the message
            names the file.
    """
    if not isinstance(values, dict):
        raise RequestError(f"{where}: the configuration must be an object, not {short(values)}.")
    hints = get_type_hints(PretrainConfig)
    known = [f.name for f in fields(PretrainConfig)]
    for key, value in values.items():
        if key not in known:
            raise RequestError(f"{where}: unknown key {short(key)}; known: {', '.join(known)}.")
        wanted = dict if key == "options" else str if get_origin(hints[key]) is Literal else hints[key]
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise RequestError(f"{where}: {key} must be {wanted.__name__}, not {short(value)}.")
    missing = {"algorithm", "domain"} - set(values)
    if missing:
        raise RequestError(f"{where}: {', '.join(sorted(missing))} missing.")
    try:
        return PretrainConfig(**values)
    except RequestError as error:
        raise RequestError(f"{where}: {error}.") from error


def load_config(path: Path) -> PretrainConfig:
    """Read a saved `config.json` (or a run folder that holds one)."""
    path = path / "config.json" if path.is_dir() else path
    return config_from_json(_saved(path)["pretrain"], path)


def _saved(path: Path) -> dict[str, Any]:
    """The content of a `config.json` of this version."""
    saved = read_object(path)
    if saved.get("format") != RUN_FORMAT or not isinstance(saved.get("identity", {}), dict) or "pretrain" not in saved:
        raise DabsError(
            f"{path} was written by another version of dabs (format {short(saved.get('format'))}, this one reads "
            f"{RUN_FORMAT}). Pretrain again, or use the version that wrote it."
        )
    return saved


def _differences(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> list[str]:
    """How the run in a folder differs from this one, a text each; nothing when it is the same or the folder is free."""
    path = folder / "config.json"
    if not path.exists():
        return []
    found = asdict(load_config(path)) | _saved(path).get("identity", {})
    wanted = json.loads(json.dumps(asdict(config))) | identity  # as JSON gives it back: tuples become lists
    names = [name for name in found | wanted if found.get(name) != wanted.get(name)]
    return [f"{name} is {short(found.get(name))} there and {short(wanted.get(name))} here" for name in names]


def check_folder(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> None:
    """Make sure that a folder is free or holds this very run.

    Args:
        folder: the run's.
        config: resolved.
        identity: hashes of the algorithm's source and of the data, which are part of what a run is.

    Raises:
        DabsError: the folder holds a run of another configuration, source, data or version.
    """
    different = _differences(folder, config, identity)
    if different:
        raise DabsError(
            f"the folder {folder} holds a run of another configuration: {'; '.join(different)}. "
            "Give another folder with --out, or delete this one."
        )


def claim_folder(folder: Path, config: PretrainConfig, identity: dict[str, Any]) -> None:
    """Write down whose run a checked folder holds."""
    if not (folder / "config.json").exists():
        write_json(folder / "config.json", {"format": RUN_FORMAT, "pretrain": asdict(config), "identity": identity})


def default_folder(config: PretrainConfig, label: str, root: Path = Path("runs")) -> Path:
    """runs/lite/shed/sensor/seed0: one folder a suite, algorithm, domain and seed."""
    return root / config.suite / label / config.domain / f"seed{config.seed}"


NUMBER = (int, float)
_RECORDED: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("label", "algorithm_sha256", "data_sha256", "weights_sha256"), str),
    **dict.fromkeys(("steps", "examples_seen", "peak_memory_bytes", "parameters"), int),
    **dict.fromkeys(("wall_seconds", "final_loss"), NUMBER),
    "environment": dict,
}
_SURROUNDED_BY = {"git_commit": str, "git_dirty": bool, "dabs_version": str, "versions": dict}


def completed(folder: Path) -> dict[str, Any] | None:
    """The provenance of a complete run, or None when it is not complete.

    Raises:
        DabsError: `run.json` is damaged: not an object with the entries that readers of it use.
    """
    path = folder / "run.json"
    if not path.exists():
        return None
    found = read_object(path)
    environment = found.get("environment")
    parts = (
        ("", found, _RECORDED),
        ("environment.", environment if isinstance(environment, dict) else {}, _SURROUNDED_BY),
    )
    for prefix, values, kinds in parts:
        for name, kind in kinds.items():
            value = values.get(name)
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise DabsError(
                    f"{path} is damaged: {prefix}{name} is {short(value)}. Delete {folder} and pretrain again."
                )
    return found


def load_run(folder: Path) -> tuple[PretrainConfig, dict[str, Any]]:
    """The configuration and provenance of a complete run.

    Raises:
        DabsError: no run is there, it is of another version, or not complete.
    """
    if not (folder / "config.json").exists():
        raise DabsError(f"{folder} is not a run folder: there is no config.json. Make one with `dabs pretrain`.")
    config, provenance = load_config(folder), completed(folder)
    if provenance is None:
        raise DabsError(f"the run in {folder} is not complete. Run `dabs pretrain --config {folder}` to finish it.")
    return config, provenance


def recorded_config(config: PretrainConfig, provenance: dict[str, Any]) -> dict[str, Any]:
    """The configuration that a run's results state: of one on several processes that did not gather, also how many.

    Results of whole batches say nothing of parts, as those say nothing that were made before there were any.
    """
    stated = {name: value for name, value in asdict(config).items() if (name, value) != ("accumulate", 1)}
    return stated | {name: provenance[name] for name in ("processes_apart",) if name in provenance}


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Versions, hardware and the git state of this package: what a reader needs to trust or repeat a number."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": torch.cuda.get_device_name() if cuda else processor_name(),
        "cores": os.cpu_count() or 1,
        "device": "cuda" if cuda else "cpu",
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "dabs_version": __version__,
        **_git_state(),
    }


def processor_name() -> str:
    """What the system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git_state() -> dict[str, Any]:
    """The commit of the checkout that holds this very file; an installed copy has none, wherever it lies."""

    def _git(*arguments: str) -> str | None:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return result.stdout.strip() if result.returncode == 0 else None

    # a virtual environment may lie in another project's repository, whose commit says nothing about this code
    ours = _git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    commit = _git("rev-parse", "HEAD") if ours else None
    dirty = commit is not None and bool(_git("status", "--porcelain", "-uno"))
    return {"git_commit": commit or NO_CHECKOUT, "git_dirty": dirty}


def peak_memory(device: str) -> int:
    """Bytes: of the GPU where one is used, else the process's largest resident size so far."""
    import torch

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


Watch = Callable[[int, int, float, float], None]
"""Called while a run goes on with the step, the number of steps, the loss and examples per second."""
