"""Runs of the toy domain that can be submitted, and the rules they follow."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dabs import domains
from dabs.cli.new import write_new
from dabs.config import PretrainConfig
from dabs.data.domain import Domain
from dabs.data.prepare import prepare
from dabs.evaluation.evaluate import evaluate, write_results
from dabs.evaluation.metrics import bootstrap_interval, metric_of
from dabs.leaderboard.cli.submit import SubmitOptions
from dabs.leaderboard.cli.suite_rules import build_rules
from dabs.leaderboard.submit.rules import REQUIRED, Rules
from dabs.registry import find_domain
from dabs.results.files import read_predictions, read_result
from dabs.training.pretrain import pretrain
from dabs.utils.environment import environment
from tests.helpers.made_results import write_payload
from tests.helpers.places import TOY_DOMAIN

STEPS = 6
SEEDS = (0, 1)


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


def offer_to_processes(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let Python processes that start from now on find the toy domain, as an installed plug-in."""
    about = folder / "plugin" / "toy-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[dabs.domains]\ntoy = toy\n")
    shutil.copy(TOY_DOMAIN, folder / "plugin" / "toy.py")
    patch.setenv("PYTHONPATH", str(folder / "plugin"))


def toy_rules() -> Rules:
    """Return the rules of a suite that consists of the toy domain, with a tiny budget."""
    rules = build_rules("lite", ("toy",))
    return replace(rules, budgets={"toy": {**rules.budgets["toy"], "steps": STEPS}}, seeds=SEEDS)


def make_runs(folder: Path, *, seeds: tuple[int, ...] = SEEDS, hidden: float = 0.3) -> Path:
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


def write_rolled(runs: Path, folder: Path, **changes: object) -> None:
    """Write the results of runs to another folder, as those of a row that takes no steps and predicts otherwise.

    Args:
        runs: the runs.
        folder: of the row.
        changes: fields of the results to replace.
    """
    for path in runs.rglob("*.result.json"):
        arrays = read_predictions(path)
        arrays["prediction"] = np.roll(arrays["prediction"], 1, axis=0)
        value = read_result(path).model_dump(mode="json") | changes
        value["pretraining"].update(steps=0, examples_seen=0, curve=[], held_out=[])
        value["score"] = metric_of(value["metric"]["name"]).score(arrays["prediction"], arrays["label"])
        value["interval"] = bootstrap_interval(value["metric"]["name"], **arrays)
        write_payload(folder / path.parent.relative_to(runs), value, arrays)


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
