"""Contestants: the results of one algorithm on disk, by task and seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dabs.config import label_at
from dabs.errors import DabsError, RequestError, unknown
from dabs.leaderboard.tables.aggregate import order_algorithms
from dabs.leaderboard.tables.compatibility import refuse_repeated_seed
from dabs.results.entries import Broken, Entry, Placed, read_entries
from dabs.results.files import RESULT_SUFFIX
from dabs.results.hub import is_on_hub
from dabs.results.places import PUBLISHED, results_folder, split_algorithm
from dabs.results.schema import Result

TaskKey = tuple[str, str]  # domain, task


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One algorithm from one source under one protocol.

    Attributes:
        name: unique within a comparison.
        source: the folder, as given.
        cells: the results of each task, in ascending order of seeds.
        left_out: a sentence for each broken file that could be one of its results.
    """

    name: str
    source: str
    cells: Mapping[TaskKey, tuple[Placed, ...]]
    left_out: tuple[str, ...] = ()

    @property
    def results(self) -> list[Result]:
        """The results of all tasks and seeds."""
        return [placed.result for cell in self.cells.values() for placed in cell]

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that occur, ascending."""
        return tuple(sorted({result.seed for result in self.results}))


def make_contestant(name: str, source: str, placed: Sequence[Placed]) -> Contestant:
    """Group the results of one algorithm and protocol by task.

    Raises:
        RequestError: two results have the same task and seed.
    """
    cells: dict[TaskKey, list[Placed]] = defaultdict(list)
    for one in sorted(placed, key=lambda p: (p.result.domain, p.result.task, p.result.seed)):
        cells[one.result.domain, one.result.task].append(one)
    for (domain, task), cell in cells.items():
        refuse_repeated_seed(f"{name} on {domain}/{task}", [one.result.seed for one in cell])
    return Contestant(name=name, source=source, cells={key: tuple(cell) for key, cell in cells.items()})


def load_contestants(
    sources: Sequence[str], protocol: str, algorithms: Sequence[str] = (), budget: float | None = None
) -> list[Contestant]:
    """Read the contestants that `ROOT` or `ROOT:ALGORITHM` name, without the tasks of which a result is broken.

    Args:
        sources: folders (runs, a run, a submission), single result files, `published` for the project's own results, or
            runs on the hub, `hf://USER/NAME[@REVISION]`.
        protocol: the protocol whose results are read.
        algorithms: the algorithms to take from each source, in this order; a submission goes by its name. By default
            a single source gives all its algorithms, and each of several sources its only one.
        budget: the multiple of the standard steps whose results are read, besides rows without pretraining; None for
            all budgets, each a row of its own.

    Raises:
        RequestError: a source does not exist or has no results of the protocol, an algorithm is unknown, one of several
            sources has several algorithms, or there are fewer than two contestants.
        DabsError: no result of a source can be read.
    """
    found: list[Contestant] = []
    for word in sources:
        source, wanted = split_algorithm(word)
        if source.endswith(".html"):
            raise RequestError(f"{source} is an HTML page; name the folder of results that it was built from.")
        chosen = (wanted,) if wanted else tuple(algorithms)
        found += _load_source(source, protocol, chosen, budget, alone=len(sources) == 1)
    named = _make_names_unique(found)
    if len(named) < 2:
        names = ", ".join(one.name for one in named) or "none"
        raise RequestError(f"a comparison needs two algorithms; found: {names}. Name a second folder or algorithm.")
    return named


def _load_source(
    source: str, protocol: str, wanted: tuple[str, ...], budget: float | None, *, alone: bool
) -> list[Contestant]:
    root = results_folder(source)
    source = source if source == PUBLISHED or is_on_hub(source) else str(root)
    reading = read_entries(root)
    entries = reading.entries

    def is_wanted(result: Result) -> bool:
        return result.protocol == protocol and (budget is None or result.budget in (None, budget))

    by_name = {entry.name: [one for one in entry.placed if is_wanted(one.result)] for entry in entries}
    groups = {name: placed for name, placed in by_name.items() if placed}
    if budget is not None and not (wanted and groups.keys() >= {*wanted}):
        _refuse_missing_budget(entries, protocol, budget, source)
    if not groups and reading.broken:
        raise DabsError(f"{source} has no results that can be read. {reading.broken[0].error}")
    if not groups:
        others = ", ".join(sorted({one.result.protocol for entry in entries for one in entry.placed}))
        found_some = f" (it has some for: {others})" if others else ""
        choice = "Name another with --protocol, or evaluate" if others else "Evaluate"
        raise RequestError(
            f"{source} has no results for the protocol {protocol!r}{found_some}. {choice} its runs first, each with "
            f"`dabs eval RUN --protocol {protocol}`."
        )
    known = order_algorithms(groups)
    if budget is not None:
        wanted = tuple(name if name in groups else label_at(name, budget) for name in wanted)
    for name in wanted:
        if name not in groups:
            missing = unknown("algorithm", name, list(known), of=source)
            apart = "" if alone else " To take other algorithms from other sources, write SOURCE:ALGORITHM for each."
            later = f" Runs without results are evaluated by `dabs eval RUN --protocol {protocol}`."
            left_out = f" Left out: {reading.broken[0].error}" if reading.broken else ""
            raise RequestError(f"{missing}{apart}{later}{left_out}")
    if not wanted and not alone and len(known) > 1:
        raise RequestError(
            f"{source} has results of several algorithms: {', '.join(known)}. Choose one, for example with "
            f"{source}:{known[-1]} or --algorithms {known[-1]}."
        )
    found = [make_contestant(name, source, groups[name]) for name in wanted or known]
    for file in reading.broken:
        found = [_without_broken(one, file, *_owner(file, entries, known), protocol) for one in found]
    return found


def _refuse_missing_budget(entries: Sequence[Entry], protocol: str, budget: float, source: str) -> None:
    """Raise RequestError if a source has results of a protocol at other budgets only."""
    results = [result for entry in entries for result in entry.results if result.protocol == protocol]
    found = sorted({result.budget for result in results if result.budget is not None})
    if found and budget not in found:
        listed = ", ".join(f"{one:g}" for one in found)
        raise RequestError(
            f"{source} has no results at budget {budget:g} ({protocol}), but some at: {listed}. Name one with --budget."
        )


def _owner(file: Broken, entries: Sequence[Entry], known: Sequence[str]) -> tuple[str, str]:
    """Return the algorithm and the domain of a broken result, each empty if nothing tells.

    Intact results in the same folder tell, or the names of the folders, ALGORITHM/DOMAIN/seedN/results.
    """
    for entry in entries:
        for placed in entry.placed:
            if placed.path is not None and placed.path.parent == file.path.parent:
                return entry.name, placed.result.domain
    names = [path.name for path in [*file.path.parents][:4]]
    if len(names) == 4 and names[0] == "results" and names[3] in known:
        return names[3], names[2]
    return "", ""


def _without_broken(one: Contestant, file: Broken, algorithm: str, domain: str, protocol: str) -> Contestant:
    """Return a contestant without the tasks of which a broken file could be a result.

    All seeds of such a task are left out: whoever damages or edits one file must not choose the seeds that count.
    """
    task, _, of = file.path.name.removesuffix(RESULT_SUFFIX).partition(".")
    if (algorithm and algorithm != one.name) or of not in ("", protocol):
        return one
    lost = [key for key in one.cells if key[1] == task and domain in ("", key[0])]
    what = ", ".join("/".join(key) for key in lost) or "nothing else"
    return replace(
        one,
        cells={key: cell for key, cell in one.cells.items() if key not in lost},
        left_out=(*one.left_out, f"A broken file is left out, and with it {what} of {one.name}: {file.error}"),
    )


def _make_names_unique(found: Sequence[Contestant]) -> list[Contestant]:
    """Append the source to names that occur more than once.

    Raises:
        RequestError: the same contestant is named twice.
    """
    counts = Counter(one.name for one in found)
    named = [replace(one, name=f"{one.name} ({one.source})") if counts[one.name] > 1 else one for one in found]
    twice = [name for name, count in Counter(one.name for one in named).items() if count > 1]
    if twice:
        raise RequestError(f"{twice[0]} is named twice. Name two different folders or algorithms.")
    return named
