"""Every domain of the paper suite: prepare, pretrain briefly, evaluate.

`layouts.py` and `texts.py` say what is real in the samples; the scores mean nothing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dabs.cli import main
from dabs.registry import domain_names
from dabs.results.files import load_results
from dabs.utils.strict_json import read_json
from tests.helpers.paper.samples import MAKERS, TRAINED_ON, Samples

# of domains with many tasks or rows, tasks that are quickly evaluated; of other domains, all tasks
TASKS = {
    "english_text": ("wnli",),
    "multilingual_text": ("pawsx_ko",),
    "speech": ("librispeech", "fluent_speech_action"),
    "natural_images": ("dtd", "cu_birds"),
    "chest_xray": ("chexpert",),
}


@pytest.fixture(scope="module")
def everything(samples: Samples) -> Path:
    """A folder for `--data-dir` that holds every dataset of the suite."""
    for name in (*MAKERS, *TRAINED_ON):
        samples.official(name)
    return samples.layouts


def call(*words: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert not stop.value.code, words


@pytest.mark.parametrize("name", domain_names("paper"))
def test_prepare_pretrain_and_evaluate(name, everything, raw, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DABS_DATA_DIR", str(everything))
    tasks = TASKS.get(name, ())
    only = ("--tasks", "pretrain", *tasks) if tasks else ()
    call("data", "prepare", name, "--suite", "paper", *only)
    call("data", "verify", name, "--suite", "paper")
    # sensor uses its default, the paper's encoder
    size = ("--encoder", "small") if name != "sensor" else ("--precision", "fp32")
    call("pretrain", "shed", name, "--suite", "paper", *size, "--steps", "3", "--batch-size", "8", "--logger", "none")
    run = Path("runs/paper/shed") / name / "seed7"
    call("eval", str(run), "--protocol", "knn", *(("--tasks", *tasks) if tasks else ()))
    results = load_results(run)
    assert {r.suite for r in results} == {"paper"}
    assert {r.task for r in results} == (
        set(tasks) or {p.name for p in (raw.parent / "paper" / name).iterdir()} - {"pretrain"}
    )
    encoder = read_json(run / "config.json")["pretrain"]["encoder"]
    assert encoder == ("small" if "small" in size else "paper")
    for result in results:
        assert result.counts.test > 0
        assert result.metric.low <= result.score <= result.metric.high
