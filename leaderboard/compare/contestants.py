"""Who is compared: results on disk gathered into contestants, each with its scores and predictions by task and seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dabs.errors import RequestError, unknown
from dabs.leaderboard.tables.aggregate import ordered
from dabs.results.entries import Placed, load_entries
from dabs.results.schema import Result

Key = tuple[str, str]  # domain, task


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One algorithm of one source under one protocol.

    Attributes:
        name: unique in a comparison.
        source: the folder, as it was given.
        cells: the results of each task, seeds ascending.
    """

    name: str
    source: str
    cells: Mapping[Key, tuple[Placed, ...]]

    @property
    def results(self) -> list[Result]:
        """All of them."""
        return [placed.result for cell in self.cells.values() for placed in cell]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those that occur."""
        return tuple(sorted({result.seed for result in self.results}))


def contestant(name: str, source: str, placed: Sequence[Placed]) -> Contestant:
    """Gather the results of one algorithm and protocol.

    Raises:
        RequestError: two results of one task and seed.
    """
    cells: dict[Key, list[Placed]] = defaultdict(list)
    for one in sorted(placed, key=lambda p: (p.result.domain, p.result.task, p.result.seed)):
        cells[one.result.domain, one.result.task].append(one)
    for (domain, task), cell in cells.items():
        seeds = [one.result.seed for one in cell]
        if len(set(seeds)) < len(seeds):
            raise RequestError(
                f"{name} has two results of one seed on {domain}/{task}: {seeds}. Remove one of the two."
            )
    return Contestant(name=name, source=source, cells={key: tuple(cell) for key, cell in cells.items()})


def contestants_of(sources: Sequence[str], protocol: str, algorithms: Sequence[str] = ()) -> list[Contestant]:
    """The contestants behind `ROOT` or `ROOT:ALGORITHM` words.

    Args:
        sources: folders (runs, a run, a submission, the committed results) or single result files.
        protocol: whose results are read.
        algorithms: which of each source, in this order, a submission by its name; by default all of a single source,
            the only one of several.

    Raises:
        RequestError: a source that is not there or holds no results of the protocol, an unknown algorithm, a source of
            several algorithms among several sources, or fewer than two contestants.
        DabsError: a result file or a submission that cannot be read.
    """
    found: list[Contestant] = []
    for word in sources:
        root, wanted = _split(word)
        found += _of_source(root, protocol, (wanted,) if wanted else tuple(algorithms), alone=len(sources) == 1)
    named = _told_apart(found)
    if len(named) < 2:
        names = ", ".join(one.name for one in named) or "none"
        raise RequestError(f"a comparison needs two algorithms; there is {names}. Name a second folder or algorithm.")
    return named


def _split(word: str) -> tuple[Path, str]:
    """ROOT and ALGORITHM (or nothing); a path that exists is never split."""
    root, colon, algorithm = word.rpartition(":")
    if Path(word).exists() or not colon:
        if Path(word).suffix == ".html":
            raise RequestError(f"{word} is a page for readers; name the folder of results that it was built from.")
        return Path(word), ""
    return Path(root), algorithm


def _of_source(root: Path, protocol: str, wanted: tuple[str, ...], *, alone: bool) -> list[Contestant]:
    rows = load_entries(root)
    mine = {row.name: [one for one in row.placed if one.result.protocol == protocol] for row in rows}
    groups = {name: placed for name, placed in mine.items() if placed}
    if not groups:
        others = ", ".join(sorted({one.result.protocol for row in rows for one in row.placed})) or "no protocol"
        raise RequestError(f"{root} has no results of the protocol {protocol!r} (it has those of {others}).")
    there = ordered(groups)
    for name in wanted:
        if name not in groups:
            raise unknown("algorithm", name, list(there), of=str(root))
    if not wanted and not alone and len(there) > 1:
        raise RequestError(
            f"{root} has results of several algorithms: {', '.join(there)}. Say which: {root}:{there[-1]}, or "
            f"--algorithms {there[-1]}."
        )
    chosen = wanted or there
    return [contestant(name, str(root), groups[name]) for name in chosen]


def _told_apart(found: Sequence[Contestant]) -> list[Contestant]:
    """Contestants of one name get their source behind it.

    Raises:
        RequestError: the same one twice.
    """
    counts = Counter(one.name for one in found)
    named = [replace(one, name=f"{one.name} ({one.source})") if counts[one.name] > 1 else one for one in found]
    twice = [name for name, count in Counter(one.name for one in named).items() if count > 1]
    if twice:
        raise RequestError(f"{twice[0]} is named twice. Name two different folders or algorithms.")
    return named
