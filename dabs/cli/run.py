"""`dabs run`: every algorithm in every domain, several cells at a time, resumable; then the table and the report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from dabs.cli import verb_module
from dabs.cli.terminal import shown, table_console, training_progress, warn_unless_clean
from dabs.config import EncoderSize, PretrainConfig, Protocol, Suite
from dabs.data.domain import Domain
from dabs.errors import RequestError
from dabs.evaluation.raw_input import RAW
from dabs.grid.cells import Cell, check_cell, fetch_cell, is_done, plan_jobs, prepare_domain
from dabs.launch import Executor, Job, LaunchOptions, Outcome, Progress, executor_of, run_graph
from dabs.launch.options import count_parallel_cells
from dabs.registry import algorithm_label, algorithm_names, domain_names, find_algorithm, find_domain
from dabs.specs import Tokens
from dabs.utils.environment import environment
from dabs.utils.files import write_json

RAW_VALUES = 1 << 15  # in one input of an example, at most, for the raw-input row


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """Run the whole benchmark, or part of it. What is done already is not repeated."""

    algorithms: tuple[str, ...] = ()  # names or path/to/file.py:Class; all registered ones when none is named
    domains: tuple[str, ...] = ()  # which domains; all when none is named
    seeds: int = 1  # pretraining seeds 0 .. N-1 of every algorithm
    protocol: tuple[Protocol, ...] = ("linear", "knn")  # how encoders are read
    suite: Suite = "lite"  # which data
    encoder: EncoderSize = "auto"  # its sizes; auto: small in lite, paper in paper
    steps: int = 0  # pretraining steps; 0 takes each domain's standard budget
    accumulate: int = 1  # compute every batch in so many parts, in less memory; negatives come from a part
    out: Path = Path("runs")  # where runs and results are written
    store: str = ""  # fsspec URL (s3://bucket/folder) that mirrors OUT, for machines without a common disk
    report: Path | None = None  # the HTML report; default OUT/report.html
    launching: LaunchOptions = field(default_factory=LaunchOptions)


def main(arguments: list[str]) -> int:
    """Parse, run the grid, print the table."""
    options = tyro.cli(GridOptions, prog="dabs run", args=arguments, config=(tyro.conf.OmitArgPrefixes,))
    failed = run_grid(options)
    return 1 if failed else 0


def plan(options: GridOptions) -> list[Cell]:
    """The cells of the grid, the raw-input row first, then seed by seed.

    Raises:
        RequestError: an unknown algorithm, domain or task.
    """
    algorithms = options.algorithms or tuple(algorithm_names())
    domains = options.domains or tuple(domain_names(options.suite))
    if options.seeds < 1 or options.steps < 0 or not options.protocol:
        raise RequestError("--seeds must be at least 1, --steps at least 0, and --protocol names one or more.")
    for name in algorithms:
        find_algorithm(name)
    labels = [RAW, *(algorithm_label(name) for name in algorithms)]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise RequestError(f"two rows of the table would be called {', '.join(twice)}; rename one or leave it out.")
    tasks = {name: tuple(task.name for task in find_domain(name, options.suite).tasks) for name in domains}
    rows = [(RAW, 0)] + [(name, seed) for seed in range(options.seeds) for name in algorithms]
    readable = {name for name in domains if _raw_fits(find_domain(name, options.suite))}
    return [
        Cell(
            config=PretrainConfig(
                algorithm=algorithm,
                domain=domain,
                seed=seed,
                suite=options.suite,
                encoder=options.encoder,
                steps=options.steps,
                accumulate=options.accumulate,
            ),
            label=algorithm_label(algorithm),
            protocols=tuple(p for p in options.protocol if not (algorithm == RAW and p == "finetune")),
            tasks=tasks[domain],
            out=options.out,
            store=options.store,
        )
        for algorithm, seed in rows
        for domain in domains
        if algorithm != RAW or domain in readable
    ]


def _raw_fits(domain: Domain) -> bool:
    """Whether the principal components of a domain's raw inputs can be held in memory; those of 224×224 cannot."""
    return all(isinstance(spec, Tokens) or prod(spec.shape) <= RAW_VALUES for spec in domain.specs)


def run_grid(options: GridOptions, console: Console | None = None) -> dict[str, str]:
    """Prepare the data, run every cell that is not done, show the table and write the report.

    Returns:
        What failed: the cell's name -> the reason. A cell that fails does not stop the others.
    """
    console = console or table_console()
    cells = plan(options)
    for cell in cells:
        fetch_cell(cell, results_only=True)
        check_cell(cell)
    todo = [cell for cell in cells if not is_done(cell)]
    raw = sum(cell.label == RAW for cell in todo)
    about = f"; {raw} are `raw`, the inputs without an encoder, to compare with" if raw else ""
    console.print(f"{len(cells)} cells, {len(cells) - len(todo)} done already{about}", highlight=False)
    if todo:
        warn_unless_clean(console)
    begun = time.perf_counter()
    failed, spent = _perform(options, todo, console) if todo else ({}, {})
    if not failed and todo == cells:  # a resumed or incomplete grid says nothing of the whole
        _write_timing(options, cells, spent)
    for cell in todo:
        fetch_cell(cell, results_only=True)
    if any((options.out / options.suite).rglob("*.result.json")):
        # of a grid over all domains, one that gave nothing leaves the overall mean empty
        tasks = None if options.domains else {cell.config.domain: cell.tasks for cell in cells}
        suite = options.suite
        board = verb_module("leaderboard")
        board.show([options.out], protocol=options.protocol[0], console=console, tasks=tasks, suite=suite)
        where = board.build([options.out], options.report or options.out / "report.html", tasks, suite)
        minutes = (time.perf_counter() - begun) / 60
        console.print(f"{minutes:.1f} minutes; report: {where.resolve()}", highlight=False, soft_wrap=True)
    return failed


def _perform(options: GridOptions, todo: list[Cell], console: Console) -> tuple[dict[str, str], dict[str, float]]:
    """Launch the tasks of some cells and list what failed, with its log; gives that, and the seconds spent."""
    begun = time.perf_counter()
    where = options.launching
    tasks = {task.name: task for task in plan_jobs(todo, spread=where.launcher != "local")}
    executor = executor_of(where, options.out.absolute() / "logs" / where.launcher)
    display = _Display(console, len(tasks), executor)
    try:
        with display.progress:
            outcomes = run_graph(tasks.values(), executor, display, retries=where.retries)
    finally:
        executor.close()
    failed = {name: outcome.text for name, outcome in outcomes.items() if outcome.ran and not outcome.ok}
    for name, reason in failed.items():
        log = f" (log: {tasks[name].log})" if tasks[name].log.exists() else ""
        console.print(f"failed {name}: {reason}{log}", highlight=False, markup=False, style="red", soft_wrap=True)
    return failed, {"prepare": display.prepared - begun, "cells": time.perf_counter() - display.prepared}


def _write_timing(options: GridOptions, cells: list[Cell], spent: dict[str, float]) -> None:
    """Keep the minutes of a grid that was run in one go."""
    machine = {k: v for k, v in environment().items() if k in ("processor", "cores", "device", "python", "platform")}
    where = options.launching
    jobs = {"jobs": count_parallel_cells(where)} if where.launcher == "local" else {"launcher": where.launcher}
    minutes = {name: round(seconds / 60, 2) for name, seconds in spent.items()}
    value = {"cells": len(cells), **jobs, "seeds": options.seeds, "protocols": list(options.protocol)}
    write_json(options.out / options.suite / "timing.json", {**value, "minutes": minutes, "machine": machine})


class _Display:
    """One live display of what runs: a bar for all tasks, and one for each that says how far it is."""

    def __init__(self, console: Console, tasks: int, executor: Executor) -> None:
        self.messages: Any = getattr(executor, "messages", None)  # only the processes of this machine send any
        self.progress = training_progress(console)
        self.bars: dict[str, Any] = {}
        self.prepared = time.perf_counter()  # when the last data was there
        self.all = self.progress.add_task("[bold]tasks", total=tasks, shown="")

    def ended(self, task: Job, outcome: Outcome) -> None:
        """Say how a task ended."""
        self.look()
        bar = self.bars.pop(task.name, None)
        if bar is not None:
            self.progress.remove_task(bar)
        line = f"done {task.name}: {outcome.text}" if outcome.ok else f"failed {task.name}"
        if not outcome.ran:
            line = f"left out {task.name}: {outcome.text}"
        if task.function is prepare_domain:
            self.prepared = time.perf_counter()
        self.progress.console.print(line, highlight=False, markup=False)
        self.progress.advance(self.all)

    def lost(self, task: Job, reason: str) -> None:
        """Say that a task is run again."""
        line = f"lost {task.name}, which is run again: {reason}"
        self.progress.console.print(line, highlight=False, markup=False)

    def look(self) -> None:
        """Show what the tasks have said."""
        while self.messages is not None and not self.messages.empty():
            found: Progress = self.messages.get()
            name, text = found.name, shown(found.text, **found.numbers)
            if name not in self.bars:
                self.bars[name] = self.progress.add_task(name, total=None, shown="")
                if not self.progress.console.is_terminal:  # no bar is seen there
                    self.progress.console.print(f"begun {name}", highlight=False, markup=False)
            self.progress.update(self.bars[name], completed=found.step, total=found.steps or None, shown=text)
