"""What the cells of a grid cost on this machine, and when the last one ends.

The operations of each cell are counted, and the seconds of one training step are measured. So an estimate takes some
seconds, and is good to about a quarter.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from dabs.config import steps_at
from dabs.errors import DabsError
from dabs.evaluation.reference_rows import RAW, SUMMARY, SUPERVISED

if TYPE_CHECKING:
    from dabs.data.domain import Domain
    from dabs.grid.cells import Cell

STAND_IN = "shed"  # measured, and counted for algorithms whose file does not load
MEASURED_STEPS = 3
WORTH_IT = 1000  # steps of all cells together
EXAMPLES_OF_A_TASK = 6500  # in lite's splits together, if they are not prepared yet
PROBE_SECONDS = 1.5  # whitening, and fitting all strengths or finding all neighbours
PREPARE_SECONDS = 20.0  # of a domain of lite
START_SECONDS = 2.0  # of a cell: loading and writing; its process is started once


@dataclass(frozen=True, kw_only=True)
class CellCost:
    """The seconds that a cell is expected to take with one process."""

    pretraining: float
    evaluation: float

    @property
    def seconds(self) -> float:
        """Return all of them."""
        return self.pretraining + self.evaluation


def estimate(cells: Sequence[Cell], threads: int) -> dict[str, CellCost]:
    """Return the expected cost of each cell by its name; nothing for a grid that ends before it could be estimated.

    Args:
        cells: those that will run.
        threads: of each cell; a step is measured with as many.
    """
    import torch

    if sum(_steps(cell) for cell in cells) < WORTH_IT:
        return {}
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        pace = _seconds_per_operation()
        return {cell.name: _cost(cell, pace) for cell in cells}
    finally:
        torch.set_num_threads(before)


def _steps(cell: Cell) -> int:
    from dabs.registry import find_domain

    steps = find_domain(cell.config.domain, cell.config.suite).steps
    return cell.config.steps or steps_at(cell.config.budget, steps)


def longest_first(cells: Iterable[Cell], costs: Mapping[str, CellCost]) -> list[Cell]:
    """Return the cells seed by seed, and within a seed the most expensive first: no long one is left at the end.

    Without costs, the order stays.
    """
    if not costs:
        return list(cells)
    return sorted(cells, key=lambda cell: (cell.config.seed, -costs[cell.name].seconds))


def text_of(seconds: float) -> str:
    """Return a rounded time in words, such as "about 12 minutes"."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} seconds"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


@dataclass
class TimeLeft:
    """Estimates how long a grid will still take, from the costs and from what has been done so far.

    Attributes:
        costs: of each cell, by name.
        parallel: cells that run at a time.
    """

    costs: Mapping[str, CellCost]
    parallel: int
    begun: float = field(default_factory=time.perf_counter)
    running: dict[str, float] = field(default_factory=dict)  # the share of a cell that is done, by its name
    ended: set[str] = field(default_factory=set)

    def update(self, name: str, step: int, steps: int) -> None:
        """Note how far a cell has trained."""
        cost = self.costs.get(name)
        if cost is not None and steps:
            self.running[name] = step / steps * cost.pretraining / max(cost.seconds, 1e-9)

    def end(self, name: str) -> None:
        """Note that a cell has ended."""
        self.running.pop(name, None)
        self.ended.add(name)

    def seconds(self, now: float | None = None) -> float:
        """Return the expected seconds until the last cell ends."""
        now = time.perf_counter() if now is None else now
        total = sum(cost.seconds for cost in self.costs.values())
        done = sum(self.costs[name].seconds for name in self.ended if name in self.costs)
        done += sum(share * self.costs[name].seconds for name, share in self.running.items())
        # how much slower this grid is than expected; at first, the expectation counts more than what was seen
        trust = 60.0 * self.parallel
        slower = (trust + (now - self.begun) * self.parallel) / (trust + done)
        return slower * max(0.0, total - done) / self.parallel


def _cost(cell: Cell, pace: float) -> CellCost:
    from dabs.registry import find_domain
    from dabs.training.pretrain import with_budget

    domain = find_domain(cell.config.domain, cell.config.suite)
    config = with_budget(cell.config, domain)
    size, name = (config.suite, domain.name, config.encoder, config.batch_size), config.algorithm
    forward = _forward_operations(*size) / config.batch_size * pace
    examples = sum(_examples(domain, task) for task in cell.tasks)
    probes = PROBE_SECONDS * len(cell.tasks) * len(cell.protocols)
    if name in (RAW, SUMMARY):
        return CellCost(pretraining=0.0, evaluation=START_SECONDS + probes)
    reading = forward * examples + probes
    if "finetune" in cell.protocols:
        reading += _finetuning_steps(config.suite) * 3 * forward * config.batch_size * len(cell.tasks)
    if name == SUPERVISED:
        training = 3 * forward * config.batch_size * config.steps * len(cell.tasks)
        return CellCost(pretraining=0.0, evaluation=START_SECONDS + training + reading)
    step = _step_operations(name, *size) * pace
    return CellCost(pretraining=START_SECONDS + step * config.steps, evaluation=reading)


def _examples(domain: Domain, task: str) -> int:
    """Return how many examples the splits of a task have."""
    from dabs.data.domain import SPLITS
    from dabs.data.prepared import is_prepared, open_prepared

    if not is_prepared(domain, (task,)):
        return EXAMPLES_OF_A_TASK
    data = open_prepared(domain, task)
    return sum(data.entry(split).rows for split in SPLITS)


def _finetuning_steps(suite: str) -> int:
    from dabs.evaluation.finetune import recipe_of

    recipe = recipe_of(suite)
    return len(recipe.learning_rates) * min(recipe.max_steps, recipe.epochs * EXAMPLES_OF_A_TASK // recipe.batch_size)


@cache
def _forward_operations(suite: str, domain: str, encoder: str, batch_size: int) -> int:
    from dabs.bench.timing import step_flops
    from dabs.encoder import PRESETS, Encoder
    from dabs.registry import find_domain

    return step_flops(Encoder(PRESETS[encoder], find_domain(domain, suite).specs), batch_size, backward=False)


@cache
def _step_operations(algorithm: str, suite: str, domain: str, encoder: str, batch_size: int) -> int:
    """Return the operations of one step; 0 for an algorithm that does not train."""
    from dabs.bench.step import TrainingStep
    from dabs.encoder import PRESETS
    from dabs.registry import find_algorithm, find_domain

    specs = find_domain(domain, suite).specs
    try:
        found = find_algorithm(algorithm)
        if not found.trains:
            return 0
        return TrainingStep(specs, found, PRESETS[encoder], batch_size).flops()
    except (DabsError, TypeError, ValueError, RuntimeError):  # a cell of this algorithm will say what is wrong
        return TrainingStep(specs, find_algorithm(STAND_IN), PRESETS[encoder], batch_size).flops()


@cache
def _seconds_per_operation() -> float:
    """Measure some steps of the small encoder on sensor data, without the first; return seconds per operation."""
    from dabs.bench.step import TrainingStep
    from dabs.bench.timing import seconds_of
    from dabs.encoder import PRESETS
    from dabs.registry import find_algorithm, find_domain
    from dabs.training.precision import resolve_precision

    domain = find_domain("sensor")
    step = TrainingStep(
        domain.specs,
        find_algorithm(STAND_IN),
        PRESETS["small"],
        domain.batch_size,
        precision=resolve_precision("auto"),
    )
    step()
    return min(seconds_of(step) for _ in range(MEASURED_STEPS)) / step.flops()
