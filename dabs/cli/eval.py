"""`dabs eval RUN`: a pretrained run on its domain's tasks; results are written into the run's folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console

from dabs.training.run_folder import Protocol
from dabs.utils.files import sole_use

if TYPE_CHECKING:
    from dabs.evaluation.evaluate import Evaluation


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """Evaluate a complete run. Only its weights and configuration are read, never the algorithm's code."""

    run: tyro.conf.Positional[Path]  # the run's folder
    tasks: tuple[str, ...] = ()  # which tasks; all of the domain's when none is named
    protocol: tuple[Protocol, ...] = ("linear", "knn")  # how the encoder is read


def main(arguments: list[str]) -> None:
    """Parse, evaluate, print each score as it comes."""
    options = tyro.cli(EvalOptions, prog="dabs eval", args=arguments)
    from dabs.evaluation.evaluate import evaluate

    console = Console()
    with console.status("reading the run") as live:
        cells = evaluate(options.run, options.tasks, options.protocol, lambda line: live.update(line))
        for _, cell in write_all(options.run, cells):
            interval, score = cell.payload["interval"], cell.payload["score"]
            name = f"{cell.payload['task']:24} {cell.payload['protocol']:9} {cell.payload['metric']['name']:9}"
            console.print(
                f"{name} {score:.4f}  [{interval['low']:.4f}, {interval['high']:.4f}]", highlight=False, markup=False
            )
    left_out = [] if options.tasks else _left_out(options.run)
    if left_out:
        console.print(f"left out, their data is not prepared: {', '.join(left_out)}", highlight=False)
    console.print(f"results in {options.run / 'results'}", highlight=False, soft_wrap=True)


def _left_out(run: Path) -> list[str]:
    """The tasks of a run's domain whose data is not there."""
    from dabs.data.prepare import tasks_not_prepared
    from dabs.registry import find_domain
    from dabs.training.run_folder import load_config

    config = load_config(run)
    return tasks_not_prepared(find_domain(config.domain, config.suite))


@contextmanager
def sole_writer(run: Path, tasks: Iterable[str]) -> Iterator[None]:
    """Keep other processes from writing results of some tasks of a run; waits for those that do.

    The locks are one a task and taken in one order, so that a process for all tasks and one for a single task meet.
    """
    with ExitStack() as held:
        for task in sorted(set(tasks)):
            held.enter_context(sole_use(run.with_name(f"{run.name}-{task}"), wait=True))
        yield


def write_all(run: Path, cells: Iterable[Evaluation]) -> Iterator[tuple[Path, Evaluation]]:
    """Write each result into RUN/results as it comes, when no other process writes one; gives its path and itself."""
    from dabs.results.files import write_result

    for cell in cells:
        with sole_writer(run, (cell.payload["task"],)):  # a result and its predictions are of one writer
            path = write_result(run / "results", cell.payload, cell.predictions)
        yield path, cell
