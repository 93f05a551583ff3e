"""Training on a GPU: speed, share of peak, memory, hours for the paper's budget.

    python benchmarks/gpu.py                                             # a CUDA device; about half an hour
    python benchmarks/gpu.py --domains natural_images --algorithms emix --batches 64 1024 4096
    python benchmarks/gpu.py --device cpu --quick                        # tests the script

A step is one of `dabs pretrain` on synthetic examples that are already on the device. Modes: eager (bf16 autocast,
fused AdamW, attention as PyTorch chooses), compile, and graphs (`torch.compile(mode="reduce-overhead")`, CUDA graphs).
MFU is the FLOP/s of the step's matrix products as a share of the fastest bf16 product measured on this device, not of
its data sheet. Expected: 40 % on images in large batches.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from reporting import parser_of, publish
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.profiler import ProfilerActivity, profile

from dabs.bench.step import TrainingStep
from dabs.bench.timing import TimingTable, alternate, peak_flops
from dabs.check.mock import TINY
from dabs.encoder import PRESETS
from dabs.registry import domain_names, find_algorithm, find_domain

MODES = {"eager": None, "compile": "default", "graphs": "reduce-overhead"}
BATCHES = (64, 128, 256, 512, 1024, 2048, 4096)
BACKENDS = (
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.MATH,
)
STEPS = 100_000  # in the paper, for each of its seven domains


@dataclass(frozen=True, kw_only=True)
class StepMeasurement:
    """One measured step."""

    domain: str
    algorithm: str
    batch: int
    mode: str
    seconds: float  # per step; NaN if it failed
    spread: float
    flops: int
    memory: int  # peak of allocated bytes
    failure: str = ""

    def row(self, peak: float) -> tuple[str, ...]:
        """Return the table's row."""
        head = (self.domain, self.algorithm, f"{self.batch:,}", self.mode)
        if self.failure:
            return (*head, self.failure, "", "", "")
        rate, share = self.batch / self.seconds, self.flops / self.seconds / peak
        time = f"{1e3 * self.seconds:,.1f} ±{100 * self.spread:.0f} %"
        return (*head, time, f"{rate:,.0f}", f"{100 * share:.1f} %", f"{self.memory / 1e9:.1f}")


def measure(options: argparse.Namespace, domain: str, algorithm: str, batch: int, mode: str) -> StepMeasurement:
    """Time one step; if it fails, usually for lack of memory, record why."""
    about = {"domain": domain, "algorithm": algorithm, "batch": batch, "mode": mode}
    torch.compiler.reset()
    if options.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        step = step_of(options, domain, algorithm, batch, mode)
        flops = step.flops()
        times = alternate({"step": step}, options.rounds, warmup=1 if options.quick else 5)["step"]
    except Exception as error:
        first = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:60]}"
        return StepMeasurement(**about, seconds=float("nan"), spread=0.0, flops=0, memory=0, failure=first)
    memory = torch.cuda.max_memory_allocated() if options.device == "cuda" else step.memory()
    return StepMeasurement(**about, seconds=times.median, spread=times.spread, flops=flops, memory=memory)


def step_of(options: argparse.Namespace, domain: str, algorithm: str, batch: int, mode: str) -> TrainingStep:
    """Return a step in bf16."""
    specs, config = find_domain(domain, "paper").specs, TINY if options.quick else PRESETS["paper"]
    kind = find_algorithm(algorithm)
    return TrainingStep(specs, kind, config, batch, precision="bf16", device=options.device, mode=MODES[mode])


def measure_all(options: argparse.Namespace) -> Iterator[StepMeasurement]:
    """Measure eager steps at every batch size, and other modes at the domain's own size and at the largest."""
    for domain in options.domains:
        own = 2 if options.quick else find_domain(domain, "paper").batch_size
        for algorithm in options.algorithms:
            for batch in sorted({own, *options.batches}):
                modes = options.modes if batch in (own, max(options.batches)) else ("eager",)
                for mode in modes:
                    cell = measure(options, domain, algorithm, batch, mode)
                    print(" ".join(cell.row(1.0)[:5]), flush=True)
                    yield cell


def hours_table(found: list[StepMeasurement], options: argparse.Namespace) -> TimingTable:
    """Return the hours for the paper's steps at each domain's own batch size in the fastest mode, and their sum."""
    rows = []
    for algorithm in options.algorithms:
        spent = []
        for domain in options.domains:
            own = 2 if options.quick else find_domain(domain, "paper").batch_size
            at_own = [c.seconds for c in found if (c.domain, c.algorithm, c.batch) == (domain, algorithm, own)]
            spent.append(
                min(s for s in at_own if s == s) * STEPS / 3600 if any(s == s for s in at_own) else float("nan")
            )
        rows.append((algorithm, *(f"{h:.2f}" for h in spent), f"{sum(spent):.2f}"))
    return TimingTable(
        title=f"hours for {STEPS:,} steps", columns=("algorithm", *options.domains, "together"), rows=rows
    )


def attention_backends(options: argparse.Namespace) -> TimingTable:
    """Time the forward and backward pass of attention at the paper's image size, by each backend."""
    b, s = (2, 17) if options.quick else (256, 197)
    q, k, v = (
        torch.randn(b, 8, s, 64, device=options.device, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)
    )
    rows = []
    for backend in BACKENDS:

        def both(backend: SDPBackend = backend) -> None:
            with sdpa_kernel(backend):
                F.scaled_dot_product_attention(q, k, v).sum().backward()

        try:
            times = alternate({"both": both}, options.rounds)["both"]
            rows.append((backend.name.lower(), f"{1e3 * times.median:.2f} ±{100 * times.spread:.0f} %"))
        except RuntimeError as error:
            rows.append((backend.name.lower(), str(error).splitlines()[0][:60]))
    return TimingTable(title=f"attention ({b}, 8, {s}, 64), forward and backward", columns=("backend", "ms"), rows=rows)


def profile_table(options: argparse.Namespace, cell: StepMeasurement) -> TimingTable:
    """Return the operations that take most of a step's time on the device."""
    step = step_of(options, cell.domain, cell.algorithm, cell.batch, cell.mode)
    for _ in range(3):
        step()
    gpu = options.device == "cuda"
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]) as profiled:
        step()
    times = {
        e.key: e.self_device_time_total if gpu else e.self_cpu_time_total
        for e in profiled.key_averages()  # type: ignore[no-untyped-call]
    }
    whole = sum(times.values()) or 1
    top = sorted(times.items(), key=lambda pair: -pair[1])[:12]
    rows = [(name[:80], f"{spent / 1e3:.2f}", f"{100 * spent / whole:.0f} %") for name, spent in top]
    title = f"what a step is spent on: {cell.domain}, {cell.algorithm}, batch {cell.batch:,}, {cell.mode}"
    return TimingTable(title=title, columns=("operation", "ms", "share"), rows=rows)


def main() -> int:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--domains", nargs="*", default=domain_names("paper"))
    parser.add_argument("--algorithms", nargs="*", default=["emix", "shed", "contrastive"])
    parser.add_argument("--batches", nargs="*", type=int, default=list(BATCHES))
    parser.add_argument("--modes", nargs="*", choices=tuple(MODES), default=list(MODES))
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device; `--device cpu --quick` tests the script")
    if options.quick:
        options.batches, options.modes = [2, 4], [mode for mode in options.modes if mode == "eager"]
    options.rounds = 1 if options.quick else 10
    torch.backends.cuda.matmul.allow_tf32 = True
    peak = peak_flops(torch.bfloat16, options.device, seconds=0.2 if options.quick else 5.0)
    found = list(measure_all(options))
    columns = ("domain", "algorithm", "batch", "mode", "ms", "examples/s", "MFU", "GB")
    title = f"a training step; peak {peak / 1e12:.1f} TFLOP/s in bf16"
    tables = [TimingTable(title=title, columns=columns, rows=[cell.row(peak) for cell in found])]
    tables += [hours_table(found, options), attention_backends(options)]
    worked = [cell for cell in found if not cell.failure]
    if worked:  # the step that uses the device least
        tables.append(profile_table(options, min(worked, key=lambda cell: cell.flops / cell.seconds)))
    for table in tables:
        table.show()
    publish(options.markdown, "gpu", tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
