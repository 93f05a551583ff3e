"""The cells of the grid as tasks: prepare the data, pretrain, evaluate, skipping what is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dabs.config import PretrainConfig
from dabs.errors import DabsError
from dabs.evaluation.evaluate import write_results
from dabs.evaluation.raw_input import RAW
from dabs.launch.job import Job, report
from dabs.training.run_folder import Watch, check_folder, default_folder
from dabs.utils.files import sole_use

if TYPE_CHECKING:
    from dabs.grid.store import Store


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A run of the grid and how it is read; the raw-input row is a cell whose algorithm is `RAW`."""

    config: PretrainConfig  # not yet resolved
    label: str  # the algorithm's word in tables and folders
    protocols: tuple[str, ...]
    tasks: tuple[str, ...]
    out: Path
    store: str = ""  # URL of a shared store; empty: none

    @property
    def name(self) -> str:
        """For the display."""
        return f"{self.label} {self.config.domain} seed {self.config.seed}"

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return default_folder(self.config, self.label, self.out)

    @property
    def is_raw(self) -> bool:
        """Whether there is no encoder to train."""
        return self.config.algorithm == RAW


def fetched(cell: Cell, *, results_only: bool = False) -> Store | None:
    """The cell's shared store, if it has one, after what the store has of the cell was fetched."""
    if not cell.store:
        return None
    from dabs.grid.store import Store

    store = Store(cell.store, cell.out)
    store.fetch(cell.folder, results_only=results_only)
    return store


def missing(cell: Cell) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Protocols -> the tasks that lack just these results; protocols of a task stay together to share its features."""
    results = cell.folder / "results"
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    for task in cell.tasks:
        lacking = tuple(p for p in cell.protocols if not (results / f"{task}.{p}.result.json").exists())
        if lacking:
            groups[lacking] = (*groups.get(lacking, ()), task)
    return groups


def check(cell: Cell) -> None:
    """Refuse a cell whose folder holds another run: other steps, options, algorithm source or data.

    Raises:
        DabsError: it does; the message says what differs.
    """
    from dabs.data.domain import PRETRAIN
    from dabs.data.prepared import is_prepared, open_prepared
    from dabs.training.pretrain import identity_of, resolve

    if cell.is_raw or not (cell.folder / "config.json").exists():
        return
    config, algorithm, domain = resolve(cell.config)
    if is_prepared(domain, (PRETRAIN,)):
        check_folder(cell.folder, config, identity_of(algorithm, open_prepared(domain)))


def is_done(cell: Cell) -> bool:
    """Whether every result of the cell is there."""
    return not missing(cell)


def graph_of(cells: Sequence[Cell], *, spread: bool) -> list[Job]:
    """The tasks of some cells: each domain's data, then each cell's run, then its evaluation.

    Args:
        cells: those that are not done.
        spread: make a cell's run and each of its evaluations a task of its own, for a cluster; else a cell is one task,
            which shares what the evaluations have in common.
    """
    tasks = []
    for domain, suite, out in sorted({(cell.config.domain, cell.config.suite, cell.out) for cell in cells}):
        data = f"data of {domain}"
        tasks.append(Job(name=data, function=prepare_domain, arguments=(domain, suite), log=_log(out, data)))
    for cell in cells:
        first = (f"data of {cell.config.domain}",)
        log = _log(cell.out, cell.name)
        if not spread:
            tasks.append(Job(name=cell.name, function=run_cell, arguments=(cell,), log=log, after=first))
            continue
        if not cell.is_raw:
            tasks.append(Job(name=cell.name, function=pretrain_cell, arguments=(cell,), log=log, after=first))
            first = (cell.name,)
        for task in sorted({task for group in missing(cell).values() for task in group}, key=cell.tasks.index):
            name = f"{cell.name} {task}"
            log = _log(cell.out, name)
            tasks.append(Job(name=name, function=evaluate_cell, arguments=(cell, task), log=log, after=first))
    return tasks


def _log(out: Path, name: str) -> Path:
    return out.absolute() / "logs" / f"{name.replace(' ', '-')}.log"


def prepare_domain(name: str, suite: str) -> str:
    """Prepare a domain; gives a line for the display. Of a domain of parts, what can be is enough to go on.

    Raises:
        DabsError: the domain, its pretraining set or all of its tasks could not be prepared.
    """
    from dabs.data.domain import PRETRAIN
    from dabs.data.prepare import prepare
    from dabs.data.prepared import is_prepared, tasks_not_prepared
    from dabs.evaluation.evaluate import chosen_tasks
    from dabs.registry import find_domain

    begun, domain, lacking = time.perf_counter(), find_domain(name, suite), []
    try:
        prepare(domain, lambda line: report(f"data of {name}", line))
    except DabsError:
        if not (domain.parts and is_prepared(domain, (PRETRAIN,)) and chosen_tasks(domain, ())):
            raise
        lacking = tasks_not_prepared(domain)
    without = f", without {', '.join(lacking)}: `dabs data prepare {name} --suite {suite}` says why" if lacking else ""
    return f"{time.perf_counter() - begun:.0f} s{without}"


def run_cell(cell: Cell) -> str:
    """Pretrain and evaluate one cell; gives a line for the display."""
    done = [pretrain_cell(cell)] if not cell.is_raw else []
    return ", ".join([*done, evaluate_cell(cell)])


def pretrain_cell(cell: Cell) -> str:
    """Pretrain one cell, or wait while another launcher does; gives a line for the display."""
    from dabs.training.pretrain import pretrain

    begun = time.perf_counter()
    prepare_domain(cell.config.domain, cell.config.suite)  # a node may have a disk of its own
    with sole_use(cell.folder, wait=True):
        store = fetched(cell)
        pretrain(cell.config, cell.folder, watch=_watch(cell, store))
        if store is not None:
            store.send(cell.folder)
    return f"pretrained in {time.perf_counter() - begun:.0f} s"


def evaluate_cell(cell: Cell, only: str | None = None) -> str:
    """Evaluate one cell on the tasks that lack results, or `only` on one of them; gives a line for the display."""
    from dabs.data.prepared import is_prepared
    from dabs.evaluation.evaluate import evaluate, evaluate_raw, sole_writer
    from dabs.registry import find_domain

    begun, domain = time.perf_counter(), find_domain(cell.config.domain, cell.config.suite)
    prepare_domain(cell.config.domain, cell.config.suite)

    def say(line: str) -> None:
        report(cell.name, line)

    with sole_writer(cell.folder, (only,) if only else cell.tasks):  # another launcher may have done them meanwhile
        store = fetched(cell)
        for protocols, lacking in missing(cell).items():
            tasks = tuple(task for task in lacking if only in (None, task) and is_prepared(domain, (task,)))
            if not tasks:
                continue
            if cell.is_raw:
                done = evaluate_raw(domain, tasks, protocols, say)
            else:
                done = evaluate(cell.folder, tasks, protocols, say)
            for _ in write_results(cell.folder, done):
                pass
            if store is not None:
                store.send(cell.folder)
    return f"evaluated in {time.perf_counter() - begun:.0f} s"


def _watch(cell: Cell, store: Store | None) -> Watch:
    """Tells how far the run is, and sends each new checkpoint to the store, which another machine can go on from."""
    from dabs.training.checkpoint import latest_checkpoint

    sent = latest_checkpoint(cell.folder)

    def update(step: int, steps: int, loss: float, speed: float) -> None:
        """A `Watch`: tell the launcher, and send a checkpoint that is new."""
        nonlocal sent
        report(cell.name, step=step, steps=steps, loss=loss, examples_per_second=speed)
        newest = latest_checkpoint(cell.folder)
        if store is not None and newest != sent:
            sent = newest
            store.send_checkpoint(cell.folder)

    return update
