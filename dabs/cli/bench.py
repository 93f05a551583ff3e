"""`dabs bench`: how fast this machine trains, evaluates and reads."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rich.console import Console

from dabs.cli.options import Command
from dabs.config import EncoderSize


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Measure training steps, the lite suite, evaluation and reading, in about two minutes. Nothing is written."""

    algorithm: str = "shed"  # whose training step is measured on every kind of input
    encoder: EncoderSize = "paper"  # size of the encoder in those steps
    batch_size: int = 16  # examples per step
    rounds: int = 2  # how often each thing is timed


COMMAND = Command(
    words="bench",
    options=BenchOptions,
    examples=(
        ("about two minutes", "dabs bench"),
        ("steps of the small encoder in larger batches", "dabs bench --encoder small --batch-size 64"),
        ("your own algorithm, timed more often", "dabs bench --algorithm my_idea.py:MyIdea --rounds 5"),
    ),
)


def main(arguments: list[str]) -> None:
    """Parse, measure, print."""
    options = COMMAND.parse(arguments)
    from dabs.bench import tables
    from dabs.bench.timing import busy_warning, describe_machine

    begun, console = time.perf_counter(), Console()
    console.print(describe_machine(), highlight=False, soft_wrap=True)
    warning = busy_warning()
    if warning:
        console.print(warning, style="yellow", highlight=False, soft_wrap=True)
    algorithm, encoder, batch_size, rounds = options.algorithm, options.encoder, options.batch_size, options.rounds
    with console.status("matrix products") as status:
        peaks = tables.measure_peaks()
        status.update("training steps")
        steps, limits = tables.step_table(algorithm, encoder, batch_size, rounds, peaks)
        status.update("the lite suite")
        suite = tables.suite_table(rounds)
        status.update("evaluation")
        evaluation = tables.evaluation_table(algorithm, encoder, batch_size, rounds)
        status.update("reading")
        reading = tables.reading_table(rounds)
    for table in (steps, suite, evaluation, reading):
        table.show()
    console.print("\n".join(limits), highlight=False, soft_wrap=True)
    console.print(f"measured in {time.perf_counter() - begun:.0f} s", highlight=False)
