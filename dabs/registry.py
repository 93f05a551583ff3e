"""Find domains and algorithms by name, entry point or `path/to/file.py:Class`.

The name of a file is also its name in the registry and on the command line. A file dropped into `algorithms/` or
`domains/` is found without editing a list. An installed package offers its own through the entry-point groups
`dabs.algorithms` and `dabs.domains`.

A domain outside the official suites (`dabs.official`) is a plug-in: a command uses it if it is named, but it is not one
of "all domains".
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
import warnings
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from dabs.config import SUITES
from dabs.errors import DabsError, DabsWarning, RequestError, first_line, unknown
from dabs.official import OFFICIAL_TASKS, is_official
from dabs.source_scan import MAX_SOURCE_BYTES, algorithm_classes
from dabs.utils.files import read_text

if TYPE_CHECKING:
    from dabs.algorithm import Algorithm
    from dabs.data.domain import Domain

T = TypeVar("T")
_PACKAGES = {
    "lite": "dabs.domains",
    "open": "dabs.domains.open",
    "paper": "dabs.domains.paper",
    "paper32": "dabs.domains.paper",
}


def _modules(package: str) -> dict[str, str]:
    """Return the module of each registered name (`package.file`, or that of an entry point); refuse duplicate names."""
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
    """Return the names of the registered algorithms; plug-ins that cannot be imported are left out with a warning."""
    found = _modules("dabs.algorithms")
    return [name for name, target in found.items() if target.startswith("dabs.algorithms.") or _works(name, target)]


def domain_names(suite: str = "lite") -> list[str]:
    """Return the names of all domains of an official suite; plug-ins are not among them.

    Raises:
        RequestError: there is no such suite.
    """
    if suite not in SUITES:
        raise unknown("suite", suite, list(SUITES))
    return list(OFFICIAL_TASKS[suite])


def plugin_names(suite: str = "lite") -> list[str]:
    """Return the names of the registered domains of a suite that are not official.

    Raises:
        RequestError: there is no such suite.
    """
    others = {name: target for name, target in _domain_modules(suite).items() if not is_official(name, suite)}
    return [name for name, target in others.items() if _works(name, target) and _domains_in(target, suite)]


def _works(name: str, target: str) -> bool:
    """Return whether a plug-in can be imported; if not, warn that it is left out."""
    try:
        importlib.import_module(target.partition(":")[0])
    except Exception as error:
        what = f"{type(error).__name__}: {first_line(error)}"
        warnings.warn(
            f"the plug-in {name} ({target}) is left out, because it cannot be imported: {what}", DabsWarning, 3
        )
        return False
    return True


def _domain_modules(suite: str) -> dict[str, str]:
    if suite not in SUITES:
        raise unknown("suite", suite, list(SUITES))
    return _modules(_PACKAGES[suite])


def _domains_in(target: str, suite: str) -> list[Domain]:
    """Return the domains of a suite in a module; a file may hold the same domain for several suites."""
    from dabs.data.domain import Domain

    module = importlib.import_module(target.partition(":")[0])
    return [value for value in vars(module).values() if isinstance(value, Domain) and value.suite == suite]


def is_file_reference(reference: str) -> bool:
    """Return whether an algorithm or a domain is given as a file, such as `path/to/file.py:Class`."""
    return ":" in reference or reference.endswith(".py")


def _load_file(path: Path, kind: str = "algorithm", name: str = "Class") -> ModuleType:
    """Import, and so run, an untrusted file; only commands that say so do this (docs/security.md)."""
    if not path.is_file():
        raise RequestError(
            f"there is no {kind} file {path}. Give {kind.upper()} as a name or as path/to/file.py:{name}."
        )
    spec = importlib.util.spec_from_file_location(f"dabs_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise RequestError(f"{path} is not a Python file. Give {kind.upper()} as path/to/file.py:{name}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look up the module of a class there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        hint = " Save it as UTF-8." if "codec can't decode" in str(error) else ""
        what = f"{type(error).__name__}: {first_line(error)}"
        raise DabsError(f"the {kind} file {path} failed to load: {what}.{hint}") from error
    return module


def _algorithms_of(module: ModuleType) -> dict[str, type[Algorithm]]:
    from dabs.algorithm import Algorithm

    members = inspect.getmembers(module, inspect.isclass)
    return {n: c for n, c in members if issubclass(c, Algorithm) and c.__module__ == module.__name__}


def find_algorithm(reference: str) -> type[Algorithm]:
    """Return the algorithm class of a name or `path/to/file.py:Class`.

    Raises:
        RequestError: there is no such name, file or class.
        DabsError: loading the file raises.
    """
    if is_file_reference(reference):
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
    return _select(classes, wanted, place)


def read_algorithm(reference: str) -> tuple[str, str]:
    """Read the source of a name or `path/to/file.py:Class` without running any of it.

    Returns:
        The name of the class, and the source as `dabs.algorithm.source_of` returns it once the file is loaded.

    Raises:
        RequestError: there is no such name, file or class.
        DabsError: the file cannot be read.
    """
    if is_file_reference(reference):
        place, _, wanted = reference.partition(":")
    else:
        modules = _modules("dabs.algorithms")
        if reference not in modules:
            raise unknown("algorithm", reference, list(modules))
        target, _, wanted = modules[reference].partition(":")
        place = _file_of(target)
    if not Path(place).is_file():
        raise RequestError(
            f"there is no algorithm file {place}. Bring it back, or give ALGORITHM as a name or path/to/file.py:Class."
        )
    text = read_text(Path(place), MAX_SOURCE_BYTES, "An algorithm is one short file of Python.")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n") + "\n"
    name = _select({name: name for name in algorithm_classes(text)}, wanted, place)
    return name, text


def _file_of(module: str) -> str:
    """Return the file of a module, without importing the packages that contain it."""
    parts, path, place = module.split("."), None, ""
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        found = (finder.find_spec(name, path) for finder in sys.meta_path)
        spec = next((one for one in found if one is not None), None)
        if spec is None:
            raise RequestError(f"the module {module}, which offers an algorithm, is not installed.")
        path, place = list(spec.submodule_search_locations or ()), str(spec.origin)
    return place


def _select(classes: Mapping[str, T], wanted: str, place: str) -> T:
    """Return the wanted class, or the only one if none is named."""
    if wanted and wanted not in classes:
        raise unknown("algorithm class", wanted, list(classes), of=place)
    if not wanted and len(classes) != 1:
        names = ", ".join(classes) or "none"
        raise RequestError(f"{place} must define one Algorithm class (found: {names}); name it as {place}:Class.")
    return classes[wanted] if wanted else next(iter(classes.values()))


def algorithm_label(reference: str) -> str:
    """Return what tables and folders call an algorithm: its registry name, or the class name of a stranger's file.

    The file is read, not run. If it cannot be read, its own name stands for the class's.
    """
    path, _, wanted = reference.partition(":")
    if wanted or not path.endswith(".py"):
        return wanted or reference
    try:
        return read_algorithm(reference)[0]
    except DabsError:
        return Path(path).stem


def domain_label(reference: str) -> str:
    """Return what tables and folders call a domain: its registry name, or the name of its file without `.py`."""
    return Path(reference.partition(":")[0]).stem if is_file_reference(reference) else reference


def find_domain(name: str, suite: str = "lite") -> Domain:
    """Return the domain called `name` in a suite, or that of `path/to/file.py:NAME`, whose code is run.

    Raises:
        RequestError: there is no such domain, suite or file.
        DabsError: the file of the domain offers several of that suite, or none.
    """
    if is_file_reference(name):
        return _domain_of_file(name, suite)
    modules = _domain_modules(suite)
    if name not in modules:
        raise unknown("domain", name, list(modules))
    found = _domains_in(modules[name], suite)
    known = domain_names(suite) + plugin_names(suite)
    if not found and name not in known:
        raise unknown("domain", name, known, of=f"the suite {suite}")
    if len(found) != 1:
        raise DabsError(f"{modules[name]} must offer one Domain of the suite {suite!r}; it offers {len(found)}.")
    return found[0]


def _domain_of_file(reference: str, suite: str) -> Domain:
    """Load the domain of `path/to/file.py:NAME`; NAME may be left out if the file offers one domain of the suite."""
    from dabs.data.domain import Domain

    place, _, wanted = reference.partition(":")
    module = _load_file(Path(place), "domain", "NAME")
    text = read_text(Path(place), MAX_SOURCE_BYTES, "A domain is one short file of Python.")
    found = {name: value for name, value in vars(module).items() if isinstance(value, Domain) and value.suite == suite}
    if wanted and wanted not in found:
        raise unknown("domain", wanted, list(found), of=f"{place} (suite {suite})")
    if not wanted and len(found) != 1:
        names = ", ".join(found) or "none"
        raise RequestError(f"{place} must offer one Domain of the suite {suite} (found: {names}); see --suite.")
    domain, label = found[wanted or next(iter(found))], domain_label(reference)
    if domain.name != label:
        raise RequestError(f"the domain in {place} is called {domain.name!r}; name it {label!r}, like its file.")
    if is_official(label, suite):
        raise RequestError(f"{place} has the name of an official domain of {suite}. Rename the file and the domain.")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return dataclasses.replace(domain, reference=reference, source_sha256=digest)
