"""Scan the source of an algorithm for what it may not use, without running it.

The scan finds what is written plainly. It is not a sandbox: code that wants to hide what it does can do so. That is why
the source of a submission is published beside its numbers, and why only a few names are allowed below.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

#: What an algorithm may import. Nothing here opens files by itself or knows a domain.
ALLOWED = (
    "__future__",
    "abc",
    "collections",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "itertools",
    "math",
    "numbers",
    "operator",
    "random",
    "statistics",
    "typing",
    "typing_extensions",
    "warnings",
    "torch",
    "numpy",
    "scipy",
    "einops",
    "lightly.loss",
    "lightly.models.modules",
    "dabs.Algorithm",
    "dabs.Batch",
    "dabs.Encoder",
    "dabs.Image",
    "dabs.Series",
    "dabs.Tokens",
    "dabs.algorithm",
    "dabs.distributed.count_real",
    "dabs.distributed.draw_centred_half",
    "dabs.distributed.draw_order",
    "dabs.distributed.draw_share",
    "dabs.distributed.gather_examples",
    "dabs.distributed.own_examples",
    "dabs.distributed.whole_batch",
    "dabs.encoder",
    "dabs.specs",
    "dabs.errors",
)
#: What messages say about it.
MAY_IMPORT = (
    "An algorithm may import torch, numpy, scipy, einops, lightly.loss, lightly.models.modules, dabs.algorithm, "
    "dabs.encoder, dabs.specs, dabs.errors and parts of the standard library; copy other code into the "
    "file, if its licence allows it (docs/adding-an-algorithm.md)."
)
#: Packages of which only what is in `ALLOWED` may be used, and only functions and classes, no modules.
STRICT = ("dabs", "lightly")
MODULES_BELOW = ("dabs", "lightly", "lightly.models")  # what is imported from these is a module if it has no capital
#: Parts of allowed packages, and built-in functions, that reach files, the network, other code or labels.
#: What the packages in `STRICT` do not offer is refused without being listed here.
REFUSED = (
    *("torch.hub", "torch.load", "torch.save", "torch.from_file", "torch.jit", "torch.package", "torch.serialization"),
    *("torch.distributed", "torch.ops", "torch.classes", "torch.library", "torch.multiprocessing", "torch.export"),
    *("torch.Tensor.set_", "torch.UntypedStorage", "torch.PyTorchFileReader", "torch.PyTorchFileWriter", "torch.onnx"),
    *("torch.fx", "torch.profiler", "torch.autograd.profiler", "torch.testing", "torch.ao", "torch.cuda.tunable"),
    *("numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.fromregex", "numpy.memmap"),
    *("numpy.lib", "numpy.save", "numpy.savez", "numpy.savez_compressed", "numpy.savetxt", "numpy.DataSource"),
    *("numpy.rec", "numpy.core", "numpy.testing", "numpy.ctypeslib", "numpy.f2py"),
    *("scipy.io", "scipy.datasets", "scipy.sparse.load_npz", "scipy.sparse.save_npz", "scipy.LowLevelCallable"),
    *("operator.attrgetter", "operator.methodcaller", "enum.bltns"),
    *("open", "exec", "eval", "compile", "__import__", "globals", "locals", "input", "breakpoint", "vars", "help"),
    *("__builtins__", "__loader__", "__spec__"),
)
#: What may be used of a part of a package of which most is refused.
OFFERED = {"torch.utils": ("checkpoint",)}
#: Attributes that lead to the frames, the code and the classes behind an object, or that run code when it is copied.
INNER = (
    *("__subclasses__", "__globals__", "__builtins__", "__loader__", "__spec__", "__code__", "__closure__", "__self__"),
    *("__dict__", "__getattribute__", "__import__", "__traceback__", "__mro__", "__base__", "__bases__", "__func__"),
    *("__reduce__", "__reduce_ex__", "cell_contents", "gi_frame", "gi_code", "cr_frame", "ag_frame", "tb_frame"),
    *("tb_next", "f_back", "f_locals", "f_globals", "f_builtins", "f_code"),
)
#: Further attributes that are refused of any object: modules that other modules have imported, and writing to files.
HIDDEN = (
    *INNER,
    *("sys", "_sys", "os", "_os", "builtins", "inspect", "importlib", "subprocess", "pathlib", "shutil", "pickle"),
    *("ctypes", "socket", "torch", "np", "from_file", "tofile", "dump", "dumps"),
)
ROOTS = {name.split(".")[0] for name in ALLOWED}
#: Modules of the standard library, refused as parts of others, except names that numpy, scipy and torch use too.
MODULES_INSIDE = sys.stdlib_module_names - ROOTS - {"array", "select", "signal", "trace"}
ATTRIBUTE_FUNCTIONS = ("getattr", "setattr", "delattr")
MAX_SOURCE_BYTES = 1_000_000
MAX_TEXT = 20_000  # characters of all texts in a source together: it brings no data, such as weights or labels
MAX_NUMBERS = 2_000  # in a source
MAX_MEANINGS = 100  # of one name; assignments are followed no further than that

Names = dict[str, set[str]]  # what each name in the source may stand for, such as np -> numpy


@dataclass(frozen=True, kw_only=True)
class Violation:
    """Something in the source that an algorithm may not use."""

    line: int
    what: str  # continues the sentence "the source ..."


def scan(text: str) -> list[Violation]:
    """Return the first use of something refused on each line, in order; a syntax error counts as one."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [Violation(line=error.lineno or 1, what=f"is not Python: {error.msg}")]
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes, or expressions nested too deeply
        return [Violation(line=1, what=f"is not Python: {str(error) or type(error).__name__}")]
    names: Names = {}
    modules: set[str] = set()
    found = [*_imports(tree, names, modules)]
    _rebindings(tree, names)
    found += [*_uses(tree, names), *_modules_and_getattr(tree, names, modules), *_changes(tree, names)]
    found += [*_texts(tree), *_data(tree)]
    first: dict[int, Violation] = {}
    for violation in found:
        first.setdefault(violation.line, violation)
    return [first[line] for line in sorted(first)]


def algorithm_classes(text: str) -> list[str]:
    """Return the names of the classes in a source that derive from `Algorithm` or from another such class in it."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    imports = [alias for node in body if isinstance(node, ast.ImportFrom) for alias in node.names]
    known = {"Algorithm", *(alias.asname for alias in imports if alias.name == "Algorithm" and alias.asname)}
    found = []
    for node in body:
        if isinstance(node, ast.ClassDef) and known & {ast.unparse(base).rpartition(".")[2] for base in node.bases}:
            known.add(node.name)
            found.append(node.name)
    return found


def _imports(tree: ast.AST, names: Names, modules: set[str]) -> Iterator[Violation]:
    """Yield imports that are not allowed; add what imports bind to `names`, and names of modules to `modules`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = {alias.name for alias in node.names}
            bound = [(a.asname, a.name) if a.asname else (a.name.split(".")[0],) * 2 for a in node.names]
            modules |= {name for name, _ in bound}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            wanted = {f"{base}.{alias.name}" for alias in node.names}
            bound = [(alias.asname or alias.name, f"{base}.{alias.name}") for alias in node.names]
            modules |= {name for name, full in bound if base in MODULES_BELOW and full.rpartition(".")[2].islower()}
        else:
            continue
        for name, full in bound:
            names.setdefault(name, set()).add(full)
        for full in sorted(wanted):
            if full.endswith(".*"):
                yield Violation(line=node.lineno, what=f"imports everything of {full[:-2]}; name what it needs")
            elif not _within(full, ALLOWED) or _refused(full) or set(full.split(".")[1:]) & set(HIDDEN):
                yield Violation(line=node.lineno, what=f"imports {full}")


def _rebindings(tree: ast.AST, names: Names) -> None:
    """Add to `names` what plain assignments of imported names and their parts bind, such as `u = torch.utils`."""
    known = -1
    while known < (known := sum(map(len, names.values()))):
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                full = {name for name in _dotted(node.value, names) if name.split(".")[0] in ROOTS}
                for target in targets:
                    if full and isinstance(target, ast.Name) and len(names.get(target.id, ())) < MAX_MEANINGS:
                        names.setdefault(target.id, {target.id}).update(full)


def _uses(tree: ast.AST, names: Names) -> Iterator[Violation]:
    """Yield what is refused under its dotted name, or as an attribute of any object."""
    for node in ast.walk(tree):
        refused = sorted(full for full in _dotted(node, names) if _refused(full))
        if refused:
            yield Violation(line=_line(node), what=f"uses {refused[0]}")
        elif isinstance(node, ast.Attribute) and node.attr in HIDDEN:
            yield Violation(line=node.lineno, what=f"uses {node.attr}")
        elif isinstance(node, ast.MatchClass) and set(node.kwd_attrs) & set(HIDDEN):
            yield Violation(line=_line(node), what=f"uses {min(set(node.kwd_attrs) & set(HIDDEN))}")
        elif isinstance(node, ast.FunctionDef) and node.name in HIDDEN:
            yield Violation(line=node.lineno, what=f"defines {node.name}")


def _changes(tree: ast.AST, names: Names) -> Iterator[Violation]:
    """Yield changes to what the source has imported, or to the class of an object: other code would then run them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            changed, what = node.value, f".{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr"):
            changed, what = (node.args or [node.func])[0], ""
        else:
            continue
        imported = sorted(full for full in _dotted(changed, names) if full.split(".")[0] in ROOTS)
        if imported:
            yield Violation(line=node.lineno, what=f"changes {imported[0]}{what}, which is not its own")
        elif _is_class_of_an_object(changed):
            yield Violation(line=node.lineno, what=f"changes {ast.unparse(changed)}{what}, a class that is not its own")


def _is_class_of_an_object(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "type"
    return isinstance(node, ast.Attribute) and node.attr == "__class__"


def _texts(tree: ast.AST) -> Iterator[Violation]:
    """Yield texts that name an attribute of `INNER`: a format, a match or `setattr` could reach it by its name."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings among them
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            named = set(re.findall(r"\w+", node.value)) & set(INNER)
            if named:
                yield Violation(line=node.lineno, what=f"names {min(named)} in a text")


def _data(tree: ast.AST) -> Iterator[Violation]:
    """Yield a source that brings more data along than an algorithm needs, such as trained weights or labels."""
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    characters = sum(len(value) for value in values if isinstance(value, str | bytes))
    numbers = sum(isinstance(value, int | float | complex) for value in values)
    if characters > MAX_TEXT:
        yield Violation(line=1, what=f"has {characters:,} characters of text; at most {MAX_TEXT:,} are allowed")
    if numbers > MAX_NUMBERS:
        yield Violation(line=1, what=f"has {numbers:,} numbers; at most {MAX_NUMBERS:,} are allowed")


def _modules_and_getattr(tree: ast.AST, names: Names, modules: set[str]) -> Iterator[Violation]:
    """Yield modules that no dot follows, and uses of `getattr` where the scan cannot tell what it returns."""
    plain: set[int] = set()  # the ids of names that a dot follows, and of `getattr` where it is called
    for node in ast.walk(tree):  # outer nodes come first
        if isinstance(node, ast.Attribute):
            plain.add(id(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ATTRIBUTE_FUNCTIONS:
            plain.add(id(node.func))
            if node.func.id != "getattr":  # `_changes` looks at the others
                continue
            name = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else None
            imported = any(full.split(".")[0] in ROOTS for full in _dotted(node.args[0], names)) if node.args else True
            if imported or not isinstance(name, str) or name in HIDDEN:
                what = "uses getattr on a module or with a name that is not plain; use a dot"
                yield Violation(line=node.lineno, what=what)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in plain:
            if node.id in modules:
                yield Violation(line=node.lineno, what=f"uses the module {node.id} as a value; put a dot behind it")
            elif node.id in ATTRIBUTE_FUNCTIONS:
                yield Violation(line=node.lineno, what=f"uses {node.id} as a value")


def _refused(full: str) -> bool:
    """Return whether a dotted name is refused: it is listed, or a part of dabs or lightly that is not offered."""
    parts = full.split(".")
    if _within(full, REFUSED) or (parts[0] in ROOTS and any(map(_is_inside, parts[1:]))):
        return True
    if any(full.startswith(f"{part}.") and parts[part.count(".") + 1] not in of for part, of in OFFERED.items()):
        return True
    if parts[0] not in STRICT or len(parts) == 1:
        return False
    offered = [allowed for allowed in ALLOWED if _within(full, (allowed,))]
    if not offered:
        return not any(allowed.startswith(f"{full}.") for allowed in ALLOWED)
    inner = parts[len(offered[0].split(".")) :]
    if parts[0] == "lightly":  # its classes have capitals, its modules do not
        return bool(inner) and not inner[0][0].isupper()
    return len(parts) > 2 and parts[1].islower() and parts[2] not in _defined_in(parts[1])


def _is_inside(part: str) -> bool:
    """Return whether a part of an imported module is private, or a module of the standard library that it imported.

    Private classes such as `_BatchNorm` and the functions `torch._foreach_*` are in common use.
    """
    private = part.startswith("_") and not part.startswith(("__", "_foreach_"))
    return part in MODULES_INSIDE or (private and not re.match("_[A-Z][a-z]", part))


@lru_cache
def _defined_in(module: str) -> frozenset[str]:
    """Return the names that a file of dabs defines itself, without those that it imports."""
    path = Path(__file__).with_name(f"{module}.py")
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


def _within(name: str, words: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of `words` or a part of one."""
    return any(name == word or name.startswith(f"{word}.") for word in words)


def _dotted(node: ast.AST, names: Names) -> set[str]:
    """Return the meanings of a dotted name, such as numpy.load for `np.load`; none for any other expression."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or (parts and node.id not in names):
        return set()
    return {".".join([root, *reversed(parts)]) for root in names.get(node.id, {node.id})}


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))
