"""What a preparation will download, unpack and keep; several downloads at once.

Units are prepared one after the other, but a slow host need not hold up the others: `fetch_ahead` fetches the sources
of all units beforehand, archives in threads. The preparation does not try again what failed, but shows its message.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from dabs.data.domain import Domain, Footprint, LargeSource, Source, progress_callback
from dabs.data.prepared import Unit, is_unit_prepared, units_of
from dabs.errors import DabsError
from dabs.utils.files import data_home

MAX_FETCHES = 6  # datasets at once; a host is asked for fewer files at a time (dabs.domains.sources.download)


class FetchStopped(Exception):
    """Raised in the threads of `fetch_ahead` on Ctrl-C; partial files stay for the next attempt."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What preparing a domain takes, in bytes, as far as it is known.

    Attributes:
        name: of the domain.
        download: comes over the network.
        unpacked: the publishers' files on the disk, which may be deleted afterwards.
        prepared: what training reads.
    """

    name: str
    download: int
    unpacked: int
    prepared: int


def plan_of(domain: Domain, datasets: Iterable[str] = (), *, missing: bool) -> Plan | None:
    """Return what preparing a domain takes, or None if its parts do not say.

    Args:
        domain: whose data to prepare.
        datasets: some of its datasets; all if empty.
        missing: whether to leave out what is prepared, downloaded or cached already.
    """
    known = {part.dataset: part.prepared for part in domain.parts}
    if not all(known.values()) or not known:
        return None
    units = [unit for unit in units_of(domain, datasets) if not (missing and is_unit_prepared(unit))]
    files: dict[str, Footprint] = {}
    for source in (source for unit in units for source in unit.sources):
        files |= source.footprints(missing=missing) if isinstance(source, LargeSource) else {}
    return Plan(
        name=domain.name,
        download=sum(file.download for file in files.values()),
        unpacked=sum(file.unpacked for file in files.values()),
        prepared=sum(known[unit.only] for unit in units),
    )


def source_key(source: Source) -> str:
    """Return a text that is equal for equal sources; a source need not be hashable."""
    return repr(source)


def fetch_ahead(units: Iterable[Unit], say: Callable[[str], None]) -> dict[str, DabsError]:
    """Fetch the sources of units that are not prepared, several at once.

    Returns:
        Why a source could not be fetched, by its `source_key`.
    """
    wanted = {source_key(s): s for unit in units if not is_unit_prepared(unit) for s in unit.sources}
    large = {key: source for key, source in wanted.items() if isinstance(source, LargeSource)}
    failed: dict[str, DabsError] = {}
    stop = threading.Event()
    folder = data_home() / "sources"

    def fetch(key: str, speak: Callable[[str], None]) -> None:
        """Fetch one source and keep its error."""
        try:
            wanted[key].fetch(folder, speak)
        except DabsError as error:
            failed[key] = error

    with ThreadPoolExecutor(MAX_FETCHES, thread_name_prefix="ahead") as pool:
        try:
            waiting = [pool.submit(fetch, key, _Stoppable(say, stop)) for key, s in large.items() if s.threaded]
            for key, source in large.items():
                if not source.threaded:  # here, where Ctrl-C ends it
                    fetch(key, say)
            for future in as_completed(waiting):
                future.result()
        except BaseException:  # including Ctrl-C: downloads end at their next chunk and keep what has arrived
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return failed


class _Stoppable:
    """A `say` with progress that raises once `stop` is set, which ends the download that calls it."""

    def __init__(self, say: Callable[[str], None], stop: threading.Event) -> None:
        self.say, self.stop = say, stop
        self.show = progress_callback(say)

    def __call__(self, line: str) -> None:
        self._check()
        self.say(line)

    def progress(self, name: str, done: int, total: int) -> None:
        """Pass on the progress of a download."""
        self._check()
        self.show(name, done, total)

    def _check(self) -> None:
        if self.stop.is_set():
            raise FetchStopped("another part of the preparation has ended")
