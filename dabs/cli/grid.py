"""`dabs run`: every algorithm in every domain, several cells at a time, resumable; then the table and the report."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console

from dabs.cli.cells import Cell, check, is_done, prepare_domain, run_cell, start_worker
from dabs.cli.screens import training_progress
from dabs.dataset import Domain
from dabs.errors import DabsError, RequestError
from dabs.home import write_json
from dabs.raw_input import RAW
from dabs.registry import Suite, algorithm_label, algorithm_names, domain_names, find_algorithm, find_domain
from dabs.run import PretrainConfig, environment
from dabs.specs import Tokens

RAW_VALUES = 1 << 15  # in one input of an example, at most, for the raw-input row


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """Run the whole benchmark, or part of it. What is done already is not repeated."""

    algorithms: tuple[str, ...] = ()  # names or path/to/file.py:Class; all registered ones when none is named
    domains: tuple[str, ...] = ()  # which domains; all when none is named
    seeds: int = 1  # pretraining seeds 0 .. N-1 of every algorithm
    protocol: tuple[Literal["linear", "knn", "finetune"], ...] = ("linear", "knn")  # how encoders are read
    suite: Suite = "lite"  # which data
    encoder: Literal["auto", "small", "paper", "large"] = "auto"  # its sizes; auto: small in lite, paper in paper
    steps: int = 0  # pretraining steps; 0 takes each domain's standard budget
    out: Path = Path("runs")  # where runs and results are written
    jobs: int = 0  # cells at a time; 0: one a core up to four without a GPU, else one
    report: Path | None = None  # the HTML report; default OUT/report.html


def main(arguments: list[str]) -> int:
    """Parse, run the grid, print the table."""
    options = tyro.cli(GridOptions, prog="dabs run", args=arguments)
    failed = run_grid(options)
    return 1 if failed else 0


def plan(options: GridOptions) -> list[Cell]:
    """The cells of the grid, the raw-input row first, then seed by seed.

    Raises:
        RequestError: an unknown algorithm, domain or task.
    """
    algorithms = options.algorithms or tuple(algorithm_names())
    domains = options.domains or tuple(domain_names(options.suite))
    if options.seeds < 1 or options.steps < 0 or options.jobs < 0 or not options.protocol:
        raise RequestError(
            "--seeds must be at least 1, --steps and --jobs at least 0, and --protocol names one or more."
        )
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
            ),
            label=algorithm_label(algorithm),
            protocols=tuple(p for p in options.protocol if not (algorithm == RAW and p == "finetune")),
            tasks=tasks[domain],
            out=options.out,
        )
        for algorithm, seed in rows
        for domain in domains
        if algorithm != RAW or domain in readable
    ]


def _raw_fits(domain: Domain) -> bool:
    """Whether the principal components of a domain's raw inputs can be held in memory; those of 224×224 cannot."""
    return all(isinstance(spec, Tokens) or prod(spec.shape) <= RAW_VALUES for spec in domain.specs)


def jobs_of(options: GridOptions) -> int:
    """How many cells run at a time."""
    import torch

    cores = os.cpu_count() or 1
    return options.jobs or (1 if torch.cuda.is_available() else min(cores, 4))


def run_grid(options: GridOptions, console: Console | None = None) -> dict[str, str]:
    """Prepare the data, run every cell that is not done, show the table and write the report.

    Returns:
        What failed: the cell's name -> the reason. A cell that fails does not stop the others.
    """
    from dabs.cli.board import build, show

    console = console or Console()
    cells = plan(options)
    for cell in cells:
        check(cell)
    todo = [cell for cell in cells if not is_done(cell)]
    console.print(f"{len(cells)} cells, {len(cells) - len(todo)} done already", highlight=False)
    begun = time.perf_counter()
    spent: dict[str, float] = {}
    failed: dict[str, str] = {}
    if todo:
        pool = _Pool(jobs_of(options), console)
        with pool:
            names = sorted({cell.config.domain for cell in todo})
            failed |= pool.run("preparing data", [(n, prepare_domain, (n, options.suite)) for n in names])
            spent["prepare"] = time.perf_counter() - begun
            ready = [(cell.name, run_cell, (cell,)) for cell in todo if cell.config.domain not in failed]
            failed |= pool.run("cells", ready)
        spent["cells"] = time.perf_counter() - begun - spent["prepare"]
    for name, reason in failed.items():
        console.print(f"failed {name}: {reason}", highlight=False, markup=False, style="red")
    if not failed and len(todo) == len(cells):  # a resumed or incomplete grid says nothing of the whole
        _write_timing(options, cells, spent)
    if any((options.out / options.suite).rglob("*.result.json")):
        # of a grid over all domains, one that gave nothing leaves the overall mean empty
        tasks = None if options.domains else {cell.config.domain: cell.tasks for cell in cells}
        suite = options.suite
        show([options.out], protocol=options.protocol[0], console=console, tasks=tasks, suite=suite)
        where = build([options.out], options.report or options.out / "report.html", tasks, suite)
        minutes = (time.perf_counter() - begun) / 60
        console.print(f"{minutes:.1f} minutes; report: {where.resolve()}", highlight=False, soft_wrap=True)
    return failed


def _write_timing(options: GridOptions, cells: list[Cell], spent: dict[str, float]) -> None:
    """Keep the minutes of a grid that was run in one go."""
    machine = {k: v for k, v in environment().items() if k in ("processor", "cores", "device", "python", "platform")}
    minutes = {name: round(seconds / 60, 2) for name, seconds in spent.items()}
    value = {"cells": len(cells), "jobs": jobs_of(options), "seeds": options.seeds, "protocols": list(options.protocol)}
    write_json(options.out / options.suite / "timing.json", {**value, "minutes": minutes, "machine": machine})


class _Pool:
    """Worker processes that run cells and report progress to one live display."""

    def __init__(self, jobs: int, console: Console) -> None:
        context = multiprocessing.get_context("spawn")
        self.messages: Any = context.Queue()
        threads = max(1, (os.cpu_count() or 1) // jobs)
        # workers read these when they load their maths libraries
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
        self.pool = ProcessPoolExecutor(jobs, context, start_worker, (self.messages, threads))
        self.progress = training_progress(console)
        self.bars: dict[str, Any] = {}

    def __enter__(self) -> _Pool:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.progress.stop()

    def run(self, title: str, work: Iterable[tuple[str, Any, tuple[Any, ...]]]) -> dict[str, str]:
        """Do all of it; gives name -> reason of what failed."""
        futures = {self.pool.submit(function, *arguments): name for name, function, arguments in work}
        bar = self.progress.add_task(f"[bold]{title}", total=len(futures), loss="", speed="")
        failed: dict[str, str] = {}
        waiting: set[Future[Any]] = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=0.2)
            self._drain()
            for future in done:
                reason = self._finish(futures[future], future)
                if reason:
                    failed[futures[future]] = reason
                self.progress.advance(bar)
        self._drain()
        return failed

    def _finish(self, name: str, future: Future[Any]) -> str | None:
        bar = self.bars.pop(name, None)
        if bar is not None:
            self.progress.remove_task(bar)
        error = future.exception()
        if isinstance(error, KeyboardInterrupt):
            raise error
        if isinstance(error, BrokenProcessPool):
            raise DabsError("a worker process died (out of memory?); the same command goes on from what is done.")
        line = f"failed {name}" if error else f"done {name}: {future.result()}"
        self.progress.console.print(line, highlight=False, markup=False)
        return None if error is None else str(error)

    def _drain(self) -> None:
        while not self.messages.empty():
            name, step, steps, shown = self.messages.get()
            if name not in self.bars:
                self.bars[name] = self.progress.add_task(name, total=None, loss="", speed="")
            self.progress.update(self.bars[name], completed=step, total=steps or None, **shown)
