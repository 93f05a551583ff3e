"""Timing: alternate the sides of a comparison, count FLOPs, describe the machine.

    times = alternate({"plain": plain, "fast": fast}, rounds=7)        # each side once per round, in changing order
    gain = times["plain"].over(times["fast"])                          # Ratio(median=3.1, spread=0.04)
    rate = step_flops(encoder, 64, passes=2) / times["fast"].median    # FLOP/s of a step with two passes
    share = rate / peak_flops(torch.bfloat16, "cpu")
    table = TimingTable(title="step", columns=("side", "ratio"), rows=[("fast", f"{gain.median:.2f}")])
    table.show(); text = table.markdown()

On a busy or throttled machine absolute times drift, but a disturbance during one round affects every side, so trust
ratios. Two sides are compared round by round, and the median of these ratios is reported with its spread.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dabs.bench.synthetic import synthetic_batch
from dabs.training.operations import flops_of
from dabs.utils.environment import processor_name

if TYPE_CHECKING:
    from dabs.encoder import Encoder

PEAK_SIZES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192, 16384)}  # of the square matrices that `peak_flops` tries


def spread(values: Sequence[float]) -> float:
    """Return the interquartile range as a share of the median."""
    low, middle, high = np.quantile(np.asarray(values), [0.25, 0.5, 0.75])
    return float((high - low) / middle)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times as long one side takes as another: the median over rounds and its spread."""

    median: float
    spread: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ±{100 * self.spread:.0f} %"


@dataclass(frozen=True, kw_only=True)
class Times:
    """The seconds that one side took, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median in seconds."""
        return float(np.median(self.seconds))

    @property
    def spread(self) -> float:
        """Return the interquartile range as a share of the median."""
        return spread(self.seconds)

    def over(self, other: Times) -> Ratio:
        """Return how many times as long this side takes as the other, compared round by round."""
        ratios = [mine / its for mine, its in zip(self.seconds, other.seconds, strict=True)]
        return Ratio(median=float(np.median(ratios)), spread=spread(ratios))


def synchronise() -> None:
    """Wait until the GPU has finished its work; do nothing without a GPU."""
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], Any]) -> float:
    """Return the seconds of one call, including its work on the GPU."""
    synchronise()
    begun = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - begun


def alternate(sides: Mapping[str, Callable[[], Any]], rounds: int, warmup: int = 1) -> dict[str, Times]:
    """Time each side once per round, and reverse the order every second round.

    Args:
        sides: name -> a function without arguments to time.
        rounds: how many rounds are timed.
        warmup: how many rounds come before them, whose times are dropped.

    Returns:
        name -> its times, one per round.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(-warmup, rounds):
        for name in sides if turn % 2 == 0 else reversed(list(sides)):
            seconds = seconds_of(sides[name])
            if turn >= 0:
                found[name].append(seconds)
    return {name: Times(seconds=tuple(seconds)) for name, seconds in found.items()}


def step_flops(encoder: Encoder, size: int, passes: float = 1, *, backward: bool = True) -> int:
    """Return the operations of `passes` passes of an encoder over `size` unpadded examples.

    They are counted on tensors without values, so nothing is computed. The number depends on the encoder's sizes alone,
    so two implementations of the same step get the same number.

    Args:
        encoder: only its configuration and specs are used; it may be compiled, and on any device.
        size: B.
        passes: how often the whole batch goes through the encoder: ShED 1, e-Mix 2, two half views about 1.
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


def peak_flops(dtype: torch.dtype, device: str = "cpu", *, seconds: float = 2.0) -> float:
    """Return the FLOP/s of the fastest square matrix product found within about `seconds`: the machine's peak."""
    best, begun = 0.0, time.perf_counter()
    for n in PEAK_SIZES[torch.device(device).type]:
        a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
        out = torch.empty_like(a)
        seconds_of(lambda a=a, b=b, out=out: torch.mm(a, b, out=out))  # type: ignore[misc]
        for _ in range(5):
            best = max(best, 2 * n**3 / seconds_of(lambda a=a, b=b, out=out: torch.mm(a, b, out=out)))  # type: ignore[misc]
            if time.perf_counter() - begun > seconds:
                return best
    return best


def bytes_kept(module: torch.nn.Module, loss: Callable[[], Tensor]) -> int:
    """Return the bytes of the distinct storages, parameters aside, that a forward pass keeps for the backward pass.

    This is the part of training's memory that grows with the batch, and it is the same on every machine.
    """
    sizes: dict[int, int] = {}
    parameters = {parameter.untyped_storage().data_ptr() for parameter in module.parameters()}

    def _pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in parameters:
            sizes[storage.data_ptr()] = storage.nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(_pack, lambda x: x):
        kept = loss()  # held, so that no storage is freed and another one counted under its address
    del kept
    return max(1, sum(sizes.values()))


def describe_machine() -> str:
    """Return one line: processor, cores, threads, matrix instructions, memory, GPUs, torch."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    gpus = torch.cuda.device_count()
    parts = [
        f"{processor_name()}, {os.cpu_count()} cores ({torch.get_num_threads()} threads used)",
        widest_instructions(),
        f"{memory / 2**30:.0f} GiB" if memory else "",
        f"{gpus} × {torch.cuda.get_device_name()}" if gpus else "no GPU",
        f"torch {torch.__version__}",
    ]
    return ", ".join(part for part in parts if part)


def widest_instructions() -> str:
    """Return the widest matrix or vector instructions that Linux reports; empty on other systems."""
    try:
        found = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return ""
    return next((name for name in ("amx_bf16", "avx512_bf16", "avx512f", "avx2") if name in found), "")


def busy_warning(loadavg: Path = Path("/proc/loadavg")) -> str:
    """Return a warning if other programs keep the cores busy; empty if none do, or if the system does not say.

    Args:
        loadavg: where Linux says how many threads are running at this moment, including the reader's.
    """
    if not loadavg.exists():
        return ""
    running = []
    for _ in range(10):
        time.sleep(0.05)
        running.append(int(loadavg.read_text().split()[3].partition("/")[0]) - 1)
    if fmean(running) < 0.5:
        return ""
    return (
        f"{fmean(running):.1f} cores on average are busy with something else. Two programs that each compute in "
        "several threads slow each other down: wait until the other one ends, or do not trust these numbers."
    )


@dataclass(frozen=True, kw_only=True)
class TimingTable:
    """A table of text for the terminal and for a Markdown page; the first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]] = ()

    def markdown(self) -> str:
        """Return the title in bold, and the table."""
        lines = [self.columns, tuple("---" if i == 0 else "---:" for i in range(len(self.columns))), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def show(self) -> None:
        """Print the table."""
        from rich.console import Console
        from rich.table import Table

        drawn = Table(title=self.title, title_justify="left")
        for i, column in enumerate(self.columns):
            drawn.add_column(column, justify="left" if i == 0 else "right", overflow="fold")
        for row in self.rows:
            drawn.add_row(*row)
        Console().print(drawn)
