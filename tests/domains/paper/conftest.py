"""Fixtures of the paper suite: a server on loopback, and a place for official files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.domains.paper.server import Served, serve


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
