"""`dabs eval RUN`: evaluate a run and write its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console

from dabs.cli.options import Command
from dabs.config import STANDARD_PROTOCOLS, Protocol


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """Evaluate a complete run. Only its weights and configuration are read, never the algorithm's code."""

    run: tyro.conf.Positional[str]  # folder of the run, or hf://USER/NAME[@REVISION] for one on the hub
    tasks: tuple[str, ...] = ()  # which tasks; all of the domain if none is named
    protocol: tuple[Protocol, ...] = STANDARD_PROTOCOLS  # how the encoder is evaluated
    domain: str = ""  # path/to/file.py:NAME, for a run on a domain of your own, whose file is run


COMMAND = Command(
    words="eval",
    options=EvalOptions,
    examples=(
        ("every task of the domain, by the standard protocols", "dabs eval runs/lite/shed/sensor/seed7"),
        (
            "one task, by linear probe and by fine-tuning",
            "dabs eval runs/lite/shed/sensor/seed7 --tasks exercise --protocol linear finetune",
        ),
    ),
)


def main(arguments: list[str]) -> None:
    """Parse, evaluate, print each score as soon as it is computed."""
    options = COMMAND.parse(arguments)
    from dabs.evaluation.evaluate import evaluate, write_results
    from dabs.results.hub import is_on_hub, local_run, results_home

    console = Console()
    run = local_run(options.run)  # before the status line, which would hide the progress of a download
    home = results_home(options.run, run)
    with console.status("reading the run") as live:
        evaluated = evaluate(
            run, options.tasks, options.protocol, lambda line: live.update(line), domain=options.domain
        )
        for _, item in write_results(home, evaluated):
            result = item.result
            name = f"{result.task:24} {result.protocol:9} {result.metric.name:9}"
            interval = f"[{result.interval.low:.4f}, {result.interval.high:.4f}]"
            console.print(f"{name} {result.score:.4f}  {interval}", highlight=False, markup=False)
    skipped = [] if options.tasks else _unprepared_tasks(run, options.domain)
    if skipped:
        console.print(f"skipped, because their data is not prepared: {', '.join(skipped)}", highlight=False)
    where = " (not in runs, whose results count as yours)" if is_on_hub(options.run) else ""
    console.print(f"results in {home / 'results'}{where}", highlight=False, soft_wrap=True)


def _unprepared_tasks(run: Path, domain: str) -> list[str]:
    """Return the tasks of a run's domain whose data is not prepared."""
    from dabs.data.prepared import tasks_not_prepared
    from dabs.registry import find_domain
    from dabs.training.run_folder import load_config

    config = load_config(run)
    return tasks_not_prepared(find_domain(domain or config.domain, config.suite))
