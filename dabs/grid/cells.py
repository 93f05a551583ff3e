"""The cells of the grid as jobs: prepare data, pretrain, evaluate.

What is done already is skipped. Importing this module does not load torch, so that a launcher starts quickly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dabs.config import PretrainConfig
from dabs.errors import DabsError
from dabs.evaluation.reference_rows import RAW, SUMMARY, SUPERVISED
from dabs.launch.job import Job, report
from dabs.registry import domain_label
from dabs.results.files import RESULT_SUFFIX, read_checked_result
from dabs.training.run_folder import (
    Watch,
    check_folder,
    default_folder,
    identity_of,
    read_provenance,
    why_not_learned,
)
from dabs.utils.files import sole_use
from dabs.utils.versions import NewerVersionError

if TYPE_CHECKING:
    from dabs.data.domain import Domain
    from dabs.evaluation.build_result import EvaluatedTask
    from dabs.grid.store import Store


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of the grid and its evaluation. The algorithm may be `RAW`, `SUMMARY` or `SUPERVISED`."""

    config: PretrainConfig  # not yet resolved
    label: str  # what tables and folders call the algorithm
    protocols: tuple[str, ...]
    tasks: tuple[str, ...]
    out: Path
    store: str = ""  # URL of a shared store; empty if there is none
    force: bool = False  # whether to put another run in the cell's folder aside

    @property
    def name(self) -> str:
        """The name for messages and logs."""
        return f"{self.label} {domain_label(self.config.domain)} seed {self.config.seed}"

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return default_folder(self.config, self.label, self.out)

    @property
    def is_reference(self) -> bool:
        """Whether this is a reference row without pretraining: there is no run, only results."""
        return self.config.algorithm in (RAW, SUMMARY, SUPERVISED)


def fetch_cell(cell: Cell, *, results_only: bool = False) -> Store | None:
    """Fetch what the shared store has of a cell, and return the store; None if the cell has no store."""
    if not cell.store:
        return None
    from dabs.grid.store import Store

    store = Store(cell.store, cell.out)
    store.fetch(cell.folder, results_only=results_only)
    return store


def missing_results(cell: Cell) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return a cell's missing results as {missing protocols: the tasks that lack exactly these}.

    A result that is broken, or of other weights than those of the run, is missing too. The protocols of a task stay
    together so that they share its features.
    """
    broken = broken_results(cell)
    groups: dict[tuple[str, ...], tuple[str, ...]] = {}
    for task in cell.tasks:
        paths = {protocol: _result_path(cell, task, protocol) for protocol in cell.protocols}
        lacking = tuple(protocol for protocol, path in paths.items() if path in broken or not path.exists())
        if lacking:
            groups[lacking] = (*groups.get(lacking, ()), task)
    return groups


def _result_path(cell: Cell, task: str, protocol: str) -> Path:
    return cell.folder / "results" / f"{task}.{protocol}{RESULT_SUFFIX}"


def broken_results(cell: Cell) -> dict[Path, str]:
    """Return the results of a cell that must be made again, each with the reason.

    Those that a newer dabs wrote are left as they are.
    """
    found: dict[Path, str] = {}
    try:
        weights = "" if cell.is_reference else (read_provenance(cell.folder) or {}).get("weights_sha256", "")
    except DabsError:  # pretraining reports it
        weights = ""
    for path in (_result_path(cell, task, protocol) for task in cell.tasks for protocol in cell.protocols):
        if not path.exists():
            continue
        try:
            result = read_checked_result(path)
        except NewerVersionError:
            continue
        except DabsError as error:
            found[path] = str(error)
        else:
            if weights and result.pretraining.weights_sha256 != weights:
                found[path] = f"{path} is a result of other weights than those of {cell.folder}"
            elif not (path.parent / result.predictions.file).exists():  # tables allow that, a grid can mend it
                found[path] = f"{path}: its predictions, {result.predictions.file}, are missing"
    return found


def check_cell(cell: Cell) -> None:
    """Make sure that a cell's folder is free or contains this very run; put another run aside if the cell says so.

    Raises:
        DabsError: it contains a run with other steps, options, algorithm source or data; the message says what differs.
    """
    from dabs.data.domain import PRETRAIN
    from dabs.data.prepared import is_prepared, open_prepared
    from dabs.training.pretrain import resolve
    from dabs.training.repair import make_room

    if cell.is_reference or not (cell.folder / "config.json").exists():
        return
    config, algorithm, domain = resolve(cell.config)
    if is_prepared(domain, (PRETRAIN,)):
        check = make_room if cell.force else check_folder
        check(cell.folder, config, identity_of(algorithm, open_prepared(domain)))


def refuse_other_runs(cells: Sequence[Cell]) -> dict[str, str]:
    """Return the algorithms that cannot run because a folder of theirs contains another run, each with the reason."""
    refused: dict[str, str] = {}
    for cell in cells:
        if cell.config.algorithm not in refused:  # cells of several versions of one algorithm make no row
            try:
                check_cell(cell)
            except DabsError as error:
                refused[cell.config.algorithm] = str(error)
    return refused


def is_done(cell: Cell) -> bool:
    """Return whether a cell has all its results."""
    return not missing_results(cell)


def plan_jobs(cells: Sequence[Cell], *, spread: bool) -> list[Job]:
    """Return the jobs of some cells: the data of each domain, then the run of each cell, then its evaluation.

    Args:
        cells: those that are not done.
        spread: whether a cell's run and its evaluation on each task are separate jobs, for a cluster. If not, a cell is
            one job, in which the evaluations share what they have in common.
    """
    jobs = []
    for domain, suite, out in dict.fromkeys((cell.config.domain, cell.config.suite, cell.out) for cell in cells):
        data = f"data of {domain_label(domain)}"
        jobs.append(Job(name=data, function=prepare_domain, arguments=(domain, suite), log=_log(out, data)))
    for cell in cells:
        first = (f"data of {domain_label(cell.config.domain)}",)
        log = _log(cell.out, cell.name)
        if not spread:
            jobs.append(Job(name=cell.name, function=run_cell, arguments=(cell,), log=log, after=first))
            continue
        if not cell.is_reference:
            jobs.append(Job(name=cell.name, function=pretrain_cell, arguments=(cell,), log=log, after=first))
            first = (cell.name,)
        for task in sorted({task for group in missing_results(cell).values() for task in group}, key=cell.tasks.index):
            name = f"{cell.name} {task}"
            log = _log(cell.out, name)
            jobs.append(Job(name=name, function=evaluate_cell, arguments=(cell, task), log=log, after=first))
    return jobs


def _log(out: Path, name: str) -> Path:
    return out.absolute() / "logs" / f"{name.replace(' ', '-')}.log"


def prepare_domain(name: str, suite: str) -> str:
    """Prepare the data of a domain and return a line for the display.

    A domain of parts can be used without those of its tasks that could not be prepared.

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
        prepare(domain, lambda line: report(f"data of {domain.name}", line))
    except DabsError:
        if not (domain.parts and is_prepared(domain, (PRETRAIN,)) and chosen_tasks(domain, ())):
            raise
        lacking = tasks_not_prepared(domain)
    without = f", without {', '.join(lacking)}: `dabs data prepare {name} --suite {suite}` says why" if lacking else ""
    return f"{time.perf_counter() - begun:.0f} s{without}"


def run_cell(cell: Cell) -> str:
    """Pretrain and evaluate one cell, and return a line for the display."""
    done = [pretrain_cell(cell)] if not cell.is_reference else []
    return ", ".join([*done, evaluate_cell(cell)])


def pretrain_cell(cell: Cell) -> str:
    """Pretrain one cell, or wait while another launcher does, and return a line for the display."""
    from dabs.training.pretrain import pretrain
    from dabs.training.repair import find_lost_encoder

    begun = time.perf_counter()
    prepare_domain(cell.config.domain, cell.config.suite)  # a node may have a disk of its own
    with sole_use(cell.folder, wait=True):
        store = fetch_cell(cell)
        lost = find_lost_encoder(cell.folder)
        pretrain(cell.config, cell.folder, watch=_watch(cell, store), label=cell.label, force=cell.force)
        if store is not None:
            store.send(cell.folder)
    reason = why_not_learned(cell.folder)
    again = f" again ({lost})" if lost else ""
    learned = f", but did not learn: {reason}" if reason else ""
    return f"pretrained{again} in {time.perf_counter() - begun:.0f} s{learned}"


def evaluate_cell(cell: Cell, only: str | None = None) -> str:
    """Evaluate one cell on every task with missing results, or on the task `only`; return a line for the display."""
    from dabs.data.prepared import is_prepared
    from dabs.evaluation.evaluate import sole_writer, write_results
    from dabs.registry import find_domain

    begun, domain = time.perf_counter(), find_domain(cell.config.domain, cell.config.suite)
    prepare_domain(cell.config.domain, cell.config.suite)

    def say(line: str) -> None:
        report(cell.name, line)

    with sole_writer(cell.folder, (only,) if only else cell.tasks):
        store = fetch_cell(cell)
        # asked again, because another launcher may have written results meanwhile
        for protocols, lacking in missing_results(cell).items():
            tasks = tuple(task for task in lacking if only in (None, task) and is_prepared(domain, (task,)))
            if not tasks:
                continue
            for _ in write_results(cell.folder, _evaluated(cell, domain, tasks, protocols, say)):
                pass
            if store is not None:
                store.send(cell.folder)
    return f"evaluated in {time.perf_counter() - begun:.0f} s"


def _evaluated(
    cell: Cell, domain: Domain, tasks: tuple[str, ...], protocols: tuple[str, ...], say: Callable[[str], None]
) -> Iterator[EvaluatedTask]:
    from dabs.evaluation.evaluate import evaluate, evaluate_input, evaluate_supervised

    if cell.config.algorithm == SUPERVISED:
        return evaluate_supervised(cell.config, tasks, protocols, say)
    if cell.is_reference:
        return evaluate_input(cell.config.algorithm, domain, tasks, protocols, say)
    return evaluate(cell.folder, tasks, protocols, say, domain=cell.config.domain)


def _watch(cell: Cell, store: Store | None) -> Watch:
    """Return a `Watch` that reports progress and sends each new checkpoint to the store, where others can resume."""
    from dabs.training.checkpoint import latest_checkpoint

    sent = latest_checkpoint(cell.folder)

    def update(step: int, steps: int, loss: float, speed: float) -> None:
        """Report to the launcher, and send the newest checkpoint if it has not been sent."""
        nonlocal sent
        report(cell.name, step=step, steps=steps, loss=loss, examples_per_second=speed)
        newest = latest_checkpoint(cell.folder)
        if store is not None and newest != sent:
            sent = newest
            store.send_checkpoint(cell.folder)

    return update
