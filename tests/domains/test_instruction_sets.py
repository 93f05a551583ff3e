"""Prepared bytes do not depend on the instruction set of the processor."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dabs.data.domain import Domain
from dabs.data.prepared import read_manifest, units_of
from dabs.utils.files import data_home
from tests.domains.test_contract import SEVEN
from tests.helpers.instruction_sets import dispatched, imitations
from tests.helpers.places import ROOT
from tests.helpers.prepared_bytes import CANARY, write_files

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or not dispatched(),
    reason="there is no older instruction set to imitate here",
)


def run_python(arguments: list[str], extra: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=os.environ | extra, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def hashes(prepared: Callable[[str], Domain], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Hashes of a few rows of every kind of data, by instruction set; that of this processor is called native."""
    prepared("sensor")  # fetches its source
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    command = ["-m", "tests.helpers.prepared_bytes", str(folder)]
    outputs = {name: run_python(command, extra) for name, extra in ({"native": {}} | imitations()).items()}
    return {name: json.loads(text.splitlines()[-1]) for name, text in outputs.items()}


def test_the_imitation_changes_what_depends_on_the_instruction_set(hashes):
    assert hashes["SSE4.2"][CANARY] != hashes["native"][CANARY]


@pytest.mark.parametrize("instructions", ["SSE4.2", "AVX2"])
def test_rows_of_every_kind_are_the_same_with_other_instructions(hashes, instructions):
    expected, found = hashes["native"] | {CANARY: ""}, hashes[instructions] | {CANARY: ""}
    assert {name for name in expected if found[name] != expected[name]} == set()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    "DABS_WHOLE_DOMAINS" not in os.environ, reason="takes 10 minutes; set DABS_WHOLE_DOMAINS=1 to run it"
)
@pytest.mark.parametrize("name", SEVEN)
def test_a_whole_domain_is_the_same_with_older_instructions(prepared, tmp_path: Path, name: str):
    (unit,) = units_of(prepared(name))
    expected = read_manifest(unit)
    (tmp_path / "sources").symlink_to(data_home() / "sources")
    extra = imitations()["SSE4.2"] | {"DABS_HOME": str(tmp_path)}
    run_python(["-m", "dabs", "data", "prepare", name], extra)
    found = json.loads((tmp_path / "lite" / name / "manifest.json").read_text())
    assert found["splits"] == expected["splits"]
    assert found["files"] == expected["files"]
