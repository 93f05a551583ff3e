"""Generated parts of pages: which submissions a table shows; the tree of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dabs.config import PROTOCOLS
from dabs.leaderboard.submit.doc_tables import (
    MAX_SUBMISSIONS,
    TREE_FOLDERS,
    agreement_table,
    budgets_table,
    choices_table,
    file_tree,
    keep_best_submissions,
    keep_default_rows,
    task_table,
    wins_table,
)
from dabs.leaderboard.tables.aggregate import build_table
from tests.helpers.made_results import EVERY_ROW, altered, make, make_budgets, make_suite
from tests.helpers.places import ROOT

TASKS = (("sensor", "exercise"), ("speech", "word"))
OWN = [make(algorithm="none", score=0.2), make(algorithm="shed", score=0.1)]


def submitted(count: int) -> list:
    return [make(algorithm=f"idea-{i}", score=0.3 + 0.5 * i / count) for i in range(count)]


def test_few_submissions_are_all_shown() -> None:
    theirs = submitted(MAX_SUBMISSIONS)
    assert keep_best_submissions([*OWN, *theirs], {r.algorithm for r in theirs}) == ([*OWN, *theirs], "")


def test_of_many_the_best_are_shown_with_all_of_the_projects_own_rows() -> None:
    theirs = submitted(1000)
    found, note = keep_best_submissions([*OWN, *theirs], {r.algorithm for r in theirs})
    assert [r.algorithm for r in found] == [
        "none",
        "shed",
        *(f"idea-{i}" for i in range(1000 - MAX_SUBMISSIONS, 1000)),
    ]
    assert f"Of 1,000 submissions, the {MAX_SUBMISSIONS} with the highest mean" in note


def test_a_submission_without_a_mean_over_all_domains_comes_last() -> None:
    whole = [
        make(algorithm=f"idea-{i}", domain=domain, task=task, score=0.3)
        for i in range(MAX_SUBMISSIONS)
        for domain, task in TASKS
    ]
    part = make(algorithm="part", score=0.99)
    found, _ = keep_best_submissions([part, *whole], {r.algorithm for r in [part, *whole]})
    assert "part" not in {r.algorithm for r in found}


def test_the_first_table_has_the_rows_that_a_plain_run_makes_and_submissions() -> None:
    named = ["none", "raw", "supervised", "shed", "tandem", "mae", "idea-1"]
    kept = keep_default_rows([make(algorithm=name) for name in named], {"idea-1"})
    assert [result.algorithm for result in kept] == ["none", "raw", "supervised", "shed", "idea-1"]


def test_budgets_have_a_table_once_there_are_several() -> None:
    assert budgets_table(make_suite()).startswith("The published results are of one budget")
    lines = budgets_table(make_budgets()).splitlines()
    assert lines[0] == "| domain | row | 0.25× | 1× | 4× | 10× |"
    assert lines[-1].startswith("Reader: linear probe on mean-pooled features; lite suite.")


def test_wins_are_counted_by_domain_and_task_above_both_baselines() -> None:
    results = make_suite(gains=EVERY_ROW, failed={("emix", "speech", 1): "it collapsed"})
    lines = wins_table(build_table(results, "linear")).splitlines()
    assert lines[0] == (
        "| algorithm | rank | domains above none | domains above raw | "
        "tasks above none | tasks above raw | gap closed |"
    )
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| contrastive", "| emix✗", "| shed"]
    assert lines[4].startswith("| shed | 1 | 4 of 4 | 4 of 4 | 10 of 10 | 9 of 10 | 63 % |")
    without_raw = [result for result in results if result.algorithm != "raw"]
    assert "above raw" not in wins_table(build_table(without_raw, "linear"))


def test_each_protocol_has_its_scores_and_its_gaps() -> None:
    text = task_table(make_suite(gains=EVERY_ROW), "knn")
    assert "Reader: k nearest neighbours on mean-pooled features" in text
    assert "| domain | *raw* | *summary* | contrastive | emix | shed |" in text
    assert task_table(make_suite(), "linear_tokens") == "No result files of this protocol yet."


def test_the_agreement_of_every_pair_of_protocols_is_stated() -> None:
    lines = agreement_table(make_suite(PROTOCOLS, gains=EVERY_ROW)).splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert len(rows) == 6
    assert rows[0].startswith("| linear probe, k-nearest neighbours | 6 | ")
    assert agreement_table(make_suite(("linear",))) == "No result files of two protocols yet."


def test_choices_at_the_edge_and_fine_tuning_are_stated() -> None:
    results = [
        altered("evaluation.config", {"strengths": [0.001, 0.01]}, seed=seed).model_copy(update={"selected": {"C": c}})
        for seed, c in enumerate((0.01, 0.01, 0.001))
    ]
    results.append(make(protocol="finetune", score=0.9))
    assert choices_table(results).splitlines()[2:] == [
        "| linear probe: the lowest strength C of the grid was chosen | 1 of 3 | 33.3 % |",
        "| linear probe: the highest strength C of the grid was chosen | 2 of 3 | 66.7 % |",
        "| fine-tuning scores at least the linear probe of the same row and seed | 1 of 1 | 100.0 % |",
    ]
    assert choices_table([make(protocol="knn")]) == "No result files yet."


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a package in a package, a folder that is not a package, and docstrings of every length."""
    files = {
        "dabs/__init__.py": '"""The engine."""\n',
        "dabs/specs.py": f'"""{"What an input looks like, " * 8}whole.\n\nMore of it.\n"""\n',
        "dabs/data/__init__.py": "",
        "dabs/data/split.py": '# a comment comes first\n"""One split"""\n',
        "dabs/data/bare.py": "X = 1\n",
        "dabs/templates/new.py": '"""Not in a package."""\n',
        "tests/test_specs.py": '"""Inputs."""\n',
        "benchmarks/speed.py": '"""Not in the tree."""\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_tree_has_every_file_with_its_whole_first_docstring_line(checkout: Path) -> None:
    assert file_tree(checkout).splitlines() == [
        "```",
        "dabs/         The engine",
        f"  specs.py    {'What an input looks like, ' * 8}whole",
        "  data/",
        "    bare.py",
        "    split.py  One split",
        "tests/",
        "  test_specs.py  Inputs",
        "```",
    ]


def test_the_tree_of_the_project_has_every_file_of_its_packages() -> None:
    tree = file_tree(ROOT)
    names = [line.split()[0] for line in tree.splitlines()[1:-1]]
    paths = [
        path
        for folder in TREE_FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "__init__.py" and "submissions" not in path.parts
    ]
    assert sorted(name for name in names if name.endswith(".py")) == sorted(path.name for path in paths)
    assert "..." not in tree.replace("dabs VERB ...", "").replace("RUNS ...", "").replace("A B ...", "")
