"""Import scripts of benchmarks/, which is not a package."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.helpers.places import ROOT


def load_benchmark(name: str) -> ModuleType:
    """Import and return benchmarks/NAME.py, which may import its neighbours."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return module
