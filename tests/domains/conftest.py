"""Fixtures of the paper suite: datasets in their official layout, an empty place for them, a server on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest

from dabs.domains.sources.rows import Listing
from tests.helpers.paper.layouts import lay_out
from tests.helpers.paper.server import Served, serve
from tests.helpers.paper.texts import lay_out_text


@pytest.fixture
def served() -> Iterator[Served]:
    """A server on loopback; put files into `served.files` and faults beside them."""
    what = Served()
    server = serve(what)
    yield what
    what.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def raw(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where official files are looked for and downloaded to, empty; the settings of the user do not count."""
    for name in ("DABS_DATA_DIR", "DABS_TOKENIZER"):
        monkeypatch.delenv(name, raising=False)
    return home / "raw"


@pytest.fixture(scope="session")
def official(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Gives a dataset's folder in its official layout: the sample, completed as `layouts.py` says."""
    samples = shared / "data" / "paper"
    if not samples.is_dir():
        pytest.skip(f"no samples at {samples}")
    folder = tmp_path_factory.mktemp("official")
    return lambda name: lay_out(name, samples, folder)


@pytest.fixture(scope="session")
def apart() -> Callable[[Listing], None]:
    """Refuses a listing in which a unit stands on two sides, or a file."""

    def check(found: Listing) -> None:
        assert list(found) == ["train", "validation", "test"]
        for a, b in combinations(found.values(), 2):
            assert not {i.group for i in a} & {i.group for i in b}
            assert not {str(i.source) for i in a} & {str(i.source) for i in b} or not isinstance(a[0].source, str)

    return check


@pytest.fixture(scope="session")
def text_files(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Lays out text sets and tiny tokenizers in one folder for `--data-dir`; skips where a sample is not there."""
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
