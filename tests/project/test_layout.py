"""The rules of the layout (docs/architecture.md): who may import whom, and where things are."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from dabs.cli import VERBS
from tests.helpers.places import ROOT

# From the ground up: each part imports only from parts before it. Parts of one line do not import each other, except
# within `dabs.utils`, `dabs.config`, `dabs.specs` and `dabs.source_scan`.
ORDER = (
    ("dabs.errors",),
    ("dabs.distributed",),
    ("dabs.utils", "dabs.config", "dabs.specs", "dabs.source_scan", "dabs.official"),
    ("dabs.encoder",),
    ("dabs.algorithm",),
    ("dabs.data",),
    ("dabs.registry",),
    ("dabs.launch",),
    ("dabs.results",),
    ("dabs.training",),
    ("dabs.evaluation",),
    ("dabs.bench",),
    ("dabs.check",),
    ("dabs.grid",),
    ("dabs.cli",),
    ("dabs.leaderboard.tables",),
    ("dabs.leaderboard.submit", "dabs.leaderboard.compare"),
    ("dabs.leaderboard.site",),
    ("dabs.leaderboard.cli",),
    ("dabs.api",),
)
RANK = {part: rank for rank, parts in enumerate(ORDER) for part in parts}
GROUND = ORDER[2]
CONTRACT = ("dabs.algorithm", "dabs.encoder", "dabs.specs", "dabs.distributed", "dabs.errors")
FOR_DOMAINS = ("dabs.data", "dabs.specs", "dabs.errors", "dabs.utils")
SHARED_BY_DOMAINS = tuple(f"dabs.domains.{kind}" for kind in ("sources", "text", "audio", "images", "series"))
TORCH = ("torch", "torchvision", "torchaudio", "lightning_fabric")
OUTSIDE = ("algorithms", "domains", "leaderboard")  # folders beside dabs/, installed as its subpackages


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for top in ("dabs", *OUTSIDE):
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts if top == "dabs" else ("dabs", *parts)).removesuffix(".__init__")
            found[name] = path
    return found


@cache
def imports(module: str) -> tuple[tuple[str, int, bool], ...]:
    """What a module imports, function-level imports included: (name, line, whether it is only for type checking).

    `from a import b` is a.b when that is a module, else a.b as a name in a.
    """
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) in typing_only) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}:{node.lineno} imports relatively"
            found += [(f"{node.module}.{alias.name}", node.lineno, id(node) in typing_only) for alias in node.names]
    return tuple(found)


def under(name: str, parts: tuple[str, ...]) -> bool:
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def part_of(name: str) -> str | None:
    return next((part for part in sorted(RANK, key=len, reverse=True) if under(name, (part,))), None)


def target_of(name: str) -> str:
    """The module that an imported name lies in."""
    return name if name in modules() else name.rpartition(".")[0]


@pytest.mark.parametrize("module", modules())
def test_imports_run_downward_only(module):
    here = part_of(module)
    for name, line, _ in imports(module):
        place = f"{modules()[module].relative_to(ROOT)}:{line} imports {name}"
        assert name.split(".")[0] not in OUTSIDE, f"{place}: it is installed as dabs.{name.split('.')[0]}"
        there = part_of(name)
        if here and there and here != there:
            allowed = RANK[there] < RANK[here] or (here in GROUND and there in GROUND)
            assert allowed, f"{place}, which is above it"
        if module.startswith("dabs.algorithms.") and name.startswith("dabs."):
            assert under(name, CONTRACT), f"{place}: an algorithm imports the author's contract only"
        elif module.startswith("dabs.domains") and name.startswith("dabs."):
            allowed = (*FOR_DOMAINS, *SHARED_BY_DOMAINS)
            assert under(name, allowed), f"{place}: a domain imports data, specs, errors, utils and shared folders only"
        elif here and not here.startswith("dabs.leaderboard"):
            assert not under(name, ("dabs.domains", "dabs.algorithms")), f"{place}: the engine names no domain"
        if here and here.startswith("dabs.leaderboard") and here != "dabs.leaderboard.cli":
            assert name.split(".")[0] not in TORCH, f"{place}: the leaderboard needs no torch"


@pytest.mark.parametrize("module", modules())
def test_no_private_name_crosses_a_module(module):
    for name, line, _ in imports(module):
        private = name.startswith("dabs") and any(w.startswith("_") and not w.endswith("__") for w in name.split("."))
        assert not private, f"{modules()[module]}:{line} imports {name}"


def test_there_is_no_import_cycle():
    graph = {
        module: {target_of(n) for n, _, typing_only in imports(module) if not typing_only} & set(modules()) - {module}
        for module in modules()
    }
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail[trail.index(module) :], module))
        if module in done:
            return
        for other in sorted(graph[module]):
            # a package's __init__ may import its own modules, which then name the package only as their prefix
            if not module.startswith(f"{other}."):
                visit(other, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


LIGHT = [
    "dabs",
    "dabs.api",
    "dabs.cli",
    "dabs.config",
    "dabs.source_scan",
    "dabs.utils.environment",
    "dabs.data.domain",
    "dabs.data.prepared",
    "dabs.launch",
    "dabs.grid.cells",
    *(name for name in modules() if under(name, ("dabs.results",))),
    *(name for name in modules() if under(name, ("dabs.leaderboard",)) and not under(name, ("dabs.leaderboard.cli",))),
]


def test_what_needs_no_torch_loads_none():
    code = f"import sys, importlib\nfor name in {LIGHT!r}:\n    importlib.import_module(name)\n"
    code += f"    assert not set(sys.modules) & {set(TORCH)!r}, name"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_each_verb_is_a_file_of_its_name():
    for verb, (module, _) in VERBS.items():
        assert module.rpartition(".")[2] == verb
        assert module in modules()


def test_one_class_name_means_one_thing():
    found = defaultdict(list)
    for module, path in modules().items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(module)
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


@pytest.mark.parametrize("module", modules())
def test_files_and_functions_are_short_and_say_what_they_are(module):
    path = modules()[module]
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350
    tree = ast.parse(text)
    first, *_ = (ast.get_docstring(tree) or "").splitlines() or [""]
    assert 0 < len(first) <= (120 if module.startswith("dabs.algorithms") else 80), f"{path}: {first!r}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{path}:{node.lineno} {node.name}"


def test_domains_and_paper_hold_domains_only():
    from dabs.registry import domain_names

    for folder, suite in (("domains", "lite"), ("domains/open", "open"), ("domains/paper", "paper")):
        files = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}
        assert files == set(domain_names(suite))


def test_tests_mirror_the_packages():
    assert [path.name for path in (ROOT / "tests").glob("*.py")] in (
        ["__init__.py", "conftest.py"],
        ["conftest.py", "__init__.py"],
    )
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.parent.relative_to(ROOT / "tests")
        mirrored = folder.parts[0] in ("project", "benchmarks") or (ROOT / folder).is_dir()
        assert mirrored, f"{path} tests no folder of the repository"


def test_the_readme_is_short():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("\n") <= 160
    assert not [line for line in text.splitlines() if line.endswith("...")]
