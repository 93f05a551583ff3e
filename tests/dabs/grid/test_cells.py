"""A grid in which something is in the way: the rest of it runs, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from dabs.cli import dispatch
from dabs.cli.run import GridOptions, plan
from dabs.errors import RequestError
from dabs.utils.strict_json import read_json
from tests.helpers.in_process import InThisProcess
from tests.helpers.places import ROOT

SOURCE = '''
from dabs.algorithm import Algorithm

class {name}(Algorithm):
    """Makes features small."""

    def loss(self, encoder, batch):
        return {{"loss": encoder(batch).square().mean()}}
'''


@pytest.fixture
def grid(toy, tmp_path, monkeypatch):
    """Run a grid of the algorithms First and Second, with a few options more; return the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dabs.launch.local.LocalExecutor", InThisProcess)
    for name in ("First", "Second"):
        Path(f"{name}.py").write_text(SOURCE.format(name=name))

    def run(*words: str) -> int:
        common = ["--domains", "toy", "--steps", "2", "--protocol", "knn", "--jobs", "1", "--first-seed", "0"]
        return dispatch(["run", "--algorithms", "First.py:First", "Second.py:Second", *common, *words])

    return run


def sources(root: Path) -> dict[str, str]:
    return {path.parts[-4]: read_json(path)["identity"]["algorithm_sha256"] for path in root.rglob("seed0/config.json")}


def test_an_edited_comment_stops_one_algorithm_only(grid, tmp_path, capsys):
    assert grid() == 0
    before = sources(tmp_path / "runs")
    Path("First.py").write_text(SOURCE.format(name="First") + "# a comment\n")
    capsys.readouterr()
    assert grid("--seeds", "2") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "left out First.py:First: a folder of its runs holds another run" in said
    assert "failed First.py:First: the folder runs/lite/First/toy/seed0 holds a run of another version of" in said
    assert "Options, steps and data are the same" in said
    assert "--out" in said
    assert "--force" in said
    assert sources(tmp_path / "runs") == before
    assert {path.parts[-4] for path in Path("runs/lite").glob("*/toy/seed1/run.json")} == {"Second"}

    assert grid("--force") == 0
    assert sources(tmp_path / "runs")["First"] != before["First"]
    kept = Path("runs/lite/First/toy/.seed0.replaced-1")
    assert read_json(kept / "config.json")["identity"]["algorithm_sha256"] == before["First"]
    assert len(list((kept / "results").glob("*.result.json"))) == 3
    assert not list(Path("runs/lite/Second/toy").glob(".seed0.replaced*"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_broken_results_of_the_grid_are_made_again_and_others_are_reported(grid, capsys):
    assert grid() == 0
    results = Path("runs/lite/Second/toy/seed0/results")
    stamps = {path.name: path.stat().st_mtime_ns for path in results.iterdir()}
    edit(results / "shade.knn.result.json", score=0.123)
    capsys.readouterr()
    assert grid() == 0
    said = capsys.readouterr().out
    assert "evaluated again: runs/lite/Second/toy/seed0/results/shade.knn.result.json: the score is 0.123" in said
    changed = {path.name for path in results.iterdir() if path.stat().st_mtime_ns != stamps[path.name]}
    assert changed == {"shade.knn.result.json"}, "its predictions were whole"

    (results / "shade.knn.predictions.npz").unlink()
    assert grid() == 0
    assert "shade.knn.result.json: its predictions, shade.knn.predictions.npz, are missing" in capsys.readouterr().out
    assert (results / "shade.knn.predictions.npz").exists()

    newer = results / "length.knn.result.json"
    edit(newer, schema_version=99)
    edit(Path("runs/lite/First/toy/seed0/results/shade.knn.result.json"), score=0.123)
    capsys.readouterr()
    assert grid("--algorithms", "Second.py:Second") == 1
    said = capsys.readouterr().out
    assert said.count("left out: ") == 2
    assert "It was written by a newer dabs" in said
    assert '"schema_version": 99' in newer.read_text()
    assert "report: " in said


def test_a_lost_encoder_is_trained_again_when_results_are_missing(grid, capsys):
    assert grid() == 0
    run = Path("runs/lite/Second/toy/seed0")
    shutil.rmtree(run / "encoder")
    assert grid() == 0, "all results are there"
    assert not (run / "encoder").exists()
    (run / "results" / "shade.knn.result.json").unlink()
    edit(run / "run.json", weights_sha256="0" * 64)  # as of another machine, so that the other results do not fit
    capsys.readouterr()
    assert grid() == 0
    assert "pretrained again (runs/lite/Second/toy/seed0/encoder/encoder.safetensors is missing)" in " ".join(
        capsys.readouterr().out.split()
    )
    weights = {read_json(path)["pretraining"]["weights_sha256"] for path in (run / "results").glob("*.result.json")}
    assert weights == {read_json(run / "run.json")["weights_sha256"]}


def test_a_grid_without_names_has_the_rows_of_the_published_table():
    labels = {cell.label for cell in plan(GridOptions())}
    assert labels == {"raw", "summary", "none", "contrastive", "emix", "shed", "supervised"}
    assert labels - {"raw", "summary"} <= {path.name for path in (ROOT / "leaderboard/results/lite").iterdir()}


def test_runs_of_a_store_are_not_put_aside(toy):
    with pytest.raises(RequestError, match="--force puts runs aside on this machine only"):
        plan(GridOptions(algorithms=("none",), domains=("toy",), force=True, store="file:///nowhere"))


def test_a_folder_that_cannot_be_written_stops_the_grid_at_once(grid, monkeypatch, capsys):
    from dabs.errors import DabsError

    Path("out").write_text("a file")
    monkeypatch.setattr("dabs.cli.run.run_graph", None)  # nothing may be started
    with pytest.raises(DabsError, match="cannot write out: out is a file"):
        grid("--out", "out")
