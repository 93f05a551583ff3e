"""The documentation site builds strictly, and the notebook runs from top to bottom."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.places import ROOT

pytest.importorskip("mkdocs", reason="pip install 'dabs[dev]'")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder of the built site."""
    out = tmp_path_factory.mktemp("site")
    subprocess.run(["make", "--silent", "build/types"], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=quiet, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.mark.slow
def test_the_site_is_built_strictly_and_has_every_page(built):
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in (ROOT / "docs").glob("*.md")}
    for name in (pages - {"index"}) | {"changelog", "contributing", "benchmarks"}:
        assert (built / name / "index.html").is_file(), name


@pytest.mark.slow
def test_the_reference_shows_the_docstrings(built):
    text = re.sub(r"<[^>]+>|\s+", " ", (built / "reference" / "index.html").read_text(encoding="utf-8"))
    for words in ("Pretrain one algorithm in one domain, resume a run", "corruption_rate"):
        assert words in text
    for name in ("dabs.api.pretrain", "dabs.algorithm.Algorithm", "dabs.evaluation.frozen.FrozenEncoder"):
        assert f'id="{name}"' in (built / "reference" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(prepared, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    prepared("sensor")
    notebook = nbformat.read(ROOT / "docs" / "quickstart.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs for cell in code), "outputs are not committed: they would grow stale"
    assert "STEPS = 100" in code[0].source
    code[0].source = code[0].source.replace("STEPS = 100", "STEPS = 4")
    for cell in code:
        cell.source = cell.source.replace("seeds=2", "seeds=1")
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = [output for cell in code for output in cell.outputs if output.get("name") == "stdout"]
    assert "exercise: 0." in said[0].text
    assert code[-1].outputs[-1].data["text/plain"] == "(10, 128)"
