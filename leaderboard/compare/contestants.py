"""Contestants: the results of one algorithm on disk, by task and seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dabs.errors import RequestError, unknown
from dabs.leaderboard.tables.aggregate import order_algorithms
from dabs.leaderboard.tables.compatibility import refuse_repeated_seed
from dabs.results.entries import Placed, load_entries
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
    """

    name: str
    source: str
    cells: Mapping[TaskKey, tuple[Placed, ...]]

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


def load_contestants(sources: Sequence[str], protocol: str, algorithms: Sequence[str] = ()) -> list[Contestant]:
    """Read the contestants that `ROOT` or `ROOT:ALGORITHM` name.

    Args:
        sources: folders (runs, a run, a submission), single result files, `published` for the project's own results, or
            runs on the hub, `hf://USER/NAME[@REVISION]`.
        protocol: the protocol whose results are read.
        algorithms: the algorithms to take from each source, in this order; a submission goes by its name. By default
            a single source gives all its algorithms, and each of several sources its only one.

    Raises:
        RequestError: a source does not exist or has no results of the protocol, an algorithm is unknown, one of several
            sources has several algorithms, or there are fewer than two contestants.
        DabsError: a result file or a submission cannot be read.
    """
    found: list[Contestant] = []
    for word in sources:
        source, wanted = split_algorithm(word)
        if source.endswith(".html"):
            raise RequestError(f"{source} is an HTML page; name the folder of results that it was built from.")
        found += _load_source(source, protocol, (wanted,) if wanted else tuple(algorithms), alone=len(sources) == 1)
    named = _make_names_unique(found)
    if len(named) < 2:
        names = ", ".join(one.name for one in named) or "none"
        raise RequestError(f"a comparison needs two algorithms; found: {names}. Name a second folder or algorithm.")
    return named


def _load_source(source: str, protocol: str, wanted: tuple[str, ...], *, alone: bool) -> list[Contestant]:
    root = results_folder(source)
    source = source if source == PUBLISHED or is_on_hub(source) else str(root)
    entries = load_entries(root)
    by_name = {entry.name: [one for one in entry.placed if one.result.protocol == protocol] for entry in entries}
    groups = {name: placed for name, placed in by_name.items() if placed}
    if not groups:
        others = ", ".join(sorted({one.result.protocol for entry in entries for one in entry.placed}))
        raise RequestError(
            f"{source} has no results for the protocol {protocol!r} (it has some for: {others or 'none'})."
        )
    known = order_algorithms(groups)
    for name in wanted:
        if name not in groups:
            raise unknown("algorithm", name, list(known), of=source)
    if not wanted and not alone and len(known) > 1:
        raise RequestError(
            f"{source} has results of several algorithms: {', '.join(known)}. Choose one, for example with "
            f"{source}:{known[-1]} or --algorithms {known[-1]}."
        )
    return [make_contestant(name, source, groups[name]) for name in wanted or known]


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
