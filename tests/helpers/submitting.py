"""Runs of the toy domain that can be submitted, and the rules they follow."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dabs import domains
from dabs.cli.new import write_new
from dabs.config import PretrainConfig
from dabs.data.domain import Domain
from dabs.data.prepare import prepare
from dabs.evaluation.evaluate import evaluate, write_results
from dabs.leaderboard.cli.submit import SubmitOptions
from dabs.leaderboard.cli.suite_rules import build_rules
from dabs.leaderboard.submit.rules import REQUIRED, Rules
from dabs.registry import find_domain
from dabs.training.pretrain import pretrain
from dabs.utils.environment import environment
from tests.helpers.places import TOY_DOMAIN

STEPS = 6


@contextlib.contextmanager
def toy_domain(home: Path) -> Iterator[Domain]:
    """Register and prepare the toy domain, and make the checkout look clean, for the duration of the block."""
    with pytest.MonkeyPatch.context() as patch:
        folder = home / "more_domains"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOY_DOMAIN, folder / "toy.py")
        patch.setenv("DABS_HOME", str(home / "data"))
        patch.setattr(domains, "__path__", [*domains.__path__, str(folder)])
        patch.delitem(sys.modules, "dabs.domains.toy", raising=False)
        patch.setattr("dabs.utils.environment.git_state", lambda: {"git_commit": "a" * 40, "git_dirty": False})
        environment.cache_clear()
        domain = find_domain("toy")
        prepare(domain, lambda line: None)
        yield domain
        sys.modules.pop("dabs.domains.toy", None)
    environment.cache_clear()


def toy_rules() -> Rules:
    """Return the rules of a suite that consists of the toy domain, with a tiny budget."""
    rules = build_rules("lite", ("toy",))
    return replace(rules, budgets={"toy": {**rules.budgets["toy"], "steps": STEPS}}, first_seed=0)


def make_runs(folder: Path, *, seeds: tuple[int, ...] = (0, 1), hidden: float = 0.3) -> Path:
    """Run the algorithm FOLDER/my_idea.py, which is created if missing; return FOLDER/runs/lite/MyIdea."""
    if not (folder / "my_idea.py").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_new("my_idea", folder)
    for seed in seeds:
        config = PretrainConfig(
            algorithm=f"{folder / 'my_idea.py'}:MyIdea",
            domain="toy",
            steps=STEPS,
            seed=seed,
            options={"hidden": hidden},
        )
        run = pretrain(config, folder / "runs" / "lite" / "MyIdea" / "toy" / f"seed{seed}", logger="none")
        for _ in write_results(run, evaluate(run, protocols=REQUIRED)):
            pass
    return folder / "runs" / "lite" / "MyIdea"


def submit_options(runs: Path, out: Path, **changes: object) -> SubmitOptions:
    """Return valid options of `dabs submit`, with some changed."""
    values = {
        "runs": (runs,),
        "name": "mine",
        "authors": ("A. Stranger",),
        "url": "https://example.org/idea",
        "out": out,
    }
    return SubmitOptions(**(values | changes))  # type: ignore[arg-type]
