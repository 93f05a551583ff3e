"""What is still to be fetched, and fetching several sources at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest

from dabs.data.domain import PRETRAIN, Domain, Footprint, Part
from dabs.data.fetch_ahead import FetchStopped, fetch_ahead, plan_of, source_key
from dabs.data.prepare import prepare
from dabs.data.prepared import units_of
from dabs.errors import DabsError
from tests.helpers.toy_domain import LITE


@dataclass(frozen=True)
class Slow:
    """A source that waits until all sources are being fetched."""

    name: str
    together: threading.Barrier = field(repr=False, compare=False)
    threaded: bool = True
    fails: bool = False

    def describe(self) -> dict[str, str]:
        return {"name": self.name}

    def footprints(self, *, missing: bool) -> dict[str, Footprint]:
        return {self.name: Footprint(download=5, unpacked=7), "shared": Footprint(download=100)}

    def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
        self.together.wait(20)
        say(f"fetched {self.name}")
        if self.fails:
            raise DabsError(f"{self.name} is gone")
        return folder


def only(workspace, dataset):
    return (rows for rows in LITE.build(workspace) if rows.dataset == dataset)


def in_parts(*sources: Slow, prepared: int = 1000) -> Domain:
    """The toy domain, each dataset from one of the sources."""
    parts = tuple(
        Part(dataset=name, sources=(source,), build=partial(only, dataset=name), prepared=prepared)
        for name, source in zip(LITE.datasets(), sources, strict=True)
    )
    return replace(LITE, suite="paper", build=None, parts=parts)


def sources(count: int = 3, **settings: bool) -> list[Slow]:
    together = threading.Barrier(count)
    return [Slow(f"source{n}", together, **settings) for n in range(count)]


@pytest.fixture
def count() -> int:
    return len(LITE.datasets())


def test_sources_are_fetched_at_once(home, count):
    said: list[str] = []
    domain = in_parts(*sources(count))
    assert fetch_ahead(units_of(domain), said.append) == {}
    assert sorted(said) == [f"fetched source{n}" for n in range(count)]  # or the barrier would have broken


def test_a_failure_is_kept_and_not_tried_again(home, count):
    first, *others = sources(count)
    domain = in_parts(replace(first, fails=True), *others)
    failed = fetch_ahead(units_of(domain), lambda line: None)
    assert set(failed) == {source_key(domain.parts[0].sources[0])}
    alone = replace(
        domain,
        parts=tuple(replace(p, sources=(replace(p.sources[0], together=threading.Barrier(1)),)) for p in domain.parts),
    )
    with pytest.raises(DabsError, match=f"(?s)1 of {count} datasets were not prepared.*source0 is gone") as stop:
        prepare(alone, lambda line: None, failed=failed)
    assert PRETRAIN in str(stop.value)


def test_what_is_prepared_is_not_fetched(home, count):
    domain = in_parts(*[replace(source, together=threading.Barrier(1)) for source in sources(count)])
    prepare(domain, lambda line: None)
    said: list[str] = []
    assert fetch_ahead(units_of(domain), said.append) == {}
    assert said == []
    assert plan_of(domain, missing=True).prepared == 0


def test_a_plan_counts_each_file_once(home, count):
    plan = plan_of(in_parts(*sources(count)), missing=True)
    assert (plan.download, plan.unpacked, plan.prepared) == (100 + 5 * count, 7 * count, 1000 * count)
    one = plan_of(in_parts(*sources(count)), (PRETRAIN,), missing=True)
    assert (one.download, one.unpacked, one.prepared) == (105, 7, 1000)


def test_a_domain_that_does_not_know_its_size_has_no_plan(home, count):
    assert plan_of(in_parts(*sources(count), prepared=0), missing=True) is None
    assert plan_of(LITE, missing=True) is None


def test_ctrl_c_ends_the_downloads_in_threads(home, count):
    ended = threading.Event()

    @dataclass(frozen=True)
    class Endless(Slow):
        def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
            self.together.wait(20)
            try:
                while True:
                    say("still downloading")
            except FetchStopped:
                ended.set()
                raise

    @dataclass(frozen=True)
    class Interrupted(Slow):
        def fetch(self, folder: Path, say: Callable[[str], None]) -> Path:
            self.together.wait(20)
            raise KeyboardInterrupt

    together = threading.Barrier(2)
    quick = [replace(s, together=threading.Barrier(1)) for s in sources(count - 2)]
    domain = in_parts(Endless("endless", together), Interrupted("here", together, threaded=False), *quick)
    with pytest.raises(KeyboardInterrupt):
        fetch_ahead(units_of(domain), lambda line: None)
    assert ended.is_set()
