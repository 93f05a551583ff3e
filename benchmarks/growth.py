"""How the costs of steps grow with their sizes, and of data with its rows.

The time and memory of a training step grow with embeddings, batch and depth; the time of reading and probing with rows.

    python benchmarks/growth.py                               # three minutes on two cores
    python benchmarks/growth.py --plot docs/growth.png --markdown benchmarks/README.md

A step is one of `dabs pretrain` (forward, backward, clipping, AdamW) in fp32, with blocks of the paper's width; its
memory is what the forward pass keeps for the backward pass, the same on every machine. All sizes of a row take turns,
and the exponent p of size ** p is fitted to the three largest sizes, where constant costs matter least.

Expected: no exponent above 2, that of attention in N (for times 2.2, because timing is noisy). If one is larger, the
exit code is 1.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from reporting import parser_of, publish

from dabs.bench.reading import mapped_inputs
from dabs.bench.step import TrainingStep
from dabs.bench.synthetic import synthetic_domain, synthetic_features
from dabs.bench.timing import TimingTable, alternate
from dabs.encoder import PRESETS
from dabs.evaluation.probes import Features, linear_probe, nearest_neighbours
from dabs.registry import find_algorithm
from dabs.specs import Series, Tokens

LIMITS = {"time": 2.2, "memory": 2.02}
ALGORITHMS = ("emix", "shed", "contrastive")
TOKENS = Tokens(length=128, vocabulary=30522)


@dataclass(frozen=True, kw_only=True)
class GrowthCurve:
    """One quantity at growing sizes."""

    along: str  # what grows
    name: str
    kind: str  # "time" in seconds or "memory" in bytes
    sizes: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """Return the exponent p of size ** p, fitted to the three largest sizes."""
        return float(np.polyfit(np.log(self.sizes[-3:]), np.log(self.values[-3:]), 1)[0])

    def row(self) -> tuple[str, ...]:
        """Return the table's row: sizes, values, exponent."""
        unit, scale = ("ms", 1e3) if self.kind == "time" else ("MB", 1e-6)
        values = ", ".join(f"{scale * value:,.3g}" for value in self.values)
        sizes = f"{self.sizes[0]:,} … {self.sizes[-1]:,}"
        return self.along, self.name, sizes, f"{values} {unit}", f"{self.exponent:.2f}"


def step(embeddings: int, batch: int, depth: int, algorithm: str) -> TrainingStep:
    """Return a step on a series with one time step per embedding."""
    specs = (Series(steps=embeddings, channels=8, segment=1),)
    return TrainingStep(specs, find_algorithm(algorithm), replace(PRESETS["paper"], depth=depth), batch)


def measure_steps(
    along: str, name: str, makers: dict[int, Callable[[], TrainingStep]], rounds: int
) -> list[GrowthCurve]:
    """Measure the time and memory of steps of growing size."""
    steps = {str(size): make() for size, make in makers.items()}
    times, sizes = alternate(steps, rounds), tuple(makers)
    seconds = tuple(times[str(size)].median for size in sizes)
    kept = tuple(float(one.memory()) for one in steps.values())
    return [
        GrowthCurve(along=along, name=name, kind="time", sizes=sizes, values=seconds),
        GrowthCurve(along=along, name=name, kind="memory", sizes=sizes, values=kept),
    ]


def measure_work(along: str, name: str, work: dict[int, Callable[[], object]], rounds: int) -> GrowthCurve:
    """Measure the time of some work at growing sizes."""
    times = alternate({str(size): one for size, one in work.items()}, rounds)
    values = tuple(times[str(size)].median for size in work)
    return GrowthCurve(along=along, name=name, kind="time", sizes=tuple(work), values=values)


def step_curves(quick: bool) -> Iterator[GrowthCurve]:
    """Measure steps of growing embeddings, batch and depth."""
    rounds = 1 if quick else 3
    ns, batches, depths = (16, 32, 64), (2, 4, 8), (1, 2, 4)
    if not quick:
        ns, batches, depths = (64, 128, 256, 512, 1024), (4, 8, 16, 32, 64), (1, 2, 4, 8, 16)
    for algorithm in ALGORITHMS:
        makers = {n: (lambda n=n, a=algorithm: step(n, 4, 2, a)) for n in ns}
        yield from measure_steps("embeddings N", algorithm, makers, rounds)
        makers = {b: (lambda b=b, a=algorithm: step(ns[0], b, 2, a)) for b in batches}
        yield from measure_steps("batch B", algorithm, makers, rounds)
        makers = {d: (lambda d=d, a=algorithm: step(ns[0], 4, d, a)) for d in depths}
        yield from measure_steps("depth", algorithm, makers, rounds)


def data_curves(quick: bool) -> Iterator[GrowthCurve]:
    """Measure what depends on the number of rows: a batch, the order of an epoch, the probes."""
    rounds = 1 if quick else 5
    rows = (200, 400, 800) if quick else (16_000, 64_000, 256_000)
    places = {n: np.random.default_rng(0).integers(0, n, 256) for n in rows}
    with synthetic_domain((TOKENS,), rows[-1]) as domain:
        (column,) = mapped_inputs(domain)
        batch = {n: (lambda n=n: column.rows(places[n])) for n in rows}
        yield measure_work("rows", "reading a batch of 256 texts", batch, 20 * rounds)
    order = {n: (lambda n=n: np.random.Generator(np.random.PCG64([0, 0])).permutation(n)) for n in rows}
    yield measure_work("rows", "the order of an epoch", order, rounds)
    rows = (100, 200, 400) if quick else (2000, 4000, 8000)
    made = {n: synthetic_features(n, 16 if quick else 256, 10) for n in rows}
    probes = {n: (lambda pair=pair: linear_probe(*pair)) for n, pair in made.items()}
    yield measure_work("rows", "linear probe, C swept", probes, 1 if quick else 2)
    fixed = {n: (with_few_queries(data), task) for n, (data, task) in made.items()}
    neighbours = {n: (lambda pair=pair: nearest_neighbours(*pair)) for n, pair in fixed.items()}
    yield measure_work("rows", "k-NN of 100 queries", neighbours, rounds)


def with_few_queries(data: Features) -> Features:
    """Return the same training rows, with only a few rows of the other splits to predict."""
    cut = {"train": slice(None), "validation": slice(10), "test": slice(90)}
    parts = [{name: x[cut[name]] for name, x in kept.items()} for kept in (data.features, data.labels)]
    return replace(data, features=parts[0], labels=parts[1])


def draw(lines: list[GrowthCurve], path: Path) -> None:
    """Draw a panel for each thing that grows: time as solid, memory as dashed lines, relative to the smallest size."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = list(dict.fromkeys(line.along for line in lines))
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 4), layout="constrained")
    for axis, along in zip(axes, panels, strict=True):
        own = [line for line in lines if line.along == along]
        colours = {name: f"C{i}" for i, name in enumerate(dict.fromkeys(line.name for line in own))}
        for line in own:
            style = "-o" if line.kind == "time" else "--s"
            label = f"{line.name}, {line.kind}: {line.exponent:.2f}"
            relative = np.array(line.values) / line.values[0]
            axis.loglog(line.sizes, relative, style, color=colours[line.name], markersize=4, label=label)
        sizes = np.array(max((line.sizes for line in own), key=lambda sizes: sizes[-1] / sizes[0]), dtype=float)
        for power in (1, 2):
            axis.loglog(sizes, (sizes / sizes[0]) ** power, ":", color="grey", linewidth=1)
            axis.annotate(f"size$^{power}$", (sizes[-1], (sizes[-1] / sizes[0]) ** power), color="grey", fontsize=8)
        axis.set(xlabel=along, ylabel="times the smallest")
        axis.xaxis.set_minor_formatter("")  # labels within a decade would overlap
        axis.legend(fontsize=7)
    figure.savefig(path, dpi=110)


def main() -> int:
    """Measure, print, and report what grows too fast."""
    parser = parser_of(__doc__)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the curves")
    options = parser.parse_args()
    lines = [*step_curves(options.quick), *data_curves(options.quick)]
    table = TimingTable(
        title="growth",
        columns=("grows", "of", "sizes", "values", "exponent"),
        rows=[line.row() for line in lines],
    )
    table.show()
    if options.plot:
        draw(lines, options.plot)
    publish(options.markdown, "growth", [table], "No exponent may exceed 2, attention's in N.")
    fast = [] if options.quick else [line for line in lines if line.exponent > LIMITS[line.kind]]
    for line in fast:
        print(f"grows faster than attention: {' '.join(line.row())}")
    return 1 if fast else 0


if __name__ == "__main__":
    sys.exit(main())
