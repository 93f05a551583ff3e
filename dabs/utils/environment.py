"""The environment of a run: versions, hardware and the state of the checkout."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from dabs import __version__

NO_CHECKOUT = "not a git checkout"  # recorded as the commit if there is none
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


@lru_cache(maxsize=1)
def environment() -> dict[str, Any]:
    """Return versions, hardware and the git state of this package: what it takes to trust or repeat a number."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": torch.cuda.get_device_name() if cuda else processor_name(),
        "cores": os.cpu_count() or 1,
        "device": "cuda" if cuda else "cpu",
        "versions": {name: importlib.metadata.version(name) for name in (*PACKAGES, *_also_imported())},
        "dabs_version": __version__,
        **git_state(),
    }


def _also_imported() -> list[str]:
    """Return the optional packages whose code an algorithm of this process uses."""
    return [name for name in ("lightly",) if name in sys.modules]


def usable_cores() -> int:
    """Return how many cores this process may use: fewer than the machine has under taskset or a batch system."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """Return the name of the processor, as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def git_state() -> dict[str, Any]:
    """Return the commit that this code is from, and whether it was changed since.

    In a checkout, git knows. A copy that was installed from a wheel holds the commit that the wheel was built from.
    """

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return result.stdout.strip() if result.returncode == 0 else None

    # a virtual environment may be inside another project's repository, whose commit says nothing about this code
    ours = git("ls-files", "--error-unmatch", Path(__file__).name) is not None
    commit = git("rev-parse", "HEAD") if ours else None
    if commit is None:
        return _state_of_installed_copy(Path(__file__).parents[1])
    return {"git_commit": commit, "git_dirty": bool(git("status", "--porcelain", "-uno"))}


def _state_of_installed_copy(package: Path) -> dict[str, Any]:
    """Return the commit that a wheel was built from, and whether a source file is no longer that of the wheel."""
    unknown = {"git_commit": NO_CHECKOUT, "git_dirty": False}
    try:
        installed = importlib.metadata.distribution("dabs")
        built = json.loads((package / "built_from.json").read_text(encoding="utf-8"))
        if Path(str(installed.locate_file("dabs"))).resolve() != package.resolve():
            return unknown  # another copy is installed than the one that runs
        commit, dirty = str(built["git_commit"]), bool(built["git_dirty"])
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, LookupError, TypeError):
        return unknown
    return {"git_commit": commit, "git_dirty": dirty or any(_is_changed(file) for file in installed.files or ())}


def _is_changed(file: importlib.metadata.PackagePath) -> bool:
    """Return whether a source file of an installed package is missing or does not have its recorded hash."""
    if file.suffix != ".py" or file.hash is None:
        return False
    try:
        digest = hashlib.new(file.hash.mode, file.read_binary()).digest()
    except (OSError, ValueError):
        return True
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value


def peak_memory(device: str) -> int:
    """Return the peak memory in bytes: of the GPU on "cuda", else the largest resident size of this process."""
    import torch

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
