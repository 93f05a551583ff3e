"""Versions, hardware and the state of the checkout: what a number was computed with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from dabs import __version__

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
        **git_state(),
    }


def processor_name() -> str:
    """What the system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def git_state() -> dict[str, Any]:
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
