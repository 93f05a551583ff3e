"""Each check of `dabs check` finds an algorithm that breaks its promise, and names the line."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from dabs.check.suite import Finding, all_checks, run_checks
from dabs.registry import find_algorithm
from dabs.source_scan import scan
from tests.helpers.places import ROOT
from tests.project.test_layout import CONTRACT, modules

HEAD = """
import math
import random
import torch
from torch import Tensor, nn
from dabs.algorithm import Algorithm


class Broken(Algorithm):
    \"\"\"Predicts embeddings from their neighbours, with one mistake.\"\"\"

    def __init__(self, encoder, *, rate: float = 0.5):
        super().__init__(encoder)
        self.head = nn.Linear(encoder.width, encoder.width)
        self.set_up(encoder)

    def set_up(self, encoder):
        pass

    def error(self, encoder, batch):
        x = encoder.embed(batch.inputs)
        target = nn.functional.layer_norm(x.detach(), x.shape[-1:])
        noisy = x + 0.1 * torch.randn_like(x)
        error = (self.head(encoder.encode(noisy, batch.mask)[:, 1:]) - target).square().mean(dim=2)
        mask = torch.ones_like(error) if batch.mask is None else batch.mask
        return (error * mask).sum() / mask.sum()

    def loss(self, encoder, batch):
        return {"loss": self.error(encoder, batch)}

"""

# the check's name, a part of the reason, and the methods that replace those above; `# HERE` marks the line it names
BROKEN = {
    "not built": ("builds", "ZeroDivisionError", "def set_up(self, encoder):\n    1 / 0  # HERE"),
    "no default": (
        "builds",
        "'share' needs a type and a default",
        "def __init__(self, encoder, *, share):  # HERE\n    super().__init__(encoder)",
    ),
    "not finite": (
        "finite loss",
        "'loss' is nan",
        "def loss(self, encoder, batch):  # HERE\n    return {'loss': self.error(encoder, batch) * math.nan}",
    ),
    "a vector": (
        "finite loss",
        "Broken.loss returned a tensor of shape (6,) as 'loss', which must be a scalar: take its mean",
        "def loss(self, encoder, batch):  # HERE\n    return {'loss': encoder(batch).sum(1)}",
    ),
    "no dictionary": (
        "finite loss",
        "Broken.loss returned a tensor of shape (); return a dictionary",
        "def loss(self, encoder, batch):  # HERE\n    return self.error(encoder, batch)",
    ),
    "nothing": (
        "finite loss",
        'Broken.loss returned None, not a dictionary with the scalar tensor "loss"',
        "def loss(self, encoder, batch):  # HERE\n    self.error(encoder, batch)",
    ),
    "another key": (
        "finite loss",
        "a dictionary of 'objective', but what is to be minimised must be called \"loss\"",
        "def loss(self, encoder, batch):  # HERE\n    return {'objective': self.error(encoder, batch)}",
    ),
    "a number": (
        "finite loss",
        "as 'accuracy', which must be a scalar tensor",
        "def loss(self, encoder, batch):  # HERE\n    return {'loss': self.error(encoder, batch), 'accuracy': 0.5}",
    ),
    "no gradient at all": (
        "finite loss",
        "a loss without a gradient: it depends on no parameter",
        "def loss(self, encoder, batch):  # HERE\n    return {'loss': self.error(encoder, batch).detach()}",
    ),
    "a positional hyper-parameter": (
        "builds",
        "'share' must be keyword-only. Write `*` before it: def __init__(self, encoder, *, share: ...)",
        "def __init__(self, encoder, share: float = 0.5):  # HERE\n    super().__init__(encoder)",
    ),
    "any hyper-parameter": (
        "builds",
        "__init__ takes **options. Name its hyper-parameters",
        "def __init__(self, encoder, **options):  # HERE\n    super().__init__(encoder)",
    ),
    "detached": (
        "gradients reach the encoder",
        "no gradient reaches cls, positions, embeddings.0",
        "def loss(self, encoder, batch):  # HERE\n    h = encoder(batch).detach()\n"
        "    return {'loss': self.head(h).square().mean()}",
    ),
    "only embeddings": (
        "gradients reach the encoder",
        "no gradient reaches cls, positions, blocks.0",
        "def loss(self, encoder, batch):  # HERE\n    return {'loss': encoder.embed(batch.inputs).square().mean()}",
    ),
    "constant": (
        "loss falls",
        "in 120 steps on one batch the loss went from",
        "def loss(self, encoder, batch):  # HERE\n    e = self.error(encoder, batch)\n"
        "    return {'loss': e - e.detach() + 1}",
    ),
    "a constant answer of something else": (
        "constant answer",
        "'score' of constant_answer is not in what loss returns: loss",
        "def constant_answer(self, batch):  # HERE\n    return {'loss': 0.5, 'score': 0.5}",
    ),
    "no number": (
        "constant answer",
        "'loss' of constant_answer is nan",
        "def constant_answer(self, batch):  # HERE\n    return {'loss': math.nan}",
    ),
    "a constant answer that is too easy": (
        "constant answer",
        "as 'loss', which is better than the 1000 of constant_answer",
        "def constant_answer(self, batch):  # HERE\n    return {'loss': 1000.0}",
    ),
    "no dictionary of constants": (
        "constant answer",
        "must return a dictionary, not float",
        "def constant_answer(self, batch):  # HERE\n    return 0.5",
    ),
    "three examples": (
        "batch sizes 2 and 7",
        "batch of 2: 'loss' is nan",
        "def loss(self, encoder, batch):  # HERE\n    return {'loss': encoder(batch)[1:].std(dim=0).mean()}",
    ),
    "an even batch": (
        "batch sizes 2 and 7",
        "batch of 7: RuntimeError",
        "def loss(self, encoder, batch):\n    a, b = encoder(batch).reshape(2, -1, 32)  # HERE\n"
        "    return {'loss': (a - b).square().mean()}",
    ),
    "unseeded": (
        "determinism",
        "in a second run with the same seed; draw from torch's global generator",
        "def loss(self, encoder, batch):  # HERE\n    own = torch.Generator()\n    own.seed()\n"
        "    return {'loss': self.error(encoder, batch) * (1 + torch.rand((), generator=own))}",
    ),
    "a hidden counter": (
        "state round trip",
        "something it depends on is neither a parameter nor a buffer",
        "def set_up(self, encoder):\n    self.count = 0\n\n"
        "def after_step(self, encoder, step):\n    self.count += 1\n\n"
        "def loss(self, encoder, batch):\n    return {'loss': self.error(encoder, batch) * (1 + self.count)}",
    ),
    "state that pickle refuses": (
        "state round trip",
        "",
        "def get_extra_state(self):\n    return (lambda: 1)\n\ndef set_extra_state(self, state):\n    pass",
    ),
    "its own generator": (
        "resume",
        "the losses after resuming are",
        "def set_up(self, encoder):\n    self.own = torch.Generator().manual_seed(1)\n\n"
        "def loss(self, encoder, batch):\n"
        "    return {'loss': self.error(encoder, batch) * (1 + torch.rand((), generator=self.own))}",
    ),
    "a teacher moved in the loss": (
        "accumulation",
        "loss changes teacher.weight, which would happen once per part under --accumulate; change it in after_step",
        "def set_up(self, encoder):\n    self.teacher = nn.Linear(4, 4).requires_grad_(False)\n\n"
        "def loss(self, encoder, batch):  # HERE\n    self.teacher.weight.data.mul_(0.9)\n"
        "    return {'loss': self.error(encoder, batch)}",
    ),
    "parts of three": (
        "accumulation",
        "RuntimeError",
        "def loss(self, encoder, batch):\n    pairs = encoder(batch).reshape(-1, 2, 32)  # HERE\n"
        "    return {'loss': self.head(pairs).square().mean()}",
    ),
    "padding counted": (
        "padding invariance",
        "leave out the positions where batch.mask",
        "def error(self, encoder, batch):\n    return encoder.encode(encoder.embed(batch.inputs)).square().mean()",
    ),
    "labels asked for": (
        "no labels",
        "it reads batch.label",
        "def loss(self, encoder, batch):\n"
        "    if getattr(batch, 'label') is not None:  # HERE\n        return {'loss': encoder(batch).sum()}\n"
        "    return {'loss': self.error(encoder, batch)}",
    ),
    "labels by a detour": (
        "no labels",
        "with labels in the batch",
        "def loss(self, encoder, batch):  # HERE\n    import dataclasses\n"
        "    plain = dict(dataclasses.replace(batch).__dict__)\n"
        "    return {'loss': self.error(encoder, batch) + (plain['label'] is not None)}",
    ),
    "a domain imported": (
        "source",
        "imports dabs.domains.sensor",
        "def loss(self, encoder, batch):\n    from dabs.domains import sensor  # HERE\n"
        "    return {'loss': self.error(encoder, batch)}",
    ),
    "a file read": (
        "source",
        "uses torch.load",
        "def set_up(self, encoder):\n    self.other = torch.load  # HERE",
    ),
    "a file read by a detour": (
        "no files",
        "it calls open(",
        "def set_up(self, encoder):\n    getattr(torch, 'lo' + 'ad')(__file__)  # HERE",
    ),
    "another activation": (
        "encoder unchanged",
        "changes the class of blocks.0.norm1 from LayerNorm to Identity",
        "def set_up(self, encoder):\n    encoder.blocks[0].norm1 = nn.Identity()",
    ),
    "a new parameter": (
        "encoder unchanged",
        "changes the parameter extra from nothing to (3,)",
        "def set_up(self, encoder):\n    encoder.extra = nn.Parameter(torch.zeros(3))",
    ),
    "another forward": (
        "encoder unchanged",
        "changes the instance methods of the encoder from [] to ['encode']",
        "def set_up(self, encoder):\n    encoder.encode = lambda x, mask=None, index=None: x",
    ),
    "a hook": (
        "encoder unchanged",
        "changes the number of hooks of blocks.1 from 0 to 1",
        "def set_up(self, encoder):\n    encoder.blocks[1].register_forward_hook(lambda m, i, o: 2 * o)",
    ),
    "its own first weights": (
        "encoder unchanged",
        "__init__ changes the encoder's weights (cls)",
        "def set_up(self, encoder):\n    nn.init.zeros_(encoder.cls)",
    ),
    "weights set in the loss": (
        "encoder unchanged",
        "loss changes the encoder's weights (cls)",
        "def loss(self, encoder, batch):  # HERE\n    encoder.cls.data.zero_()\n"
        "    return {'loss': self.error(encoder, batch)}",
    ),
    "frozen": (
        "encoder unchanged",
        "changes the parameter cls from",
        "def loss(self, encoder, batch):  # HERE\n    encoder.cls.requires_grad_(False)\n"
        "    return {'loss': self.error(encoder, batch)}",
    ),
    "the encoder kept": (
        "encoder unchanged",
        "keeps the encoder as its own module",
        "def set_up(self, encoder):\n    self.encoder = encoder",
    ),
    "another type in bf16": (
        "bf16",
        "RuntimeError",
        "def loss(self, encoder, batch):\n    h = self.head(encoder(batch))\n"
        "    place = torch.zeros_like(h, dtype=torch.long)\n"
        "    return {'loss': torch.zeros(h.shape).scatter(0, place, h).square().mean()}  # HERE",
    ),
    "rough in bf16": (
        "bf16",
        "in fp32",
        "def loss(self, encoder, batch):  # HERE\n    h = self.head(encoder(batch))\n"
        "    return {'loss': 10 * ((h + 1000) - 1000).abs().mean()}",
    ),
    "another loss compiled": (
        "torch.compile",
        "with compiled blocks",
        "def loss(self, encoder, batch):  # HERE\n"
        "    plain = encoder.blocks[0]._compiled_call_impl is None\n"
        "    return {'loss': self.error(encoder, batch) * (1 if plain else 2)}",
    ),
    "does not compile": (
        "torch.compile",
        "RuntimeError",
        "def loss(self, encoder, batch):\n    if encoder.blocks[0]._compiled_call_impl is not None:\n"
        "        raise RuntimeError('not me')  # HERE\n"
        "    return {'loss': self.error(encoder, batch)}",
    ),
    "twelve passes": (
        "cost of a step",
        "memory above 10 times the plain step's",
        "def loss(self, encoder, batch):  # HERE\n"
        "    return {'loss': sum(self.error(encoder, batch) for _ in range(12)) / 12}",
    ),
    "a huge head": (
        "cost of a step",
        "parameters thrown away above 10 times",
        "def set_up(self, encoder):\n    self.more = nn.Parameter(torch.zeros(10 ** 7))",
    ),
}


def load(folder: Path, methods: str = "", head: str = HEAD) -> type:
    path = folder / "broken.py"
    path.write_text(head + textwrap.indent(methods, "    ") + "\n")
    return find_algorithm(f"{path}:Broken")


def line(folder: Path, mark: str) -> int:
    lines = (folder / "broken.py").read_text().splitlines()
    return next(number for number, text in enumerate(lines, 1) if mark in text)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_promise_is_found_and_its_line_named(case, tmp_path):
    check, said, methods = BROKEN[case]
    kind = load(tmp_path, methods)
    failed = next((f for f in run_checks(kind, only=(check,)) if f.outcome == "failed"), None)
    assert failed, f"{check} passed"
    assert said in failed.reason
    file, _, number = failed.place.rpartition(":")
    assert Path(file) == tmp_path / "broken.py"
    assert number.isdigit()
    if "# HERE" in methods:
        assert int(number) == line(tmp_path, "# HERE")


def test_every_check_has_an_algorithm_that_breaks_it():
    assert {check.name for check in all_checks()} == {check for check, _, _ in BROKEN.values()}


def test_the_docs_describe_every_check():
    names = [check.name for check in all_checks()]
    assert len(set(names)) == len(names)
    page = (ROOT / "docs" / "adding-an-algorithm.md").read_text(encoding="utf-8")
    for name in names:
        assert f"| {name} |" in page, f"docs/adding-an-algorithm.md does not describe {name!r}"


@pytest.mark.slow
def test_without_its_mistakes_the_algorithm_passes_every_check(tmp_path):
    outcomes = [finding for finding in run_checks(load(tmp_path)) if finding.outcome != "passed"]
    assert {finding.check for finding in outcomes} == {"padding invariance", "constant answer"}
    assert {finding.outcome for finding in outcomes} == {"skipped"}


def test_a_replaced_method_of_the_encoder_class_is_found(tmp_path, monkeypatch):
    from dabs.encoder import Block

    monkeypatch.setattr(Block, "forward", Block.forward)  # so that it is restored afterwards
    kind = load(tmp_path, "def set_up(self, encoder):\n    type(encoder.blocks[0]).forward = lambda self, x, mask: x")
    finding = next(run_checks(kind, only=("encoder unchanged",)))
    assert "the code of dabs.encoder and torch.nn" in finding.reason


def test_an_algorithm_that_cannot_be_built_is_not_checked_further(tmp_path):
    kind = load(tmp_path, "def set_up(self, encoder):\n    1 / 0")
    findings = list(run_checks(kind, only=("builds", "finite loss")))
    assert [f.outcome for f in findings] == ["failed"] * 4 + ["skipped"] * 4
    assert isinstance(findings[0], Finding)
    assert re.match(r"failed builds on tokens: ZeroDivisionError: .* \(.*broken.py:\d+\)", str(findings[0]))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import os", "imports os"),
        ("import numpy as np\nx = np.load", "uses numpy.load"),
        ("from torch import hub", "imports torch.hub"),
        ("from torch import *", "imports everything of torch"),
        ("from . import neighbour", "imports ..neighbour"),
        ("import dabs.data.prepare", "imports dabs.data.prepare"),
        ("from dabs import encoder\nencoder.load_encoder(1)", "uses dabs.encoder.load_encoder"),
        ("from dabs.encoder import load_encoder", "imports dabs.encoder.load_encoder"),
        ("from dabs.training.checkpoint import load_encoder", "imports dabs.training.checkpoint.load_encoder"),
        ("open('x')", "uses open"),
        ("(lambda: 0).__globals__", "uses __globals__"),
        ("def", "is not Python"),
        ("import dabs.specs\ndabs.data.prepared.open_prepared(1)", "uses dabs.data.prepared.open_prepared"),
        ("from dabs import specs\nspecs.short(1)", "uses dabs.specs.short"),
        ("from dabs.distributed import rank", "imports dabs.distributed.rank"),
        ("import dabs", "imports dabs"),
        ("from dabs import pretrain", "imports dabs.pretrain"),
        ("from dabs import Algorithm\nimport dabs.specs\ndabs.pretrain(1)", "uses dabs.pretrain"),
        ("from lightly.data import LightlyDataset", "imports lightly.data.LightlyDataset"),
        ("from lightly.loss import ntx_ent_loss", "imports lightly.loss.ntx_ent_loss"),
        ("import lightly.loss\nlightly.loss.ntx_ent_loss.dist", "uses lightly.loss.ntx_ent_loss.dist"),
        ("import lightly.loss\nlightly.utils.dist", "uses lightly.utils.dist"),
        ("import dabs.encoder as e\ne.torch.load(1)", "uses dabs.encoder.torch.load"),
        ("from dabs.encoder import torch", "imports dabs.encoder.torch"),
        ("from dabs.algorithm import inspect as i", "imports dabs.algorithm.inspect"),
        ("import typing\ntyping.sys.modules['os']", "uses typing.sys"),
        ("from typing import sys as s", "imports typing.sys"),
        ("import random\nrandom._os.system('ls')", "uses random._os"),
        ("from torch.nn import functional as F\nF.torch.load", "uses torch"),
        ("import torch\nt = torch", "uses the module torch as a value"),
        ("import torch\n[torch][0].load", "uses the module torch as a value"),
        ("import torch\nu = torch.utils\nw = u\nw.data.DataLoader", "uses torch.utils.data.DataLoader"),
        ("from torch import utils\nif (u := utils):\n    u.data", "uses torch.utils.data"),
        ("import torch\ngetattr(torch, 'load')", "uses getattr on a module"),
        ("import torch\ngetattr(torch.utils, 'data')", "uses getattr on a module"),
        ("getattr(self, 'lo' + 'ad')", "with a name that is not plain"),
        ("getattr(self, '__globals__')", "uses getattr"),
        ("g = getattr", "uses getattr as a value"),
        ("__builtins__['open']", "uses __builtins__"),
        ("import gc\ngc.get_objects()", "imports gc"),
        ("import torch\ntorch.cuda.graphs.gc.get_objects()", "uses torch.cuda.graphs.gc"),
        ("import torch\ntorch.threading.Thread", "uses torch.threading"),
        ("import torch\ntorch._C.PyTorchFileReader('x')", "uses torch._C"),
        ("from torch._inductor import codecache", "imports torch._inductor.codecache"),
        ("import torch\ntorch.utils.benchmark.Timer('import os')", "uses torch.utils.benchmark.Timer"),
        ("from torch.utils import collect_env", "imports torch.utils.collect_env"),
        ("import numpy as np\nnp.DataSource()", "uses numpy.DataSource"),
        ("from scipy import sparse\nsparse.load_npz('x')", "uses scipy.sparse.load_npz"),
        ("x.numpy().tofile('x')", "uses tofile"),
        ("(0 for _ in ()).gi_frame.f_builtins", "uses f_builtins"),
        ("error.__traceback__", "uses __traceback__"),
        ("len.__self__.open('x')", "uses __self__"),
        ("match x:\n  case object(f_back=y): y", "uses f_back"),
        ("'{0.gi_frame}'.format(x)", "names gi_frame in a text"),
        ("import torch\ntorch.nn.Linear.forward = f", "changes torch.nn.Linear.forward"),
        ("from dabs.encoder import Encoder\nsetattr(Encoder, 'encode', f)", "changes dabs.encoder.Encoder"),
        ("type(encoder).encode = f", "changes type(encoder).encode"),
        ("encoder.__class__.encode = f", "changes encoder.__class__.encode"),
        ("s = setattr", "uses setattr as a value"),
        ("class A:\n  def __reduce__(self): return print, ()", "defines __reduce__"),
    ],
)
def test_the_scan_finds(text, what):
    assert what in scan(text)[-1].what


def test_the_scan_finds_data_in_a_source():
    assert [use.what for use in scan(f"'''{'0' * 20_000}'''")] == []
    (found,) = scan(f"WEIGHTS = '{'0' * 20_001}'")
    assert found.what == "has 20,001 characters of text; at most 20,000 are allowed"
    (found,) = scan(f"LABELS = ({'1,' * 2001})")
    assert found.what == "has 2,001 numbers; at most 2,000 are allowed"


@pytest.mark.parametrize("module", sorted({*modules()} - {"dabs", *CONTRACT}))
def test_the_scan_finds_every_module_outside_the_contract(module):
    parent, _, name = module.rpartition(".")
    from_parent = f"from {parent} import {name}"
    for text in (f"import {module}", f"import {module} as m", from_parent, f"from {module} import x"):
        assert f"imports {module}" in scan(text)[-1].what
    assert f"uses {module}" in scan(f"import dabs.specs\n{module}.x(1)")[-1].what


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nfrom torch.nn import functional as F\nfrom dabs.specs import Tokens",
        "import numpy as np\nx = np.ones(3)\nself.open = 1\ndef compiled(): pass",
        "from torch import nn\nfor module in []:\n    module.eval()",
        "from torch import nn\nF = nn.functional\nF.gelu(1)\nx = [m for m in nn.Linear(1, 1).modules()]",
        "from dabs.encoder import Encoder, EncoderConfig\nfrom dabs.specs import Specs, Image\nEncoder.pool(1)",
        "import dabs.specs\ndabs.specs.total_embeddings(1)\ngetattr(batch, 'mask', None)",
        "from dabs import Algorithm, Batch, Encoder\nclass Mine(Algorithm):\n    width = Encoder.width",
        "from torch import nn\nfrom torch.utils.checkpoint import checkpoint\nnn.modules.batchnorm._BatchNorm",
        "import torch\ntorch._foreach_mul_(a, 2)\ntorch.select(x, 0, 1)\nsetattr(self, f'head_{i}', 1)\nself.x = 1",
        "from lightly.loss import NTXentLoss\nfrom lightly.models.modules import SimCLRProjectionHead\nNTXentLoss(0.1)",
    ],
)
def test_the_scan_allows(text):
    assert scan(text) == []


def test_the_scan_allows_every_baseline_and_the_template():
    root = ROOT
    sources = [*(root / "algorithms").glob("*.py"), root / "dabs" / "cli" / "templates" / "algorithm.txt"]
    assert len(sources) > 4
    assert {str(path): scan(path.read_text(encoding="utf-8")) for path in sources} == {str(p): [] for p in sources}
