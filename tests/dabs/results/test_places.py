"""Places of results: paths, `published`, and runs on the hub."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import dabs.results
from dabs.cli import dispatch
from dabs.config import PretrainConfig
from dabs.errors import DabsError, RequestError
from dabs.evaluation.evaluate import evaluate, write_results
from dabs.results import places
from dabs.results.files import load_results
from dabs.results.places import published_folder, results_folder, split_algorithm
from dabs.training.pretrain import pretrain
from dabs.training.push import push
from tests.helpers.hub_server import writable_hub
from tests.helpers.places import ROOT
from tests.helpers.submitting import toy_domain

PUSHED = "hf://alice/toys"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with runs of two algorithms; that of `none` is on a hub as well."""
    folder = tmp_path_factory.mktemp("places")
    with writable_hub(folder / "cache"), toy_domain(folder / "home"):
        for algorithm in ("none", "shed"):
            config = PretrainConfig(algorithm=algorithm, domain="toy", steps=2 * (algorithm != "none"))
            run = pretrain(config, folder / "runs" / algorithm, logger="none")
            for _ in write_results(run, evaluate(run, ("shade",), ("linear",))):
                pass
        push(folder / "runs" / "none", PUSHED)
        yield folder / "runs"


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("runs", ("runs", "")),
        ("runs:shed", ("runs", "shed")),
        ("published", ("published", "")),
        ("published:shed", ("published", "shed")),
        ("hf://alice/toys", ("hf://alice/toys", "")),
        ("hf://alice/toys@v1:shed", ("hf://alice/toys@v1", "shed")),
    ],
)
def test_an_algorithm_follows_a_colon(word, split):
    assert split_algorithm(word) == split


def test_a_path_with_a_colon_is_not_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a:b").mkdir()
    assert split_algorithm("a:b") == ("a:b", "")


def test_published_means_the_results_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("published").mkdir()
    assert results_folder("published") == published_folder() == ROOT / "leaderboard" / "results"
    assert results_folder("./published").resolve() == tmp_path / "published"
    assert results_folder(tmp_path) == tmp_path
    assert len(dabs.results.frame("published")) == len(load_results(ROOT / "leaderboard" / "results"))


def test_a_copy_without_results_says_so(monkeypatch, tmp_path):
    class Elsewhere:
        origin = str(tmp_path / "leaderboard" / "__init__.py")

    monkeypatch.setattr(places.importlib.util, "find_spec", lambda name: Elsewhere())
    with pytest.raises(DabsError, match="came without results"):
        published_folder()


def test_a_run_on_the_hub_is_compared(runs, capsys):
    assert dispatch(["compare", f"{PUSHED}:none", f"{runs}:shed", "--resamples", "100"]) == 0
    assert "A = none, B = shed" in capsys.readouterr().out
    assert dispatch(["compare", f"{PUSHED}:none", f"{runs}:none", "--resamples", "100"]) == 0
    assert f"none ({PUSHED})" in capsys.readouterr().out.replace("\n", "")
    with pytest.raises(RequestError, match=f"no algorithm 'emix' in {PUSHED}"):
        dispatch(["compare", f"{PUSHED}:emix", f"{runs}:shed"])
    assert list(dabs.results.frame(PUSHED)["algorithm"]) == ["none"]


def test_the_leaderboard_shows_runs_on_the_hub(runs, capsys, tmp_path):
    assert dispatch(["leaderboard", "show", "--results", PUSHED]) == 0
    assert "shade" in capsys.readouterr().out
    store = ["--store", str(tmp_path / "store")]
    with pytest.raises(RequestError, match="--store fetches results into the first folder"):
        dispatch(["leaderboard", "show", "--results", "published", *store])


def test_published_results_are_compared_by_name_and_by_path(capsys):
    compared = []
    for source in ("published", str(ROOT / "leaderboard" / "results" / "lite")):
        assert dispatch(["compare", f"{source}:shed", f"{source}:none", "--resamples", "200", "--format", "json"]) == 0
        compared.append(capsys.readouterr().out.replace(source, "SOURCE"))
    assert compared[0] == compared[1]
