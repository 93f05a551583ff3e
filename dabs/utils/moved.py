"""Keep import paths of version 0.1 working, with a warning; see CHANGELOG.md."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "dabs.evaluate": "dabs.evaluation.evaluate",
    "dabs.pretrain": "dabs.training.pretrain",
    "dabs.run": "dabs.config",
}


class _MovedModules(MetaPathFinder, Loader):
    """Finder of moved modules under their old names; such a module takes every attribute from the new one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec for a name in `MOVED`, and None for every other name."""
        return importlib.util.spec_from_loader(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Warn, and let the module under the old name take its attributes from the new one."""
        new = MOVED[module.__name__]
        warnings.warn(f"{module.__name__} is now {new}; import that instead", DeprecationWarning, stacklevel=2)

        def attribute(name: str) -> Any:
            return getattr(importlib.import_module(new), name)

        vars(module)["__getattr__"] = attribute


def keep_old_paths() -> None:
    """Let the old paths in `MOVED` be imported. Calling this again changes nothing."""
    if not any(isinstance(finder, _MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(_MovedModules())
