"""The environment of a run: versions, hardware and the state of the checkout."""

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


def processor_name() -> str:
    """Return the name of the processor, as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def git_state() -> dict[str, Any]:
    """Return the commit of the checkout that contains this file; an installed copy has none, wherever it is."""

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
    dirty = commit is not None and bool(git("status", "--porcelain", "-uno"))
    return {"git_commit": commit or NO_CHECKOUT, "git_dirty": dirty}


def peak_memory(device: str) -> int:
    """Return the peak memory in bytes: of the GPU on "cuda", else the largest resident size of this process."""
    import torch

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
