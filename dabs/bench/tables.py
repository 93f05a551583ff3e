"""The tables of `dabs bench`: training steps, the lite suite, evaluation, reading."""

from __future__ import annotations

import math
from typing import Any

import torch

from dabs.bench.reading import feature_seconds, read_seconds, reading_rates
from dabs.bench.step import TrainingStep, limits_of
from dabs.bench.synthetic import synthetic_domain, synthetic_features
from dabs.bench.timing import TimingTable, alternate, peak_flops
from dabs.config import EncoderSize, PretrainConfig, Suite
from dabs.data.domain import SPLITS, Domain
from dabs.data.prepared import is_prepared, open_prepared
from dabs.encoder import PRESETS, EncoderConfig
from dabs.evaluation.probes import linear_probe, nearest_neighbours
from dabs.official import PUBLISHED_ALGORITHMS
from dabs.registry import domain_names, find_algorithm, find_domain
from dabs.specs import Specs
from dabs.training.precision import feature_precision, has_bf16
from dabs.training.pretrain import resolve


def kinds_of_input() -> dict[str, tuple[str, Specs]]:
    """Return each kind of input of the paper suite in words -> the first domain that has it, and its specs."""
    found: dict[str, tuple[str, Specs]] = {}
    for name in domain_names("paper"):
        specs = find_domain(name, "paper").specs
        found.setdefault(" + ".join(type(spec).__name__.lower() for spec in specs), (name, specs))
    return found


def measure_peaks() -> dict[str, float]:
    """Return the FLOP/s of the fastest matrix product in each precision that training uses on this machine."""
    dtypes = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if has_bf16() else {})
    return {name: peak_flops(dtype, _device(), seconds=1.5) for name, dtype in dtypes.items()}


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _precision_and_sizes(algorithm: str, domain: str, suite: Suite, encoder: EncoderSize) -> tuple[str, EncoderConfig]:
    """Return the precision in which `dabs pretrain` would train on this machine, and the encoder's sizes."""
    config, _, _ = resolve(PretrainConfig(algorithm=algorithm, domain=domain, suite=suite, encoder=encoder))
    return config.precision, PRESETS[config.encoder]


def step_table(
    algorithm: str, encoder: EncoderSize, batch_size: int, rounds: int, peaks: dict[str, float]
) -> tuple[TimingTable, list[str]]:
    """Time a training step on every kind of input.

    Args:
        algorithm: whose step.
        encoder: its sizes.
        batch_size: examples per step.
        rounds: how often each step is timed.
        peaks: from `measure_peaks`.

    Returns:
        The table, and for each kind of input a sentence that says what limits it.
    """
    sizes, rows, sentences = (batch_size, max(2, batch_size // 4)), [], []
    objective = find_algorithm(algorithm)
    for kind, (domain_name, specs) in kinds_of_input().items():
        precision, config = _precision_and_sizes(algorithm, domain_name, "paper", encoder)
        whole, part = (
            TrainingStep(specs, objective, config, size, precision=precision, device=_device()) for size in sizes
        )
        times = alternate({"whole": whole, "part": part}, rounds)
        with synthetic_domain(specs, 4 * batch_size) as domain:
            reading = read_seconds(domain, batch_size, _device())
        limits = limits_of(times["whole"], times["part"], sizes, whole.flops(), peaks[precision], reading)
        speeds = (f"{1e3 * limits.seconds:,.0f}", f"{batch_size / limits.seconds:,.1f}")
        shares = (f"{100 * share:.1f} %" for share in (limits.share_of_peak, limits.fixed, limits.waiting))
        rows.append((kind, precision, *speeds, *shares, f"{whole.memory() / 1e6:,.0f}"))
        sentences.append(f"{kind} is limited by {limits.limit}.")
    peak = ", ".join(f"{rate / 1e9:,.0f} GFLOP/s in {name}" for name, rate in peaks.items())
    title = f"a training step of {algorithm}, {encoder} encoder, batches of {batch_size}; peak {peak}"
    columns = ("inputs", "", "ms", "examples/s", "share of peak", "fixed", "waiting for data", "MB kept")
    return TimingTable(title=title, columns=columns, rows=rows), sentences


def suite_table(rounds: int) -> TimingTable:
    """Estimate the minutes of the lite suite in one process, from a few steps and features of each domain."""
    algorithms: dict[str, Any] = {name: find_algorithm(name) for name in PUBLISHED_ALGORITHMS}
    algorithms = {name: kind for name, kind in algorithms.items() if kind.trains}
    rows, total = [], 0.0
    for name in domain_names("lite"):
        domain, steps = find_domain(name, "lite"), {}
        for label, kind in algorithms.items():
            precision, config = _precision_and_sizes(label, name, "lite", "auto")
            steps[label] = TrainingStep(domain.specs, kind, config, domain.batch_size, precision=precision)
        times = alternate(steps, rounds)
        minutes = [times[label].median * domain.steps / 60 for label in algorithms]
        minutes.append(len(algorithms) * _feature_minutes(domain, config, feature_precision(precision, config.width)))
        total += sum(minute for minute in minutes if not math.isnan(minute))
        shown = ("not prepared" if math.isnan(minute) else f"{minute:.1f}" for minute in minutes)
        rows.append((name, f"{domain.steps:,} × {domain.batch_size}", *shown))
    title = f"minutes of the lite suite in one process, without probes: {total:.0f}"
    return TimingTable(title=title, columns=("domain", "steps × batch", *algorithms, "features of all"), rows=rows)


def _feature_minutes(domain: Domain, config: EncoderConfig, precision: str) -> float:
    """Estimate the minutes of a run's features from 256 synthetic examples; NaN if its tasks are not prepared."""
    if not is_prepared(domain):
        return math.nan
    rows = sum(
        open_prepared(domain, task.name).manifest["splits"][f"{task.name}/{split}"]["rows"]
        for task in domain.tasks
        for split in SPLITS
    )
    times = feature_seconds(domain.specs, config, 256, 1, precision=precision, sizes=(256,))
    return float(times["features"].median / 256 * rows / 60)


def evaluation_table(algorithm: str, encoder: EncoderSize, batch_size: int, rounds: int) -> TimingTable:
    """Time features against a bare forward pass, and the probes.

    Args:
        algorithm: features are computed in its precision.
        encoder: its sizes.
        batch_size: features are computed for twice this many examples.
        rounds: how often features are timed.
    """
    rows, count = [], 2 * batch_size
    for kind, (domain_name, specs) in kinds_of_input().items():
        precision, config = _precision_and_sizes(algorithm, domain_name, "paper", encoder)
        times = feature_seconds(specs, config, count, rounds, precision=precision)
        rate, share = count / times["features"].median, times["bare"].over(times["features"])
        text = f"{rate:,.0f} examples/s in {precision}, {100 * share.median:.0f} % of a bare forward pass"
        rows.append((f"features, {kind}", text))
    features, task = synthetic_features(5000, 256, 10)
    probes = {
        "linear probe": lambda: linear_probe(features, task),
        "k-NN": lambda: nearest_neighbours(features, task),
    }
    for probe, seconds in alternate(probes, 1, warmup=0).items():
        rows.append((f"{probe}, 5,000 × 256, 10 classes", f"{seconds.median:.1f} s"))
    return TimingTable(title=f"evaluation, {encoder} encoder", columns=("what", "speed"), rows=rows)


def reading_table(rounds: int) -> TimingTable:
    """Time how many rows per second one core reads from prepared files, as stored and as floats."""
    rows = []
    for kind, (_, specs) in kinds_of_input().items():
        with synthetic_domain(specs, 512) as domain:
            size, stored, floats = reading_rates(domain, rounds)
        gigabytes = stored * size / 1e9
        rows.append((kind, f"{size:,}", f"{stored:,.0f}", f"{gigabytes:.1f}", f"{floats:,.0f}"))
    columns = ("inputs", "bytes per example", "rows/s, as stored", "GB/s", "rows/s, as floats")
    return TimingTable(title="reading prepared rows, one core, random batches of 256", columns=columns, rows=rows)
