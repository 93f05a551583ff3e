"""Where the minutes of the lite suite go, and whether two jobs are faster than one.

    make run                                    # expected: 13 minutes on two cores with bf16, 20 with AVX2
    python benchmarks/lite_suite.py runs        # its processor-minutes by domain and kind of work
    python benchmarks/lite_suite.py --together  # short cells, with one job and with two in turn

The minutes are those recorded by the results of the first seed and of rows without one; "supervised" is the training of
that row. Those of the whole grid are in its timing.json, if it was run in one go. `--together` compares two jobs of one
thread each with one job of all threads, on the same short cells of the sensor domain, which must be prepared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from reporting import parser_of, publish

from dabs.bench.timing import TimingTable, alternate
from dabs.config import FIRST_SEED
from dabs.evaluation.reference_rows import SUPERVISED
from dabs.utils.strict_json import read_json

STEPS = 100  # per cell with `--together`


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


def main() -> None:
    """Print one of the two tables."""
    parser = parser_of(__doc__)
    parser.add_argument("runs", nargs="?", type=Path, help="the folder that `dabs run --out` wrote")
    parser.add_argument("--together", action="store_true", help="compare one job with two instead")
    options = parser.parse_args()
    if options.together:
        table, name = together(1 if options.quick else 2, 4 if options.quick else STEPS), "lite_suite, jobs"
    elif options.runs is None or not (options.runs / "lite").is_dir():
        parser.error(f"no lite runs in {options.runs}: name the folder that `dabs run --out` wrote")
    else:
        table, name = breakdown(options.runs / "lite"), "lite_suite"
    table.show()
    publish(options.markdown, name, [table])


if __name__ == "__main__":
    main()
