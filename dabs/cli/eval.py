"""`dabs eval RUN`: a pretrained run on its domain's tasks; results are written into the run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro
from rich.console import Console

from dabs.config import Protocol

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """Evaluate a complete run. Only its weights and configuration are read, never the algorithm's code."""

    run: tyro.conf.Positional[Path]  # the run's folder
    tasks: tuple[str, ...] = ()  # which tasks; all of the domain's when none is named
    protocol: tuple[Protocol, ...] = ("linear", "knn")  # how the encoder is read


def main(arguments: list[str]) -> None:
    """Parse, evaluate, print each score as it comes."""
    options = tyro.cli(EvalOptions, prog="dabs eval", args=arguments)
    from dabs.evaluation.evaluate import evaluate, write_results

    console = Console()
    with console.status("reading the run") as live:
        cells = evaluate(options.run, options.tasks, options.protocol, lambda line: live.update(line))
        for _, cell in write_results(options.run, cells):
            result = cell.result
            name = f"{result.task:24} {result.protocol:9} {result.metric.name:9}"
            interval = f"[{result.interval.low:.4f}, {result.interval.high:.4f}]"
            console.print(f"{name} {result.score:.4f}  {interval}", highlight=False, markup=False)
    left_out = [] if options.tasks else _left_out(options.run)
    if left_out:
        console.print(f"left out, their data is not prepared: {', '.join(left_out)}", highlight=False)
    console.print(f"results in {options.run / 'results'}", highlight=False, soft_wrap=True)


def _left_out(run: Path) -> list[str]:
    """The tasks of a run's domain whose data is not there."""
    from dabs.data.prepared import tasks_not_prepared
    from dabs.registry import find_domain
    from dabs.training.run_folder import load_config

    config = load_config(run)
    return tasks_not_prepared(find_domain(config.domain, config.suite))
