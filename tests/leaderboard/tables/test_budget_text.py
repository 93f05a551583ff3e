"""The table of every budget in the terminal and in Markdown."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from dabs.cli import dispatch
from dabs.leaderboard.tables.budget_text import (
    cost_text,
    describe_machine,
    flops_text,
    markdown_budgets,
    seconds_text,
    show_budgets,
)
from dabs.leaderboard.tables.budgets import build_budget_tables
from dabs.leaderboard.tables.costs import RunCost
from dabs.results.schema import Result
from tests.helpers.made_results import EVERY_ROW, altered, make, make_budgets, write

FAILED = {("shed", "sensor", 1): "the loss never fell"}


def made(**changes: object) -> list[Result]:
    return make_budgets(protocols=("linear",), gains=EVERY_ROW, failed=FAILED, **changes)


def shown(results: list[Result], width: int = 100) -> str:
    out = io.StringIO()
    show_budgets(build_budget_tables(results, "linear"), Console(file=out, width=width))
    return out.getvalue()


def test_four_budgets_fit_100_columns_with_every_number_on_its_line() -> None:
    text = shown(made())
    assert max(map(len, text.splitlines())) <= 100
    header = next(line for line in text.splitlines() if "domain, row" in line)
    assert header.split()[2:] == ["0.25×", "1×", "4×", "10×"]
    number = r"-?\d+\.\d✗? \[-?\d+\.\d, -?\d+\.\d\]"
    rows = [line for line in text.splitlines() if re.match(rf"\s+\w+ +{number}", line)]
    assert len(rows) == 7 * 5, "a line for each row in each domain and overall"
    assert all(len(re.findall(number, line)) == 4 for line in rows)
    assert sum("✗ [" in line for line in rows) == 2, "shed in sensor, and overall"


def test_levels_failures_machine_and_unknown_costs_are_said() -> None:
    words = " ".join(shown(made()).split())
    assert "Without pretraining, and so the same at every budget: none, raw, summary." in words
    assert "✗ did not learn: shed on sensor (1 of 3 seeds: the loss never fell) at 0.25×;" in words
    assert "Seconds are of one machine (x86_64, 2 cores, cpu) and cannot be compared with those of another." in words
    assert "not idle" not in words
    unknown = shown([altered("pretraining.flops", 0)])
    assert "21 s, –" in unknown
    assert "supervised" not in unknown


def test_other_machines_and_a_busy_one_are_said() -> None:
    slow = altered("pretraining.wall_seconds", 80.0, seed=1)
    away = altered("environment.processor", "Other", seed=2)
    words = describe_machine(build_budget_tables([make(seed=0), make(seed=3), slow, away], "linear"))
    assert "1 of 4 runs were made elsewhere, and their seconds are left out" in words
    assert "up to 3.8 times as long as the fastest" in words
    assert describe_machine(build_budget_tables([make(algorithm="none")], "linear")) == ""


def test_a_missing_budget_is_a_dash() -> None:
    results = [r for r in made() if not (r.algorithm == "emix+budget=4" and r.domain == "speech")]
    markdown = markdown_budgets(build_budget_tables(results, "linear"))
    (row,) = (line for line in markdown.splitlines() if line.startswith("| speech† | emix |"))
    assert row.split(" | ")[4] == "–"
    (row,) = (line for line in markdown.splitlines() if line.startswith("| mean of 4 domains | emix |"))
    assert [cell == "–" for cell in row.strip("| ").split(" | ")[2:]] == [False, False, True, False]


def test_markdown_has_the_same_numbers_and_no_markup_of_names() -> None:
    results = [r for r in made() if r.domain == "sensor"]
    lines = markdown_budgets(build_budget_tables(results, "linear")).splitlines()
    assert lines[:2] == ["| domain | row | 0.25× | 1× | 4× | 10× |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    assert sum(line.startswith("| sensor |") for line in lines) == 7
    assert "| sensor | *none* |" in "\n".join(lines)
    hostile = markdown_budgets(build_budget_tables([make(algorithm="a|b<script>")], "linear"))
    assert r"a\|b\<script\>" in hostile


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (RunCost(), "– s, –"),
        (RunCost(seconds=5.55, flops=1.2345e15), "5.5 s, 1.2e15"),
        (RunCost(seconds=12345.6, flops=9.96e9), "12,346 s, 1.0e10"),
        (RunCost(seconds=9.99), "10.0 s, –"),
        (RunCost(flops=3e6), "– s, 3.0e6"),
    ],
)
def test_costs_in_words(cost: RunCost, text: str) -> None:
    assert cost_text(cost) == text
    assert cost_text(cost) == f"{seconds_text(cost.seconds)}, {flops_text(cost.flops)}"


def test_the_command_shows_every_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    for result in made(seeds=1):
        write(tmp_path / "runs" / result.algorithm, [result])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")  # which four budgets take
    assert dispatch(["leaderboard", "show", "--budget", "all"]) == 0
    text = capsys.readouterr().out
    assert "0.25×" in text
    assert "mean of 4 domains" in text
    assert dispatch(["leaderboard", "show", "--budget", "4"]) == 0
    assert "left out, at other budgets (--budget): 0.25, 1, 10; `--budget all` shows each" in " ".join(
        capsys.readouterr().out.split()
    )
    for words, said in (
        (["--protocol", "knn"], "no results for the protocol 'knn'"),
        (["--tests"], "--tests ranks the rows of one budget"),
    ):
        with pytest.raises(Exception, match=said):
            dispatch(["leaderboard", "show", "--budget", "all", *words])
