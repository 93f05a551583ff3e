"""Measuring speed: sides timed in turns in one process, the work of a step, what the machine can do, and tables.

    times = alternate({"plain": plain, "fast": fast}, rounds=7)        # each side once a round, in changing order
    gain = times["plain"].over(times["fast"])                          # Ratio(median=3.1, spread=0.04)
    rate = step_flops(encoder, 64, passes=2) / times["fast"].median    # FLOP/s of a step with two passes
    share = rate / peak_product(torch.bfloat16, "cpu")
    table = Table(title="step", columns=("side", "ratio"), rows=[("fast", f"{gain.median:.2f}")])
    table.show(); text = table.markdown()

On a busy or throttled machine absolute times drift, but what happens in one round meets all sides: trust ratios. Two
sides are compared round by round, and the median of those ratios is given with its spread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dabs.bench.synthetic import synthetic_batch
from dabs.utils.environment import processor_name

if TYPE_CHECKING:
    from dabs.encoder import Encoder

SIZES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192, 16384)}  # of the square products that give a machine's peak


def spread(values: Sequence[float]) -> float:
    """The interquartile range as a share of the median."""
    low, middle, high = np.quantile(np.asarray(values), [0.25, 0.5, 0.75])
    return float((high - low) / middle)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as long one side takes as another: the median over rounds, and its spread."""

    median: float
    spread: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ±{100 * self.spread:.0f} %"


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of one side, one a round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Seconds."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        return spread(self.seconds)

    def over(self, other: Times) -> Ratio:
        """How many times as long this side takes as the other, compared round by round."""
        ratios = [mine / its for mine, its in zip(self.seconds, other.seconds, strict=True)]
        return Ratio(median=float(np.median(ratios)), spread=spread(ratios))


def synchronise() -> None:
    """Wait until the GPU has done what it was given; nothing without one."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call, the GPU's work included."""
    synchronise()
    begun = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - begun


def alternate(sides: Mapping[str, Callable[[], Any]], rounds: int, warmup: int = 1) -> dict[str, Times]:
    """Time each side once a round, every second round in the opposite order.

    Args:
        sides: name -> what is timed, without arguments.
        rounds: timed rounds.
        warmup: rounds before that, whose times are dropped.

    Returns:
        name -> its times, as many as rounds and in their order.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-warmup, rounds):
        for name in sides if turn % 2 == 0 else reversed(list(sides)):
            seconds = timed(sides[name])
            if turn >= 0:
                found[name].append(seconds)
    return {name: Times(seconds=tuple(seconds)) for name, seconds in found.items()}


def flops_of(work: Callable[[], Any]) -> int:
    """Floating-point operations of the matrix products that a call does, a multiplication and an addition being two."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:  # the CPU's kernel is not counted
        work()
    return int(counter.get_total_flops())


def step_flops(encoder: Encoder, size: int, passes: float = 1, *, backward: bool = True) -> int:
    """Operations of `passes` passes of an encoder of these sizes over `size` unpadded examples.

    Nothing is computed: the operations are counted on tensors without values. A step's work is what it has to do,
    however it is done, so two formulations are given the same number.

    Args:
        encoder: whose configuration and specs count; it may be on any device, or compiled.
        size: B.
        passes: how often the whole batch goes through: ShED 1, e-Mix 2, two half views about 1.
        backward: whether gradients are computed as well (about three times the work).
    """
    from dabs.encoder import Encoder

    with torch.device("meta"):
        plain = Encoder(encoder.config, encoder.specs).eval()
        batch = synthetic_batch(encoder.specs, size, device="meta")

    def _step() -> None:
        with torch.set_grad_enabled(backward):
            features_BD = plain(batch)
        if backward:
            features_BD.sum().backward()

    return round(passes * flops_of(_step))


def peak_product(dtype: torch.dtype, device: str = "cpu", *, seconds: float = 2.0) -> float:
    """FLOP/s of the fastest square matrix product that was met within about `seconds`: what a machine can do."""
    best, begun = 0.0, time.perf_counter()
    for n in SIZES[torch.device(device).type]:
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        timed(lambda a=a, b=b, out=out: torch.mm(a, b, out=out))  # type: ignore[misc]
        for _ in range(5):
            best = max(best, 2 * n**3 / timed(lambda a=a, b=b, out=out: torch.mm(a, b, out=out)))  # type: ignore[misc]
            if time.perf_counter() - begun > seconds:
                return best
    return best


def bytes_kept(module: torch.nn.Module, loss: Callable[[], Tensor]) -> int:
    """Bytes of the distinct storages, other than parameters, that a forward pass keeps for the backward pass.

    The part of training's memory that grows with a batch; the same on every machine.
    """
    sizes: dict[int, int] = {}
    parameters = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}

    def _pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in parameters:
            sizes[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(_pack, lambda x: x):
        kept = loss()  # held, so that no storage is freed and counted again under its address
    del kept
    return max(1, sum(sizes.values()))


def machine() -> str:
    """One line: processor, cores, threads, matrix instructions, memory, GPUs, torch."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    gpus = torch.cuda.device_count()
    parts = [
        f"{processor_name()}, {os.cpu_count()} cores ({torch.get_num_threads()} threads used)",
        _instructions(),
        f"{memory / 2**30:.0f} GiB" if memory else "",
        f"{gpus} × {torch.cuda.get_device_name()}" if gpus else "no GPU",
        f"torch {torch.__version__}",
    ]
    return ", ".join(part for part in parts if part)


def _instructions() -> str:
    """The widest matrix or vector instructions that Linux reports; empty elsewhere."""
    try:
        found = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return ""
    return next((name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in found), "")


@dataclass(frozen=True, kw_only=True)
class TimingTable:
    """Rows of text for the terminal and for a page; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]] = ()

    def markdown(self) -> str:
        """The title in bold and the table."""
        lines = [self.columns, tuple("---" if i == 0 else "---:" for i in range(len(self.columns))), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def show(self) -> None:
        """Print it."""
        from rich.console import Console
        from rich.table import Table as Drawn

        drawn = Drawn(title=self.title, title_justify="left")
        for i, column in enumerate(self.columns):
            drawn.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
        for row in self.rows:
            drawn.add_row(*row)
        Console().print(drawn)
