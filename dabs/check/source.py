"""What an algorithm's source may use: a scan of its text, without running it and without torch.

It finds what is written plainly. Code that wants to hide what it does can; that is why a submission's source is
published beside its numbers, and why the names below are few.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

#: Packages an algorithm may import. Nothing here opens files by itself or knows a domain.
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
    "dabs.algorithm",
    "dabs.distributed.gather_examples",
    "dabs.distributed.own_examples",
    "dabs.distributed.whole_batch",
    "dabs.encoder",
    "dabs.specs",
    "dabs.errors",
)
#: Parts of allowed packages, and built-in functions, that reach files, the network, other code or labels.
REFUSED = (
    *("torch.hub", "torch.load", "torch.save", "torch.from_file", "torch.jit", "torch.package", "torch.serialization"),
    *("torch.utils.data", "torch.utils.model_zoo", "torch.utils.cpp_extension", "torch.distributed", "torch.ops"),
    *("torch.classes", "torch.library", "torch.multiprocessing", "torch.Tensor.set_", "torch.UntypedStorage"),
    *("numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.memmap", "numpy.lib", "numpy.save"),
    *("numpy.savez", "numpy.ctypeslib", "numpy.f2py", "scipy.io", "scipy.datasets"),
    *("dabs.encoder.load_encoder", "dabs.encoder.save_encoder", "dabs.encoder.Path", "dabs.encoder.json"),
    *("open", "exec", "eval", "compile", "__import__", "globals", "input", "breakpoint", "vars"),
)
#: Attributes that lead out of the objects an algorithm is given.
HIDDEN = ("__subclasses__", "__globals__", "__builtins__", "__loader__", "__spec__", "__code__", "f_back", "tb_frame")


@dataclass(frozen=True, kw_only=True)
class Use:
    """Something in the source that an algorithm may not use."""

    line: int
    what: str


def scan(text: str) -> list[Use]:
    """Every use of something refused, in the order of lines; a syntax error is one too."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [Use(line=error.lineno or 1, what=f"is not Python: {error.msg}")]
    names: dict[str, str] = {}  # what a name in the source stands for, e.g. np -> numpy
    found = [*_imports(tree, names)]
    for node in ast.walk(tree):
        full = _dotted(node, names)
        if full is not None and _within(full, REFUSED):
            found.append(Use(line=_line(node), what=f"uses {full}"))
        elif isinstance(node, ast.Attribute) and node.attr in HIDDEN:
            found.append(Use(line=node.lineno, what=f"uses {node.attr}"))
    first: dict[int, Use] = {}
    for use in found:
        first.setdefault(use.line, use)
    return [first[line] for line in sorted(first)]


def _imports(tree: ast.AST, names: dict[str, str]) -> Iterator[Use]:
    """Imports that are not allowed; the names that imports bind are added to `names`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
            names |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            modules = [f"{base}.{alias.name}" for alias in node.names]
            names |= {alias.asname or alias.name: f"{base}.{alias.name}" for alias in node.names}
        else:
            continue
        for module in modules:
            if module.endswith(".*"):
                yield Use(line=node.lineno, what=f"imports everything of {module[:-2]}; name what it needs")
            if not _within(module, ALLOWED) or _within(module, REFUSED):
                yield Use(line=node.lineno, what=f"imports {module}")


def _within(name: str, words: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of some others or a part of one."""
    return any(name == word or name.startswith(f"{word}.") for word in words)


def _dotted(node: ast.AST, names: dict[str, str]) -> str | None:
    """`np.load` as numpy.load; None for what is no plain chain of names."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or (parts and node.id not in names):
        return None
    return ".".join([names.get(node.id, node.id), *reversed(parts)])


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 1))
