"""How a domain or an algorithm is found: by name in its package, by entry point, or as `path/to/file.py:Class`.

File name = registry name = command-line word. A file dropped into `algorithms/` or `domains/` is found without editing
a list; an installed package offers its own through the entry-point groups `dabs.algorithms` and `dabs.domains`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from dabs.config import SUITES
from dabs.errors import DabsError, RequestError, unknown
from dabs.source_scan import MOST_SOURCE, written_algorithms
from dabs.utils.files import text_of

if TYPE_CHECKING:
    from dabs.algorithm import Algorithm
    from dabs.data.domain import Domain

T = TypeVar("T")
_PACKAGES = {"lite": "dabs.domains", "paper": "dabs.domains.paper", "paper32": "dabs.domains.paper"}


def _modules(package: str) -> dict[str, str]:
    """Registry name -> module path (`package.file`, or an entry point's module), refusing two with one name."""
    where = importlib.import_module(package)
    kind = package.split(".")[1]
    files = [m.name for m in pkgutil.iter_modules(where.__path__) if not (m.name.startswith("_") or m.ispkg)]
    found = {name: f"{package}.{name}" for name in files}
    for point in entry_points(group=package):
        if point.name in found and found[point.name] != point.value:
            raise RequestError(
                f"two {kind} are called {point.name!r}: {found[point.name]} and {point.value}. Rename one of them."
            )
        found[point.name] = point.value
    return dict(sorted(found.items()))


def algorithm_names() -> list[str]:
    """The registered algorithms, by name."""
    return list(_modules("dabs.algorithms"))


def domain_names(suite: str = "lite") -> list[str]:
    """The domains that a suite has, by name.

    Raises:
        RequestError: no such suite.
    """
    modules = _domain_modules(suite)
    if list(_PACKAGES.values()).count(_PACKAGES[suite]) == 1:
        return list(modules)
    return [name for name, target in modules.items() if _offered(target, suite)]


def _domain_modules(suite: str) -> dict[str, str]:
    if suite not in SUITES:
        raise unknown("suite", suite, list(SUITES))
    return _modules(_PACKAGES[suite])


def _offered(target: str, suite: str) -> list[Domain]:
    """The domains of a suite in a module; a file may hold the same domain for several suites."""
    from dabs.data.domain import Domain

    module = importlib.import_module(target.partition(":")[0])
    return [value for value in vars(module).values() if isinstance(value, Domain) and value.suite == suite]


def _load_file(path: Path) -> ModuleType:
    """Run a stranger's algorithm file as a module: for `check`, `pretrain`, `run` and `reproduce --trust` alone."""
    if not path.is_file():
        raise RequestError(f"there is no algorithm file {path}. Give ALGORITHM as a name or as path/to/file.py:Class.")
    spec = importlib.util.spec_from_file_location(f"dabs_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise RequestError(f"{path} is not a Python file. Give ALGORITHM as path/to/file.py:Class.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickling look a class's module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DabsError(f"the algorithm file {path} failed to load: {type(error).__name__}: {error}") from error
    return module


def _algorithms_of(module: ModuleType) -> dict[str, type[Algorithm]]:
    from dabs.algorithm import Algorithm

    members = inspect.getmembers(module, inspect.isclass)
    return {n: c for n, c in members if issubclass(c, Algorithm) and c.__module__ == module.__name__}


def find_algorithm(reference: str) -> type[Algorithm]:
    """The algorithm class behind a name or `path/to/file.py:Class`.

    Raises:
        RequestError: no such name, file or class.
        DabsError: the file raises while it is loaded.
    """
    if ":" in reference or reference.endswith(".py"):
        path, _, wanted = reference.partition(":")
        classes = _algorithms_of(_load_file(Path(path)))
        place = path
    else:
        modules = _modules("dabs.algorithms")
        if reference not in modules:
            raise unknown("algorithm", reference, list(modules))
        target, _, wanted = modules[reference].partition(":")
        classes = _algorithms_of(importlib.import_module(target))
        place = target
    return _picked(classes, wanted, place)


def read_algorithm(reference: str) -> tuple[str, str]:
    """The class behind a name or `path/to/file.py:Class` and the text of its file, of which nothing is run.

    Returns:
        The class's name, and the source as `dabs.algorithm.source_of` gives it once it is loaded.

    Raises:
        RequestError: no such name, file or class.
        DabsError: the file cannot be read.
    """
    if ":" in reference or reference.endswith(".py"):
        place, _, wanted = reference.partition(":")
    else:
        modules = _modules("dabs.algorithms")
        if reference not in modules:
            raise unknown("algorithm", reference, list(modules))
        target, _, wanted = modules[reference].partition(":")
        place = _file_of(target)
    if not Path(place).is_file():
        raise RequestError(f"there is no algorithm file {place}. Give ALGORITHM as a name or as path/to/file.py:Class.")
    text = text_of(Path(place), MOST_SOURCE, "An algorithm is one short file of Python.")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n") + "\n"
    kind = _picked({name: name for name in written_algorithms(text)}, wanted, place)
    return kind, text


def _file_of(module: str) -> str:
    """The file of a module, found without importing the packages that it lies in."""
    parts, path, place = module.split("."), None, ""
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        found = (finder.find_spec(name, path) for finder in sys.meta_path)
        spec = next((one for one in found if one is not None), None)
        if spec is None:
            raise RequestError(f"the module {module}, which offers an algorithm, is not installed.")
        path, place = list(spec.submodule_search_locations or ()), str(spec.origin)
    return place


def _picked(classes: Mapping[str, T], wanted: str, place: str) -> T:
    """The class that is wanted, or the only one."""
    if wanted and wanted not in classes:
        raise unknown("algorithm class", wanted, list(classes), of=place)
    if not wanted and len(classes) != 1:
        names = ", ".join(classes) or "none"
        raise RequestError(f"{place} must define one Algorithm class (found: {names}); name it as {place}:Class.")
    return classes[wanted] if wanted else next(iter(classes.values()))


def algorithm_label(reference: str) -> str:
    """The word that names an algorithm in tables and folders: the registry name, or the class of a stranger's file."""
    path, _, wanted = reference.partition(":")
    return (wanted or Path(path).stem) if path.endswith(".py") else reference


def find_domain(name: str, suite: str = "lite") -> Domain:
    """The domain called `name` in a suite.

    Raises:
        RequestError: no such domain or suite.
    """
    modules = _domain_modules(suite)
    if name not in modules:
        raise unknown("domain", name, list(modules))
    offered = _offered(modules[name], suite)
    if not offered and name not in domain_names(suite):
        raise unknown("domain", name, domain_names(suite), of=f"the suite {suite}")
    if len(offered) != 1:
        raise DabsError(f"{modules[name]} must offer one Domain of the suite {suite!r}; it offers {len(offered)}.")
    return offered[0]
