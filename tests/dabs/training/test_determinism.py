"""The same command run twice on the CPU writes the same files, apart from timings and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dabs.results.files import reproducible_part

# all commands in one process: importing PyTorch takes longer than most of them
ENTRY = """
import os, sys
from dabs import domains
domains.__path__.append(os.environ["MORE_DOMAINS"])
from dabs.cli import dispatch
for words in " ".join(sys.argv[1:]).split(" then "):
    assert dispatch(words.split()) == 0, words
"""


def run(folder: Path, more: Path, words: str) -> None:
    """Run `dabs` with each part of "WORDS then WORDS" in a process with its own hash seed and folder."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "MORE_DOMAINS": str(more), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ENTRY, *words.split()]
    subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


@pytest.mark.timeout(900)
def test_the_same_commands_give_the_same_results(toy, tmp_path):
    folders = [tmp_path / "first", tmp_path / "second"]
    place = Path("runs/lite/contrastive/toy/seed7")
    words = "pretrain contrastive toy --steps 12 --logger none then "
    words += f"eval {place} --protocol linear knn then eval {place} --protocol finetune --tasks shade"
    for folder in folders:
        run(folder, tmp_path / "more_domains", words)
    files = sorted(path.relative_to(folders[0]) for path in (folders[0] / place / "results").iterdir())
    assert len(files) == (3 * 2 + 1) * 2  # (tasks x protocols, and one fine-tuned) x (result, predictions)
    for file in [*files, place / "encoder" / "encoder.safetensors"]:
        first, second = ((folder / file).read_bytes() for folder in folders)
        if file.suffix == ".json":
            assert first != second, "each result states when it was made"
            first, second = (reproducible_part(json.loads(text)) for text in (first, second))
            assert "wall_seconds" not in first["pretraining"]
            assert first["score"] is not None
        assert first == second, file
