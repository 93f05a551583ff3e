"""Where the minutes of the lite suite go, and whether two jobs are faster than one.

    make run                                    # expected: 13 minutes on two cores with bf16, 20 with AVX2
    python benchmarks/lite_suite.py runs        # its processor-minutes by domain and kind of work
    python benchmarks/lite_suite.py --together  # short cells, with one job and with two in turn

The minutes are those recorded by the results of the first seed and of rows without one; "supervised" is the training of
that row. Those of the whole grid are in its timing.json, if it was run in one go. `--together` compares two jobs of one
thread each with one job of all threads, on the same short cells of the sensor domain, which must be prepared; and it
times steps in one process and in two at once, which says what processes take from each other.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from statistics import fmean
from threading import Barrier

import torch
from reporting import parser_of, publish

from dabs.bench.step import TrainingStep
from dabs.bench.timing import TimingTable, alternate
from dabs.config import FIRST_SEED
from dabs.encoder import PRESETS
from dabs.evaluation.reference_rows import SUPERVISED
from dabs.registry import find_algorithm, find_domain
from dabs.training.memory import keep_freed_memory
from dabs.utils.strict_json import read_json

STEPS = 100  # per cell with `--together`
EXAMPLES = 64  # in a step


def breakdown(suite: Path) -> TimingTable:
    """Return the processor-minutes of one seed by domain and for all domains, and the minutes of the grid."""
    spent: dict[str, Counter[str]] = defaultdict(Counter)
    counted = set()
    for path in sorted(suite.glob("*/*/*/results/*.result.json")):
        result = read_json(path)
        if result["seed"] not in (0, FIRST_SEED):  # rows without an encoder have seed 0
            continue
        seconds, of, training = result["timings"]["seconds"], spent[result["domain"]], result["pretraining"]
        of[f"{result['protocol']} fit"] += seconds["fit"]
        if result["protocol"] == "linear":  # the other probes use the same features
            of["features"] += seconds["features"]
        if training["weights_sha256"] not in counted:
            counted.add(training["weights_sha256"])
            kind = "supervised" if result["algorithm"] == SUPERVISED else "pretraining"
            of[kind] += training["wall_seconds"]
    kinds = sorted({kind for counts in spent.values() for kind in counts})
    rows = [(name, *(f"{counts[kind] / 60:.1f}" for kind in kinds)) for name, counts in sorted(spent.items())]
    sums = [sum(counts[kind] for counts in spent.values()) / 60 for kind in kinds]
    rows.append(("all", *(f"{minutes:.1f}" for minutes in sums)))
    return TimingTable(
        title=f"processor-minutes of {suite}: {sum(sums):.1f}{_wall(suite)}", columns=("domain", *kinds), rows=rows
    )


def _wall(suite: Path) -> str:
    """Return how long the grid took, if it was run in one go."""
    if not (suite / "timing.json").exists():
        return ""
    timing = read_json(suite / "timing.json")
    parts = ", ".join(f"{name} {minutes:.1f}" for name, minutes in timing["minutes"].items())
    return f"; {timing['cells']} cells took {sum(timing['minutes'].values()):.1f} minutes ({parts})"


def together(rounds: int, steps: int) -> TimingTable:
    """Time the same four cells with one job and with two."""

    def grid(jobs: int) -> Callable[[], object]:
        def run() -> object:
            """Run the cells into an empty folder, in another process."""
            with tempfile.TemporaryDirectory() as folder:
                words = ["run", "--algorithms", "shed", "contrastive", "--domains", "sensor", "--seeds", "2"]
                words += ["--steps", str(steps), "--jobs", str(jobs), "--out", folder]
                environment = {name: text for name, text in os.environ.items() if not name.endswith("NUM_THREADS")}
                return subprocess.run(
                    [sys.executable, "-m", "dabs", *words], check=True, capture_output=True, env=environment
                )

        return run

    times = alternate({"one job": grid(1), "two jobs": grid(2)}, rounds, warmup=0)
    rows = [(name, f"{of.median:.1f}", str(times["one job"].over(of))) for name, of in times.items()]
    title = f"four cells of sensor, {steps} steps each"
    return TimingTable(title=title, columns=("at a time", "seconds", "times as fast as one job"), rows=rows)


def step_seconds(domain: str, precision: str, threads: int, rounds: int, barrier: Barrier) -> float:
    """Return the median seconds of a ShED step of 64 examples, begun when all processes are ready."""
    torch.set_num_threads(threads)
    keep_freed_memory()
    step = TrainingStep(
        find_domain(domain).specs, find_algorithm("shed"), PRESETS["small"], EXAMPLES, precision=precision
    )
    step()
    barrier.wait()
    return alternate({"step": step}, rounds, warmup=4)["step"].median


def sharing(rounds: int) -> TimingTable:
    """Time the same step alone with one thread, in two processes at once, and in one process with two threads."""
    rows = []
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(2, mp_context=context) as pool:
        for domain, precision in product(("sensor", "natural_images"), ("fp32", "bf16")):

            def seconds(processes: int, threads: int, work: tuple[str, str] = (domain, precision)) -> float:
                """Return the mean over processes."""
                barrier = manager.Barrier(processes)
                found = [pool.submit(step_seconds, *work, threads, rounds, barrier) for _ in range(processes)]
                return fmean(future.result() for future in found)

            alone, beside, both = seconds(1, 1), seconds(2, 1), seconds(1, 2)
            times = (f"{1e3 * x:.0f}" for x in (alone, beside, both))
            rows.append((f"{domain}, {precision}", *times, f"{2 * alone / beside:.2f}", f"{alone / both:.2f}"))
    columns = ("step of 64", "alone, ms", "two at once, ms", "two threads, ms", "gain of processes", "of threads")
    return TimingTable(title="what processes and threads take from each other", columns=columns, rows=rows)


def main() -> None:
    """Print the minutes, or what two jobs gain."""
    parser = parser_of(__doc__)
    parser.add_argument("runs", nargs="?", type=Path, help="the folder that `dabs run --out` wrote")
    parser.add_argument("--together", action="store_true", help="compare one job with two instead")
    options = parser.parse_args()
    if options.together:
        tables = [
            together(1 if options.quick else 2, 4 if options.quick else STEPS),
            sharing(1 if options.quick else 15),
        ]
        name = "lite_suite, jobs"
    elif options.runs is None or not (options.runs / "lite").is_dir():
        parser.error(f"no lite runs in {options.runs}: name the folder that `dabs run --out` wrote")
    else:
        tables, name = [breakdown(options.runs / "lite")], "lite_suite"
    for table in tables:
        table.show()
    publish(options.markdown, name, tables)


if __name__ == "__main__":
    main()
