"""Fixtures of the paper suite: official layouts, a raw folder, a local server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

from dabs.domains.sources.listing import Listing
from tests.helpers.paper.layouts import lay_out
from tests.helpers.paper.server import Served, serve
from tests.helpers.paper.texts import lay_out_text


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


@pytest.fixture(scope="session")
def official(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A function that returns the folder of a dataset in its official layout, made by `layouts.py` from its sample."""
    samples = shared / "data" / "paper"
    if not samples.is_dir():
        pytest.skip(f"no samples at {samples}")
    folder = tmp_path_factory.mktemp("official")
    return lambda name: lay_out(name, samples, folder)


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
def text_files(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that lays out text datasets and tiny tokenizers in one folder; skips if a sample is missing."""
    folder = tmp_path_factory.mktemp("texts")

    def get(*names: str) -> Path:
        samples = shared / "data" / "paper"
        for name in names:
            source = {"bert-base-uncased": "wikitext", "xlm-roberta-base": "mc4"}.get(name, name)
            if not (samples / source).is_dir():
                pytest.skip(f"no sample of {source} in {samples}")
            lay_out_text(name, samples, folder)
        return folder

    return get
