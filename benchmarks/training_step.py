"""Time training steps against a textbook's, per kind of input and algorithm.

    python benchmarks/training_step.py                               # batches of 16; six minutes on two cores
    python benchmarks/training_step.py --encoder small --batch 64    # the sizes of the lite suite
    python benchmarks/training_step.py --compile                     # also torch.compile, and how long it takes
    python benchmarks/training_step.py --curve                       # 200 steps in bf16 against three seeds in fp32
    python benchmarks/training_step.py --profile emix natural_images # where the time of one step goes

All sides of a row have the same weights and batch, and take turns in one process. Before that, their losses and
gradients are compared without dropout: in fp32 they must agree up to rounding (1e-4); in bf16, ours may deviate from
fp32 at most 1.5 times as much as the textbook's own under autocast.

Expected: a geometric mean of 4 against the textbook in fp32, with no row under 3, and of 2 against the same code under
bf16 autocast. The ratio of the machine's two peaks, which the table's title states, is an upper bound.
"""

from __future__ import annotations

import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, geometric_mean

import numpy as np
import torch
from reporting import parser_of, publish
from textbook import TextbookStep

from dabs.bench.step import TrainingStep
from dabs.bench.timing import Times, TimingTable, alternate, peak_flops, step_flops
from dabs.config import PretrainConfig
from dabs.encoder import PRESETS, EncoderConfig
from dabs.registry import find_algorithm, find_domain
from dabs.training.log import read_metrics
from dabs.training.memory import keep_freed_memory
from dabs.training.precision import resolve_precision
from dabs.training.pretrain import pretrain

DOMAINS = ("natural_images", "english_text", "sensor", "captioned_images")  # image, tokens, series, image and tokens
ALGORITHMS = ("emix", "shed", "contrastive")
PASSES = {"emix": 2.0, "shed": 1.0, "contrastive": 1.0}  # how often the whole batch goes through the encoder in a step
TEXTBOOK, TEXTBOOK_BF16, OURS, COMPILED = "textbook fp32", "textbook bf16", "dabs", "dabs compiled"
FP32_TOLERANCE = 1e-4  # largest distance from the textbook's gradients, as a share of their length
DRAWS = 8  # of an objective, over which the distances are averaged
BF16_TOLERANCE = 1.5  # in bf16, as a multiple of the textbook's own


@dataclass(frozen=True, kw_only=True)
class StepComparison:
    """The times of all sides for one kind of input and one algorithm."""

    domain: str
    algorithm: str
    times: dict[str, Times]
    flops: int
    compile_seconds: float | None

    def cells(self, peak: float) -> tuple[str, ...]:
        """Return the table's row; `peak` is the machine's peak in our precision."""
        ours = self.times[OURS]
        parts = [f"{self.algorithm}, {self.domain}", *(f"{1e3 * t.median:.0f}" for t in self.times.values())]
        parts += [str(self.times[side].over(ours)) for side in (TEXTBOOK, TEXTBOOK_BF16)]
        rate = self.flops / ours.median
        parts += [f"{rate / 1e9:.0f}", f"{100 * rate / peak:.0f} %"]
        if self.compile_seconds is not None:
            parts += [str(self.times[TEXTBOOK].over(self.times[COMPILED])), f"{self.compile_seconds:.0f}"]
        return tuple(parts)


def gradients(step: TrainingStep, draw: int) -> tuple[float, torch.Tensor]:
    """Return the loss of the step's batch, and all its gradients in one vector; `draw` seeds the objective's draws."""
    torch.manual_seed(draw)
    loss = step.loss(step.batch)
    loss.backward()  # type: ignore[no-untyped-call]
    found = torch.cat([p.grad.flatten() for p in step.objective.encoder.parameters() if p.grad is not None])
    step.optimizer.zero_grad(set_to_none=True)
    return float(loss.detach()), found


def check(domain: str, algorithm: str, config: EncoderConfig, *, lite: bool) -> None:
    """Exit unless our step without dropout computes what the textbook's does, in fp32 and in bf16."""
    specs, objective = find_domain(domain, "lite" if lite else "paper").specs, find_algorithm(algorithm)
    plain, size = replace(config, dropout=0.0), 8
    textbook = TextbookStep(specs, objective, plain, size)
    exact = [gradients(textbook, draw) for draw in range(DRAWS)]

    def distance(side: TrainingStep) -> float:
        """Return the root mean square over the draws: rounding is chance, and a single draw says little about it."""
        squares = []
        for draw, (loss, wanted) in enumerate(exact):
            found_loss, found = gradients(side, draw)
            if abs(found_loss - loss) > (0.02 if side.precision == "bf16" else 1e-4) * abs(loss):
                where = f"{algorithm}, {domain}"
                sys.exit(f"{where}: the loss is {found_loss:.6g} in {side.precision}, the textbook's {loss:.6g}")
            squares.append(float((found - wanted).norm() / wanted.norm()) ** 2)
        return fmean(squares) ** 0.5

    rounding = distance(TextbookStep(specs, objective, plain, size, precision="bf16"))
    for precision, limit in (("fp32", FP32_TOLERANCE), ("bf16", BF16_TOLERANCE * rounding)):
        found = distance(TrainingStep(specs, objective, plain, size, precision=precision))
        if found > limit:
            sys.exit(
                f"{algorithm}, {domain}: gradients in {precision} deviate by {found:.2g} of their length, where "
                f"{limit:.2g} is allowed"
            )


def sides_of(
    domain: str, algorithm: str, config: EncoderConfig, size: int, *, lite: bool, compiled: bool
) -> dict[str, TrainingStep]:
    """Return the sides of a row, with equal weights and batches."""
    specs, objective = find_domain(domain, "lite" if lite else "paper").specs, find_algorithm(algorithm)
    auto = resolve_precision("auto")
    sides: dict[str, TrainingStep] = {
        TEXTBOOK: TextbookStep(specs, objective, config, size),
        TEXTBOOK_BF16: TextbookStep(specs, objective, config, size, precision="bf16"),
        OURS: TrainingStep(specs, objective, config, size, precision=auto),
    }
    if compiled:
        sides[COMPILED] = TrainingStep(specs, objective, config, size, precision=auto, mode="default")
    return sides


def row_of(domain: str, algorithm: str, options: Namespace) -> StepComparison:
    """Check and time all sides of a row."""
    config, size, lite = PRESETS[options.encoder], options.batch, options.encoder == "small"
    check(domain, algorithm, config, lite=lite)
    sides = sides_of(domain, algorithm, config, size, lite=lite, compiled=options.compile)
    compile_seconds = None
    if options.compile:
        begun = time.perf_counter()
        sides[COMPILED]()
        compile_seconds = time.perf_counter() - begun
    times = alternate(sides, options.rounds)
    flops = step_flops(sides[OURS].objective.encoder, size, PASSES[algorithm])
    return StepComparison(domain=domain, algorithm=algorithm, times=times, flops=flops, compile_seconds=compile_seconds)


def table_of(rows: list[StepComparison], options: Namespace) -> TimingTable:
    """Return the table of all rows and their geometric means."""
    peak = {name: peak_flops(dtype) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    columns = ["step", *(f"{name}, ms" for name in rows[0].times), "against fp32", "against bf16", "GFLOP/s", "of peak"]
    if options.compile:
        columns += ["compiled against fp32", "first step, s"]
    table = TimingTable(
        title=f"{options.encoder} encoder, batches of {options.batch}; square products at best "
        f"{peak['fp32'] / 1e9:.0f} GFLOP/s in fp32, {peak['bf16'] / 1e9:.0f} in bf16",
        columns=tuple(columns),
        rows=[row.cells(peak[resolve_precision("auto")]) for row in rows],
    )
    means = {
        side: geometric_mean(row.times[side].over(row.times[OURS]).median for row in rows)
        for side in (TEXTBOOK, TEXTBOOK_BF16)
    }
    empty = [""] * len(rows[0].times)
    last = ["geometric mean", *empty, *(f"{mean:.2f}" for mean in means.values()), "", ""]
    if options.compile:
        compiled = geometric_mean(row.times[TEXTBOOK].over(row.times[COMPILED]).median for row in rows)
        last += [f"{compiled:.2f}", ""]
    table.rows.append(tuple(last))
    return table


def curve_of(seed: int, precision: str, steps: int, options: Namespace) -> np.ndarray:
    """Return the losses of a run on the lite sensor data, averaged over ten steps at a time."""
    config = PretrainConfig(
        algorithm="emix",
        domain="sensor",
        encoder=options.encoder,
        seed=seed,
        steps=steps,
        batch_size=options.batch,
        precision=precision,  # type: ignore[arg-type]
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = read_metrics(pretrain(config, Path(folder) / "run", logger="none"))
    return np.array([float(row["loss"]) for row in rows]).reshape(-1, 10).mean(axis=1)


def curve_table(options: Namespace) -> TimingTable:
    """Compare the losses in bf16 and fp32 with the same seed, and those of fp32 seeds with each other."""
    steps = 20 if options.quick else 200
    exact = [curve_of(seed, "fp32", steps, options) for seed in range(3)]
    rounded = curve_of(0, "bf16", steps, options)
    noise = np.mean([np.abs(a - b).mean() for i, a in enumerate(exact) for b in exact[:i]])
    rows = [
        ("bf16 against fp32, one seed", f"{np.abs(rounded - exact[0]).mean():.4f}", f"{rounded[-1]:.4f}"),
        ("fp32, two seeds (mean of three pairs)", f"{noise:.4f}", " ".join(f"{curve[-1]:.4f}" for curve in exact)),
    ]
    title = f"e-Mix on lite sensor data, {options.encoder} encoder, {steps} steps of {options.batch}"
    return TimingTable(title=title, columns=("losses over ten steps", "mean distance", "last"), rows=rows)


def show_profile(algorithm: str, domain: str, options: Namespace) -> None:
    """Print the operations that take most of the time of one of our steps."""
    sides = sides_of(
        domain, algorithm, PRESETS[options.encoder], options.batch, lite=options.encoder == "small", compiled=False
    )
    sides[OURS]()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        sides[OURS]()
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=16, max_name_column_width=44))


def arguments() -> ArgumentParser:
    """Return the parser of the options."""
    parser = parser_of(__doc__)
    parser.add_argument("--encoder", choices=("paper", "small"), default="paper")
    parser.add_argument("--batch", type=int, default=16, help="examples per step")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--domains", nargs="+", choices=DOMAINS, default=DOMAINS, help="domains whose inputs to use")
    parser.add_argument("--compile", action="store_true", help="also time torch.compile")
    parser.add_argument("--curve", action="store_true", help="compare loss curves instead")
    parser.add_argument(
        "--profile", nargs=2, metavar=("ALGORITHM", "DOMAIN"), help="print the profile of one step instead"
    )
    return parser


def main() -> None:
    """Print the table of steps, that of loss curves, or a profile."""
    options = arguments().parse_args()
    if options.quick:
        options.batch, options.rounds, options.encoder = 4, 1, "small"
    keep_freed_memory()
    if options.profile:
        show_profile(*options.profile, options)
        return
    if options.curve:
        table, name = curve_table(options), f"training_step, loss curves of {options.encoder}"
    else:
        rows = []
        for domain in options.domains:
            for algorithm in ALGORITHMS:
                rows.append(row_of(domain, algorithm, options))
                print(*rows[-1].cells(float("inf"))[:-1], sep="  ", flush=True)
        compiled = ", compiled" if options.compile else ""
        table, name = table_of(rows, options), f"training_step, {options.encoder}{compiled}"
    table.show()
    publish(options.markdown, name, [table])


if __name__ == "__main__":
    main()
