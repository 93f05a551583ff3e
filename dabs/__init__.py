"""DABS, a domain-agnostic benchmark for self-supervised learning.

    import dabs

    run = dabs.pretrain("shed", "sensor")           # or your own file: "my_idea.py:MyIdea"
    results = dabs.evaluate(run)                    # scores on the domain's tasks, with intervals
    features = dabs.load(run).features(recordings)  # of arrays of your own
    dabs.run(["none", "shed"], seeds=3)             # the whole benchmark; returns a table of all results
    dabs.compare("runs").pairs                      # which is better, and how certain that is

What stands here is loaded when it is first used: `import dabs` alone loads no torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dabs import results
    from dabs.algorithm import Algorithm
    from dabs.api import compare, evaluate, evaluate_encoder, load, prepare, pretrain, run
    from dabs.config import PretrainConfig
    from dabs.encoder import Encoder
    from dabs.errors import DabsError
    from dabs.specs import Batch, Image, Series, Tokens

__version__ = "0.1.0"

__all__ = [
    "Algorithm",
    "Batch",
    "DabsError",
    "Encoder",
    "Image",
    "PretrainConfig",
    "Series",
    "Tokens",
    "compare",
    "evaluate",
    "evaluate_encoder",
    "load",
    "prepare",
    "pretrain",
    "results",
    "run",
]

_MODULES = {
    "Algorithm": "dabs.algorithm",
    "Batch": "dabs.specs",
    "DabsError": "dabs.errors",
    "Encoder": "dabs.encoder",
    "Image": "dabs.specs",
    "PretrainConfig": "dabs.config",
    "Series": "dabs.specs",
    "Tokens": "dabs.specs",
    "compare": "dabs.api",
    "evaluate": "dabs.api",
    "evaluate_encoder": "dabs.api",
    "load": "dabs.api",
    "prepare": "dabs.api",
    "pretrain": "dabs.api",
    "run": "dabs.api",
}


def __getattr__(name: str) -> Any:
    if name == "results":
        return importlib.import_module("dabs.results")
    if name not in _MODULES:
        raise AttributeError(f"module 'dabs' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value  # the next use finds it here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
