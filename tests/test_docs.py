"""The documentation runs: the code block of adding-an-algorithm, and the files that pages name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dabs.evaluate import evaluate
from dabs.logs import read_metrics
from dabs.pretrain import pretrain
from dabs.run import PretrainConfig

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
