"""The documentation runs: the code block of adding-an-algorithm, and the files that pages name."""

from __future__ import annotations

import re

import pytest

from dabs.config import PretrainConfig
from dabs.evaluation.evaluate import evaluate
from dabs.results.entries import load_entries
from dabs.training.log import read_metrics
from dabs.training.pretrain import pretrain
from tests.helpers.places import ROOT

PAGES = [page for folder in ("", "docs", "leaderboard/submissions") for page in (ROOT / folder).glob("*.md")]


def test_the_algorithm_of_the_docs_trains_and_is_evaluated(toy, tmp_path):
    page = (ROOT / "docs" / "adding-an-algorithm.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "denoise.py").write_text(code)
    config = PretrainConfig(
        algorithm=f"{tmp_path / 'denoise.py'}:Denoise", domain="toy", steps=60, options={"noise": 0.3}
    )
    folder = pretrain(config, tmp_path / "run", logger="none")
    losses = [float(row["loss"]) for row in read_metrics(folder)]
    assert sum(losses[-10:]) < 0.9 * sum(losses[:10])
    assert len(list(evaluate(folder, (), ("knn",)))) == 3


def test_the_first_command_of_the_site_page_finds_its_folders():
    page = (ROOT / "docs" / "site.md").read_text(encoding="utf-8")
    command = re.search(r"dabs leaderboard build --results (.*?) --out site/", page)
    assert command
    assert load_entries(*(ROOT / folder for folder in command[1].split()))


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
