"""One cell of the grid, as a worker process runs it: pretrain, then evaluate, skipping what is done."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dabs.cli.screens import training_fields
from dabs.errors import DabsError
from dabs.raw_input import RAW
from dabs.run import PretrainConfig, check_folder, default_folder

_messages: Any = None  # the queue to the display; set once a worker
_stopped = False  # Ctrl-C came to this worker


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A run of the grid and how it is read; the raw-input row is a cell whose algorithm is `RAW`."""

    config: PretrainConfig  # not yet resolved
    label: str  # the algorithm's word in tables and folders
    protocols: tuple[str, ...]
    tasks: tuple[str, ...]
    out: Path

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
    from dabs.dataset import PRETRAIN
    from dabs.prepared import is_prepared
    from dabs.pretrain import identity_of, resolve

    if cell.is_raw or not (cell.folder / "config.json").exists():
        return
    config, algorithm, domain = resolve(cell.config)
    if is_prepared(domain, (PRETRAIN,)):
        check_folder(cell.folder, config, identity_of(algorithm, domain))


def is_done(cell: Cell) -> bool:
    """Whether every result of the cell is there."""
    return not missing(cell)


def start_worker(messages: Any, threads: int) -> None:
    """Called once in each worker process."""
    global _messages
    import torch

    _messages = messages
    torch.set_num_threads(threads)
    # Ctrl-C reaches the whole process group. While a run trains, its own handler saves a checkpoint first.
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(130))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose grid was killed stops, rather than work on unseen; its run goes on from its checkpoint later."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def prepare_domain(name: str, suite: str) -> str:
    """Prepare a domain in a worker; gives a line for the log. Of a domain of parts, what can be is enough to go on.

    Raises:
        DabsError: the domain, its pretraining set or all of its tasks could not be prepared.
    """
    from dabs.dataset import PRETRAIN
    from dabs.evaluate import chosen_tasks
    from dabs.prepared import is_prepared, prepare
    from dabs.registry import find_domain

    begun, domain, lacking = time.perf_counter(), find_domain(name, suite), []
    try:
        prepare(domain, lambda line: _messages.put((name, 0, 0, {"loss": line, "speed": ""})))
    except DabsError:
        if not (domain.parts and is_prepared(domain, (PRETRAIN,)) and chosen_tasks(domain, ())):
            raise
        lacking = [task.name for task in domain.tasks if not is_prepared(domain, (task.name,))]
    without = f", without {', '.join(lacking)}: `dabs data prepare {name} --suite {suite}` says why" if lacking else ""
    return f"{time.perf_counter() - begun:.0f} s{without}"


def run_cell(cell: Cell) -> str:
    """Pretrain and evaluate one cell; gives a line for the log.

    Raises:
        DabsError: what failed, as text that survives the way between processes.
    """
    global _stopped
    if _stopped:
        raise KeyboardInterrupt  # the pool had this cell queued already when Ctrl-C came
    try:
        return _run(cell)
    except DabsError:
        raise
    except KeyboardInterrupt:
        _stopped = True
        raise
    except Exception as error:
        from dabs.cli import describe

        raise DabsError(describe(error)) from None


def _run(cell: Cell) -> str:
    from dabs.cli.evaluating import write_all
    from dabs.evaluate import evaluate, evaluate_raw
    from dabs.prepared import is_prepared
    from dabs.pretrain import pretrain
    from dabs.registry import find_domain

    begun, domain = time.perf_counter(), find_domain(cell.config.domain, cell.config.suite)
    if not cell.is_raw:
        pretrain(cell.config, cell.folder, watch=_watch(cell))
    trained = time.perf_counter()

    def tell(line: str) -> None:
        _messages.put((cell.name, 0, 0, {"loss": line, "speed": ""}))

    for protocols, lacking in missing(cell).items():
        tasks = tuple(task for task in lacking if is_prepared(domain, (task,)))
        if not tasks:
            continue
        if cell.is_raw:
            cells = evaluate_raw(domain, tasks, protocols, tell)
        else:
            cells = evaluate(cell.folder, tasks, protocols, tell)
        for _ in write_all(cell.folder, cells):
            pass
    return f"pretrained in {trained - begun:.0f} s, evaluated in {time.perf_counter() - trained:.0f} s"


def _watch(cell: Cell) -> Any:
    def update(step: int, steps: int, loss: float, speed: float) -> None:
        _messages.put((cell.name, step, steps, training_fields(loss, speed)))

    return update
