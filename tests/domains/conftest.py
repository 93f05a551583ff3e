"""Fixtures of the paper suite: official layouts, a raw folder, a local server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

from dabs.domains.sources.listing import Listing
from tests.helpers.paper.samples import Samples
from tests.helpers.paper.server import Served, serve
from tests.helpers.places import SHARED


@pytest.fixture
def served() -> Iterator[Served]:
    """A local server; set its files and faults in the `Served` object."""
    what = Served()
    server = serve(what)
    yield what
    what.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def raw(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The empty folder that official files are looked for in and downloaded to; the user's settings are ignored."""
    for name in ("DABS_DATA_DIR", "DABS_TOKENIZER"):
        monkeypatch.delenv(name, raising=False)
    return home / "raw"


REAL = SHARED / "data" / "paper"
ORIGINS = ["made", *([pytest.param("real", marks=pytest.mark.slow)] if REAL.is_dir() else [])]


@pytest.fixture(scope="session", params=ORIGINS)
def samples(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """The samples of the paper's datasets: made ones, and real ones where the shared folder is there."""
    folder = tmp_path_factory.mktemp(request.param)
    real = request.param == "real"
    return Samples(origin=request.param, folder=REAL if real else folder / "samples", layouts=folder / "official")


@pytest.fixture(scope="session")
def official(samples: Samples) -> Callable[[str], Path]:
    """A function that returns the folder of a dataset, or of a tiny tokenizer, in its publisher's layout."""
    return samples.official


@pytest.fixture(scope="session")
def check_disjoint() -> Callable[[Listing], None]:
    """A function that fails for a listing with a group or a file in two splits."""

    def check(found: Listing) -> None:
        assert list(found) == ["train", "validation", "test"]
        for a, b in combinations(found.values(), 2):
            assert not {i.group for i in a} & {i.group for i in b}
            assert not {str(i.source) for i in a} & {str(i.source) for i in b} or not isinstance(a[0].source, str)

    return check


@pytest.fixture(scope="session")
def text_files(samples: Samples) -> Callable[..., Path]:
    """A function that lays out text datasets and tiny tokenizers in one folder, and returns that folder."""

    def get(*names: str) -> Path:
        for name in names:
            samples.official(name)
        return samples.layouts

    return get
