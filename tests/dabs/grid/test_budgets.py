"""Budgets: runs of other lengths have names, folders and tables of their own."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from dabs.cli import dispatch
from dabs.config import BUDGETS, PretrainConfig, label_at, without_budget
from dabs.errors import RequestError
from dabs.leaderboard.tables.aggregate import build_table
from dabs.results.entries import read_entries
from dabs.results.files import load_results
from dabs.training.pretrain import resolve
from tests.helpers.in_process import InThisProcess
from tests.helpers.made_results import make

GRID = ["run", "--algorithms", "none", "shed", "supervised", "--domains", "toy", "--protocol", "knn"]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_multiplies_the_steps_of_its_domain(toy, budget):
    config, _, domain = resolve(PretrainConfig(algorithm="shed", domain="toy", budget=budget))
    assert config.steps == max(1, round(budget * domain.steps))
    assert config.budget == budget


def test_a_row_that_does_not_train_has_no_budget(toy):
    config, _, _ = resolve(PretrainConfig(algorithm="none", domain="toy", budget=4.0))
    assert (config.steps, config.budget) == (0, 1.0)


def test_only_some_budgets_are_compared():
    with pytest.raises(RequestError, match=r"budget must be one of 0\.25, 1, 4, 10, not 2"):
        PretrainConfig(algorithm="shed", domain="toy", budget=2)


@pytest.mark.parametrize(
    "words",
    [("pretrain", "shed", "toy"), ("run", "--algorithms", "shed", "--domains", "toy")],
    ids=["pretrain", "run"],
)
def test_steps_and_a_budget_contradict_each_other(toy, words):
    with pytest.raises(RequestError, match="--steps 5 and --budget 4 contradict each other"):
        dispatch([*words, "--steps", "5", "--budget", "4"])


def test_a_label_has_its_budget_unless_it_is_the_standard_one():
    assert [label_at("shed", budget) for budget in (1.0, 0.25, 10.0)] == ["shed", "shed+budget=0.25", "shed+budget=10"]
    assert without_budget("shed+lr=0.1+budget=10") == "shed+lr=0.1"
    assert without_budget("shed") == "shed"


@pytest.fixture
def runs(toy, tmp_path, made_once, monkeypatch, capsys) -> Path:
    """The grid of ShED, none and supervised at budget 0.25 and at the standard one."""
    monkeypatch.setattr("dabs.launch.local.LocalExecutor", InThisProcess)  # a worker does not see the toy domain
    monkeypatch.chdir(tmp_path)

    def make(out: Path) -> None:
        grid = [*GRID, "--out", str(out)]
        assert dispatch(grid) == 0
        standard = capsys.readouterr().out
        assert "at budget" not in standard
        assert dispatch([*grid, "--budget", "0.25"]) == 0
        assert "lite suite at budget 0.25" in capsys.readouterr().out
        assert "lite suite at budget 0.25" in (out / "report.html").read_text()

    return made_once("grid of two budgets", make, tmp_path / "runs")


def test_budgets_stay_apart(runs, capsys):
    assert {path.name for path in (runs / "lite").iterdir() if path.is_dir()} == {
        *("none", "raw", "summary", "shed", "shed+budget=0.25", "supervised", "supervised+budget=0.25"),
    }
    results = load_results(runs)
    steps = {r.algorithm: (r.budget, r.pretraining.steps) for r in results}
    assert steps["shed+budget=0.25"] == (0.25, round(0.25 * steps["shed"][1]))
    assert steps["supervised+budget=0.25"] == (0.25, round(0.25 * steps["supervised"][1]))
    assert (steps["shed"][0], steps["none"], steps["raw"]) == (1.0, (None, 0), (None, 0))
    with pytest.raises(RequestError, match="may not share a table"):
        build_table([r.model_copy(update={"algorithm": without_budget(r.algorithm)}) for r in results], "knn")
    table = build_table(read_entries(runs).at_budget(0.25).fixed_results(), "knn")
    assert table.title == "lite suite at budget 0.25"
    assert set(table.algorithms) == {"none", "raw", "summary", "shed", "supervised"}

    assert dispatch(["leaderboard", "show", "--protocol", "knn"]) == 0
    shown = capsys.readouterr().out
    assert "left out, at other budgets (--budget): 0.25" in shown
    assert "lite suite." in shown
    assert dispatch(["leaderboard", "show", "--protocol", "knn", "--budget", "0.25"]) == 0
    other = capsys.readouterr().out
    assert "left out, at other budgets (--budget): 1" in other
    assert "lite suite at budget 0.25." in other
    with pytest.raises(RequestError, match=r"no results at budget 4\. There are some at: 0\.25, 1; name one"):
        dispatch(["leaderboard", "show", "--budget", "4"])

    assert dispatch(["leaderboard", "build", "--budget", "0.25", "--out", "site"]) == 0
    assert "lite suite at budget 0.25" in Path("site/index.html").read_text()
    assert dispatch(["leaderboard", "export"]) == 0
    with open("results.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["algorithm"]: row["budget"] for row in rows} == {
        **dict.fromkeys(("none", "raw", "summary"), ""),
        **dict.fromkeys(("shed", "supervised"), "1.0"),
        **dict.fromkeys(("shed+budget=0.25", "supervised+budget=0.25"), "0.25"),
    }


def test_budgets_are_compared_by_name(runs, capsys):
    def pairs(*words):
        assert dispatch(["compare", *words, "--protocol", "knn", "--format", "json", "--out", "out.json"]) == 0
        return {(pair["a"], pair["b"]) for pair in json.loads(Path("out.json").read_text())["pairs"]}

    assert pairs("runs:shed+budget=0.25", "runs:shed") == {("shed+budget=0.25", "shed")}
    small = pairs("runs", "--algorithms", "none", "shed", "--budget", "0.25")
    assert small == {("none", "shed+budget=0.25")}
    assert pairs("runs:none", "runs:raw", "--budget", "10") == {("none", "raw")}, "rows without pretraining have none"
    for words in (["runs"], ["runs", "--algorithms", "none", "shed"]):
        with pytest.raises(
            RequestError, match=r"runs has no results at budget 3 \(knn\), but some at: 0\.25, 1\. Name one"
        ):
            dispatch(["compare", *words, "--protocol", "knn", "--budget", "3"])


def test_every_budget_is_shown_side_by_side(runs, capsys):
    assert dispatch(["leaderboard", "show", "--protocol", "knn", "--budget", "all"]) == 0
    header = next(line for line in capsys.readouterr().out.splitlines() if "domain, row" in line)
    assert header.split()[2:] == ["0.25×", "1×"]
    assert dispatch(["leaderboard", "build"]) == 0
    assert "at other budgets, and so in the figures of cost only (--budget): 0.25" in capsys.readouterr().out
    assert "Score by budget in the lite suite" in Path("report.html").read_text()


def test_older_results_have_the_standard_budget():
    assert make().budget == 1.0
    assert make(algorithm="none").budget is None


def test_the_same_command_resumes_at_its_budget(runs, capsys):
    for budget in ("0.25", "1"):
        assert dispatch([*GRID, "--budget", budget]) == 0
        assert "5 cells, 5 done already" in capsys.readouterr().out
