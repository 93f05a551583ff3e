"""`dabs run`: every algorithm in every domain, then the table and the report."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from dabs.cli import verb_module
from dabs.cli.config_file import with_config_file
from dabs.cli.grid_display import GridDisplay
from dabs.cli.options import Command
from dabs.cli.terminal import table_console, warn_unless_clean
from dabs.config import (
    FIRST_SEED,
    STANDARD_PROTOCOLS,
    EncoderSize,
    Precision,
    PretrainConfig,
    Protocol,
    Suite,
    label_at,
    refuse_steps_and_budget,
)
from dabs.data.domain import Domain
from dabs.data.prepared import is_prepared
from dabs.errors import RequestError
from dabs.evaluation.reference_rows import RAW, SUMMARY, SUPERVISED
from dabs.grid.cells import Cell, broken_results, fetch_cell, is_done, plan_jobs, refuse_other_runs
from dabs.grid.choice import read_choice
from dabs.grid.costs import PREPARE_SECONDS, TimeLeft, estimate, longest_first, text_of
from dabs.grid.sweep import label_of, parse_sweep, split_setting
from dabs.launch import LaunchOptions, executor_of, run_graph
from dabs.launch.options import count_parallel_cells
from dabs.official import PUBLISHED_ALGORITHMS
from dabs.registry import domain_names, find_algorithm, find_domain
from dabs.results.entries import MAX_LINES
from dabs.specs import Tokens
from dabs.utils.environment import environment, usable_cores
from dabs.utils.files import require_writable, write_json

MAX_RAW_VALUES = 1 << 15  # per input of an example; larger raw inputs are not probed


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """Run the whole benchmark, or a part of it. Finished cells are not repeated, and stopped ones resume."""

    # names, path/to/file.py:Class or supervised; those of the published table if none is named
    algorithms: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()  # which domains; all official ones of the suite if none is named
    seeds: int = 1  # pretrain every algorithm with this many seeds
    first_seed: int = FIRST_SEED  # the first of these seeds; published results start here
    protocol: tuple[Protocol, ...] = STANDARD_PROTOCOLS  # how encoders are evaluated
    suite: Suite = "lite"  # which datasets to use
    encoder: EncoderSize = "auto"  # size of the encoder; auto: small in lite, paper in paper
    budget: float = 1.0  # 0.25, 1, 4 or 10: multiplies each domain's standard steps; results of each stay apart
    steps: int = 0  # pretraining steps; 0: each domain's standard steps, times the budget
    accumulate: int = 1  # split each batch into this many parts to save memory; negatives then come from within a part
    precision: Precision = "auto"  # auto: bf16 autocast if the processor is fast in it; published results: fp32
    sweep: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = ()  # values to try; each combination is its own row
    choice: Path | None = None  # what `dabs choose` chose for each domain, as it wrote it
    config: Path | None = None  # a TOML or YAML file with these options; what the command line says goes before it
    out: Path = Path("runs")  # where runs and results are written
    force: bool = False  # put runs of other settings, sources or data in OUT aside, and run these cells anew
    store: str = ""  # fsspec URL (s3://bucket/folder) that mirrors OUT, for machines without a shared disk
    report: Path | None = None  # the HTML report; if not given: OUT/report.html
    launching: LaunchOptions = field(default_factory=LaunchOptions)


COMMAND = Command(
    words="run",
    options=GridOptions,
    examples=(
        ("the published rows in every domain of lite; started again, it resumes", "dabs run"),
        (
            "your algorithm against two others, with three seeds",
            "dabs run --algorithms none shed my_idea.py:MyIdea --seeds 3",
        ),
        (
            "two domains of the paper's datasets, as Slurm jobs",
            "dabs run --suite paper --domains sensor speech --launcher slurm",
        ),
        (
            "six settings, to choose from by validation scores with `dabs choose`",
            "dabs run --algorithms shed --set shed.corruption_rate=0.1,0.15,0.3 lr=1e-3,3e-3 --first-seed 100",
        ),
    ),
)


def main(arguments: list[str]) -> int:
    """Parse, run the grid, print the table."""
    options = COMMAND.parse(with_config_file(arguments, COMMAND.option_names()))
    failed = run_grid(options)
    return 1 if failed else 0


def plan(options: GridOptions) -> list[Cell]:
    """Return the cells of the grid: first those of the inputs themselves, then seed by seed.

    Raises:
        RequestError: an unknown algorithm or domain, a number out of range, or two algorithms with the same name.
    """
    algorithms = options.algorithms or (*PUBLISHED_ALGORITHMS, SUPERVISED)
    domains = options.domains or tuple(domain_names(options.suite))
    if options.seeds < 1 or min(options.steps, options.first_seed) < 0 or not options.protocol:
        raise RequestError(
            "--seeds must be at least 1, --first-seed and --steps at least 0, and --protocol needs at least one name."
        )
    if options.force and options.store:
        raise RequestError(
            f"--force puts runs aside on this machine only, and --store {options.store} would bring them back. Remove "
            "them in the store, or give another one."
        )
    refuse_steps_and_budget(options.steps, options.budget)
    rows = _rows(options, algorithms)
    found = {name: find_domain(name, options.suite) for name in domains}
    choice = read_choice(options.choice, algorithms, domains) if options.choice else {}
    common: dict[str, Any] = {
        name: getattr(options, name) for name in ("suite", "encoder", "budget", "steps", "accumulate", "precision")
    }
    return [
        Cell(
            config=PretrainConfig(
                algorithm=row.reference,
                domain=name,
                seed=row.seed,
                options=row.options | choice.get((row.reference, name), {}),
                **common | row.training,
            ),
            label=row.label,
            protocols=tuple(p for p in options.protocol if row.reference not in (RAW, SUMMARY) or p != "finetune"),
            tasks=tuple(task.name for task in domain.tasks),
            out=options.out,
            store=options.store,
            force=options.force,
        )
        for row in rows
        for name, domain in found.items()
        if row.reference != RAW or _raw_fits(domain)
    ]


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row of the table with one seed."""

    reference: str
    label: str
    seed: int
    training: dict[str, Any] = field(default_factory=dict)  # fields of `Training` that differ from the standard
    options: dict[str, Any] = field(default_factory=dict)  # the algorithm's own


def _rows(options: GridOptions, algorithms: tuple[str, ...]) -> list[_Row]:
    """Return the rows: the inputs themselves, then seed by seed every algorithm in every setting."""
    references = [name for name in algorithms if name != SUPERVISED]
    sweep = parse_sweep(options.sweep, references)
    settings = {name: sweep.settings(name) for name in references} | {SUPERVISED: [{}]}
    trained = {name: name == SUPERVISED or find_algorithm(name).trains for name in algorithms}

    def label(name: str, setting: dict[str, Any]) -> str:
        return label_at(label_of(name, setting), options.budget if trained[name] else 1.0)

    labels = [RAW, SUMMARY, *(label(name, one) for name in algorithms for one in settings[name])]
    duplicates = sorted({label for label in labels if labels.count(label) > 1})
    if duplicates:
        names = ", ".join(duplicates)
        raise RequestError(f"two algorithms would be called {names} in the table; rename one or leave it out.")
    found = [_Row(reference=name, label=name, seed=0) for name in (RAW, SUMMARY)]
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in algorithms:
            for one in settings[name]:
                training, own = split_setting(one)
                row = _Row(reference=name, label=label(name, one), seed=seed, training=training, options=own)
                found.append(row)
    return found


def _raw_fits(domain: Domain) -> bool:
    """Whether the principal components of a domain's raw inputs fit into memory; those of 224×224 images do not."""
    return all(isinstance(spec, Tokens) or prod(spec.shape) <= MAX_RAW_VALUES for spec in domain.specs)


def run_grid(options: GridOptions, console: Console | None = None) -> dict[str, str]:
    """Prepare the data, run every unfinished cell, show the table and write the report.

    Returns:
        The cells that failed: name -> reason. A cell that fails does not stop the others.
    """
    console = console or table_console()
    cells = plan(options)
    for cell in cells:
        fetch_cell(cell, results_only=True)
    refused = refuse_other_runs(cells)
    for name in refused:
        console.print(f"left out {name}: a folder of its runs holds another run", highlight=False, markup=False)
    cells = [cell for cell in cells if cell.config.algorithm not in refused]
    todo = [cell for cell in cells if not is_done(cell)]
    references = sum(cell.is_reference for cell in todo)
    for line in [reason for cell in todo for reason in broken_results(cell).values()][:MAX_LINES]:
        console.print(f"evaluated again: {line}", highlight=False, markup=False, soft_wrap=True)
    note = f"; {references} are reference rows, for comparison" if references else ""
    console.print(f"{len(cells)} cells, {len(cells) - len(todo)} done already{note}", highlight=False)
    if todo:
        require_writable(options.out)
        warn_unless_clean(console)
    begun = time.perf_counter()
    failed, spent = _run_jobs(options, todo, console) if todo else ({}, {})
    for name, reason in refused.items():
        console.print(f"failed {name}: {reason}", highlight=False, markup=False, style="red", soft_wrap=True)
    if not failed | refused and todo == cells:  # the time of a resumed or incomplete grid is not that of the whole grid
        _write_timing(options, cells, spent)
    for cell in todo:
        fetch_cell(cell, results_only=True)
    broken = {}
    if any((options.out / options.suite).rglob("*.result.json")):
        # in a grid over all domains, a domain without results leaves the mean over domains empty
        tasks = None if options.domains else {cell.config.domain: cell.tasks for cell in cells}
        broken = _show(options, tasks, console)
        console.print(f"{(time.perf_counter() - begun) / 60:.1f} minutes", highlight=False)
    if failed or refused:
        console.print(f"failed: {', '.join(failed | refused)}", highlight=False, markup=False, style="red")
    return failed | refused | broken


def _show(options: GridOptions, tasks: dict[str, tuple[str, ...]] | None, console: Console) -> dict[str, str]:
    """Show the table, write the report, and return the result files that both leave out, each with the reason."""
    board = verb_module("leaderboard")
    every = board.read_rows([options.out], options.suite)
    reading = every.at_budget(options.budget)
    board.explain(reading, console)
    board.show(reading, console, protocol=options.protocol[0], tasks=tasks, suite=options.suite)
    report = board.build_report(reading, options.report or options.out / "report.html", tasks, every=every)
    console.print(f"report: {report.resolve()}", highlight=False, soft_wrap=True)
    return {str(one.path): str(one.error) for one in reading.broken}


def _run_jobs(options: GridOptions, todo: list[Cell], console: Console) -> tuple[dict[str, str], dict[str, float]]:
    """Run the jobs of some cells, print those that failed, and return their reasons and the seconds spent."""
    begun = time.perf_counter()
    launching, left = options.launching, None
    if launching.launcher == "local":
        parallel = count_parallel_cells(launching)
        costs = estimate(todo, threads=max(1, usable_cores() // parallel))
        todo = longest_first(todo, costs)
        if costs:
            left = TimeLeft(costs, parallel)
            console.print(_expectation(left, todo), highlight=False, soft_wrap=True)
    jobs = {job.name: job for job in plan_jobs(todo, spread=launching.launcher != "local")}
    executor = executor_of(launching, options.out.absolute() / "logs" / launching.launcher)
    display = GridDisplay(console, len(jobs), executor, left)
    try:
        with display.progress:
            outcomes = run_graph(jobs.values(), executor, display, retries=launching.retries)
    finally:
        executor.close()
    failed = {name: outcome.text for name, outcome in outcomes.items() if outcome.ran and not outcome.ok}
    for name, reason in failed.items():
        log = f" (log: {jobs[name].log})" if jobs[name].log.exists() else ""
        console.print(f"failed {name}: {reason}{log}", highlight=False, markup=False, style="red", soft_wrap=True)
    return failed, {"prepare": display.prepared - begun, "cells": time.perf_counter() - display.prepared}


def _expectation(left: TimeLeft, todo: list[Cell]) -> str:
    """Say how long a grid will take on this machine, and what of that is preparing data."""
    found = {cell.config.domain: find_domain(cell.config.domain, cell.config.suite) for cell in todo}
    preparing = PREPARE_SECONDS * sum(not is_prepared(domain) for domain in found.values())
    more = f", preparing data included ({text_of(preparing / left.parallel)})" if preparing else ""
    at_a_time = "one cell at a time" if left.parallel == 1 else f"{left.parallel} cells at a time"
    return f"{text_of(left.seconds() + preparing / left.parallel)} on this machine, {at_a_time}{more}"


def _write_timing(options: GridOptions, cells: list[Cell], spent: dict[str, float]) -> None:
    """Record the minutes of a grid that was run in one go."""
    machine = {k: v for k, v in environment().items() if k in ("processor", "cores", "device", "python", "platform")}
    launching, launcher = options.launching, options.launching.launcher
    jobs = {"jobs": count_parallel_cells(launching)} if launcher == "local" else {"launcher": launcher}
    minutes = {name: round(seconds / 60, 2) for name, seconds in spent.items()}
    value = {"cells": len(cells), **jobs, "seeds": options.seeds, "protocols": list(options.protocol)}
    write_json(options.out / options.suite / "timing.json", {**value, "minutes": minutes, "machine": machine})
