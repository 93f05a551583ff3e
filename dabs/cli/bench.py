"""`dabs bench`: how fast this machine trains, evaluates and reads, and what limits it; about two minutes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import tyro
from rich.console import Console

from dabs.config import EncoderSize, Suite
from dabs.data.domain import SPLITS, Domain
from dabs.registry import algorithm_names, domain_names, find_algorithm, find_domain
from dabs.specs import Specs

if TYPE_CHECKING:
    from dabs.bench.timing import TimingTable
    from dabs.encoder import EncoderConfig


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Measure a training step of every kind of input, the lite suite, evaluation and reading; nothing is written."""

    algorithm: str = "shed"  # whose training step is measured on every kind of input
    encoder: EncoderSize = "paper"  # its sizes there
    batch_size: int = 16  # examples of a step there
    rounds: int = 2  # how often each thing is timed


def main(arguments: list[str]) -> None:
    """Parse, measure, print."""
    options = tyro.cli(BenchOptions, prog="dabs bench", args=arguments)
    from dabs.bench.timing import machine

    begun, console = time.perf_counter(), Console()
    console.print(machine(), highlight=False, soft_wrap=True)
    busy = other_work()
    if busy:
        console.print(busy, style="yellow", highlight=False, soft_wrap=True)
    with console.status("matrix products") as status:
        peaks = measured_peaks()
        status.update("training steps")
        steps, words = step_table(options, peaks)
        status.update("the lite suite")
        suite = suite_table(options)
        status.update("evaluation")
        evaluation = evaluation_table(options)
        status.update("reading")
        reading = reading_table(options)
    for table in (steps, suite, evaluation, reading):
        table.show()
    console.print("\n".join(words), highlight=False, soft_wrap=True)
    console.print(f"measured in {time.perf_counter() - begun:.0f} s", highlight=False)


def other_work(place: Path = Path("/proc/loadavg")) -> str:
    """A warning where other programs keep the cores busy; empty where none do, or where the system does not say.

    Args:
        place: where Linux says how many threads run at this moment, the reader's among them.
    """
    if not place.exists():
        return ""
    found = []
    for _ in range(10):
        time.sleep(0.05)
        found.append(int(place.read_text().split()[3].partition("/")[0]) - 1)
    if fmean(found) < 0.5:
        return ""
    return (
        f"{fmean(found):.1f} cores on average are busy with something else. Two programs that compute in several "
        "threads stall each other: wait until the other ends, or do not trust these numbers."
    )


def kinds() -> dict[str, tuple[str, Specs]]:
    """Each kind of input of the paper suite: words -> the first domain that has it, and its specs."""
    found: dict[str, tuple[str, Specs]] = {}
    for name in domain_names("paper"):
        specs = find_domain(name, "paper").specs
        found.setdefault(" + ".join(type(spec).__name__.lower() for spec in specs), (name, specs))
    return found


def measured_peaks() -> dict[str, float]:
    """FLOP/s of the fastest product in each precision that training uses here."""
    import torch

    from dabs.bench.timing import peak_product
    from dabs.training.precision import has_bf16

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtypes = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if has_bf16() else {})
    return {name: peak_product(dtype, device, seconds=1.5) for name, dtype in dtypes.items()}


def precision_of(algorithm: str, domain: str, suite: Suite, encoder: EncoderSize) -> tuple[str, EncoderConfig]:
    """The precision in which `dabs pretrain` would train here, and the encoder's sizes."""
    from dabs.config import PretrainConfig
    from dabs.encoder import PRESETS
    from dabs.training.pretrain import resolve

    config, _, _ = resolve(PretrainConfig(algorithm=algorithm, domain=domain, suite=suite, encoder=encoder))
    return config.precision, PRESETS[config.encoder]


def step_table(options: BenchOptions, peaks: dict[str, float]) -> tuple[TimingTable, list[str]]:
    """A training step of every kind of input, and a sentence for each on what limits it."""
    import torch

    from dabs.bench.reading import read_seconds
    from dabs.bench.step import TrainingStep, limits_of
    from dabs.bench.synthetic import made_up_domain
    from dabs.bench.timing import TimingTable, alternate

    device = "cuda" if torch.cuda.is_available() else "cpu"
    sizes, rows, words = (options.batch_size, max(2, options.batch_size // 4)), [], []
    for name, (domain_name, specs) in kinds().items():
        precision, config = precision_of(options.algorithm, domain_name, "paper", options.encoder)
        kind = find_algorithm(options.algorithm)
        steps = [TrainingStep(specs, kind, config, size, precision=precision, device=device) for size in sizes]
        times = alternate({"whole": steps[0], "part": steps[1]}, options.rounds)
        with made_up_domain(specs, 4 * sizes[0]) as domain:
            reading = read_seconds(domain, sizes[0], device)
        found = limits_of(times["whole"], times["part"], sizes, steps[0].flops(), peaks[precision], reading)
        numbers = (f"{1e3 * found.seconds:,.0f}", f"{sizes[0] / found.seconds:,.1f}")
        shares = (f"{100 * share:.1f} %" for share in (found.share_of_peak, found.fixed, found.waiting))
        rows.append((name, precision, *numbers, *shares, f"{steps[0].memory() / 1e6:,.0f}"))
        words.append(f"{name} is limited by {found.limit}.")
    peak = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s {name}" for name, rate in peaks.items())
    title = f"a training step: {options.algorithm}, {options.encoder} encoder, batch {sizes[0]}; peak {peak}"
    columns = ("inputs", "", "ms", "examples/s", "share of peak", "fixed", "waiting for data", "MB kept")
    return TimingTable(title=title, columns=columns, rows=rows), words


def suite_table(options: BenchOptions) -> TimingTable:
    """Minutes of the lite suite in one process, from a few steps and batches of features of each cell."""
    from dabs.bench.step import TrainingStep
    from dabs.bench.timing import TimingTable, alternate
    from dabs.training.precision import reading_precision

    algorithms: dict[str, Any] = {name: find_algorithm(name) for name in algorithm_names()}
    algorithms = {name: kind for name, kind in algorithms.items() if kind.trains}
    rows, together = [], 0.0
    for name in domain_names("lite"):
        domain, steps = find_domain(name, "lite"), {}
        for label, kind in algorithms.items():
            precision, config = precision_of(label, name, "lite", "auto")
            steps[label] = TrainingStep(domain.specs, kind, config, domain.batch_size, precision=precision)
        times = alternate(steps, options.rounds)
        minutes = [times[label].median * domain.steps / 60 for label in algorithms]
        minutes.append(len(algorithms) * feature_minutes(domain, config, reading_precision(precision, config.width)))
        together += sum(minute for minute in minutes if minute == minute)
        shown = ("not prepared" if minute != minute else f"{minute:.1f}" for minute in minutes)
        rows.append((name, f"{domain.steps:,} × {domain.batch_size}", *shown))
    title = f"minutes of the lite suite in one process, without probes: {together:.0f}"
    return TimingTable(title=title, columns=("domain", "steps × batch", *algorithms, "features of all"), rows=rows)


def feature_minutes(domain: Domain, config: EncoderConfig, precision: str) -> float:
    """Minutes of the features of a run, from those of 256 made-up examples; not a number without prepared tasks."""
    from dabs.bench.reading import feature_seconds
    from dabs.data.prepared import is_prepared, open_prepared

    if not is_prepared(domain):
        return float("nan")
    rows = sum(
        open_prepared(domain, task.name).manifest["splits"][f"{task.name}/{split}"]["rows"]
        for task in domain.tasks
        for split in SPLITS
    )
    times = feature_seconds(domain.specs, config, 256, 1, precision=precision, sizes=(256,))
    return float(times["features"].median / 256 * rows / 60)


def evaluation_table(options: BenchOptions) -> TimingTable:
    """Features against a bare forward pass, and the probes."""
    from dabs.bench.reading import feature_seconds
    from dabs.bench.synthetic import made_up_features
    from dabs.bench.timing import TimingTable, alternate
    from dabs.evaluation.probes import linear_probe, nearest_neighbours

    rows = []
    for name, (domain_name, specs) in kinds().items():
        precision, config = precision_of(options.algorithm, domain_name, "paper", options.encoder)
        count = 2 * options.batch_size
        times = feature_seconds(specs, config, count, options.rounds, precision=precision)
        rate, share = count / times["features"].median, times["bare"].over(times["features"])
        text = f"{rate:,.0f} examples/s in {precision}, {100 * share.median:.0f} % of a bare forward pass"
        rows.append((f"features, {name}", text))
    pair = made_up_features(5000, 256, 10)
    readers = {"linear probe": lambda: linear_probe(*pair), "k-NN": lambda: nearest_neighbours(*pair)}
    for reader, spent in alternate(readers, 1, warmup=0).items():
        rows.append((f"{reader}, 5,000 × 256, 10 classes", f"{spent.median:.1f} s"))
    return TimingTable(title=f"evaluation, {options.encoder} encoder", columns=("what", "speed"), rows=rows)


def reading_table(options: BenchOptions) -> TimingTable:
    """Rows a second that one core reads from prepared files, as stored and as floats."""
    from dabs.bench.reading import reading_rates
    from dabs.bench.synthetic import made_up_domain
    from dabs.bench.timing import TimingTable

    rows = []
    for name, (_, specs) in kinds().items():
        with made_up_domain(specs, 512) as domain:
            size, stored, floats = reading_rates(domain, options.rounds)
        gigabytes = stored * size / 1e9
        rows.append((name, f"{size:,}", f"{stored:,.0f}", f"{gigabytes:.1f}", f"{floats:,.0f}"))
    columns = ("inputs", "bytes an example", "rows/s, as stored", "GB/s", "rows/s, as floats")
    return TimingTable(title="reading prepared rows, one core, random batches of 256", columns=columns, rows=rows)
