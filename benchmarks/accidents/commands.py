"""The commands that accidents happen to: what they need and what they must leave."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accidents.stage import EVERY, STEPS, FileContents, Stage, differences, file_contents, leftovers
from dabs.config import OFFICIAL_SEEDS as SEEDS

ALREADY_THERE = ("is there already", "already exists")  # how commands say so
TRAIN = ("--steps", str(STEPS), "--checkpoint-every", str(EVERY), "--logger", "none")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that works in a folder of its own."""

    name: str
    words: Callable[[Path], list[str]]  # folder -> arguments of `dabs`
    setup: Callable[[Path], None]  # puts what the command needs into the folder
    output: str  # what the command writes, below the folder
    damage: Callable[[Path], list[str]]  # folder -> what an accident left half-written
    own_home: bool = False  # whether the folder is also $DABS_HOME
    once: bool = False  # whether the command refuses to write its output again
    peak: float = 1.0  # disk space that it needs while it runs, as a multiple of the size of its output

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the variables to set in addition to those of all commands."""
        return {"DABS_HOME": str(folder)} if self.own_home else {}

    def check_repeat(self, folder: Path, wanted: FileContents, code: int, text: str) -> tuple[list[str], int]:
        """After the command was run again, return what is wrong and how many bytes are lost."""
        refused = self.once and code == 2 and any(words in text for words in ALREADY_THERE)
        problems, lost = differences(file_contents(folder / self.output), wanted)
        if code and not refused:
            problems.insert(0, f"run again, it exits with {code}: {text[-300:]}")
        return problems + leftovers(folder), lost


def make_commands(stage: Stage) -> tuple[dict[str, Command], dict[str, FileContents]]:
    """Return the commands by name, and the contents of the files that each writes when undisturbed."""
    runs = stage.folder / "runs" / "lite" / "shed" / "accident"
    train = ["pretrain", "shed", "accident", *TRAIN]
    stage.require("data", "prepare", "accident")
    for seed in SEEDS:
        stage.require(*train, "--seed", str(seed), "--out", str(runs / f"seed{seed}"))
    bare = stage.folder / "bare"  # a run without results
    stage.require(*train, "--out", str(bare))
    for seed in SEEDS:
        stage.require("eval", str(runs / f"seed{seed}"))
    results, out = stage.folder / "runs", "submissions"
    author = ["--name", "again", "--authors", "A. Stranger", "--url", "https://example.org/idea"]
    trained = file_contents(bare)

    def nothing(folder: Path) -> None:
        folder.mkdir(exist_ok=True)

    def old_page(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "report.html").write_text("an older report")

    def bare_run(folder: Path) -> None:
        shutil.copytree(bare, folder / "run", dirs_exist_ok=True)

    def data_damage(folder: Path) -> list[str]:
        there = folder / "lite" / "accident"
        return differences(file_contents(there), wanted["prepare"])[0] if (there / "manifest.json").exists() else []

    def run_damage(folder: Path) -> list[str]:
        found = [text for path in (folder / "run").glob("checkpoints/step-*") for text in checkpoint_damage(path)]
        done = (folder / "run" / "run.json").exists()
        return found + (differences(file_contents(folder / "run" / "encoder"), weights)[0] if done else [])

    def result_damage(folder: Path) -> list[str]:
        there = file_contents(folder / "run")
        results = {name: wanted["eval"][name] for name in there if name.endswith(".result.json")}
        predictions = {name.replace(".result.json", ".predictions.npz") for name in results}
        needed = results | {name: wanted["eval"][name] for name in predictions} | trained
        # predictions whose result was not written yet do no harm
        early = {name for name in there.keys() - needed.keys() if name.endswith(".predictions.npz")}
        return differences({k: v for k, v in there.items() if k not in early}, needed)[0]

    def submission_damage(folder: Path) -> list[str]:
        there = folder / out / "again"
        return differences(file_contents(there), wanted["submit"])[0] if there.exists() else []

    def page_damage(folder: Path) -> list[str]:
        there = file_contents(folder / "report.html")
        whole = there == wanted["report"] or there == {".": b"an older report"}
        return [] if whole else ["the report is neither the old nor the new one"]

    commands = [
        Command(
            name="prepare",
            words=lambda folder: ["data", "prepare", "accident"],
            setup=nothing,
            output="lite/accident",
            damage=data_damage,
            own_home=True,
            peak=2.5,
        ),
        Command(
            name="pretrain",
            words=lambda folder: [*train, "--out", str(folder / "run")],
            setup=nothing,
            output="run",
            damage=run_damage,
            peak=7.0,
        ),
        Command(
            name="eval",
            words=lambda folder: ["eval", str(folder / "run")],
            setup=bare_run,
            output="run",
            damage=result_damage,
        ),
        Command(
            name="submit",
            words=lambda folder: ["submit", str(runs), *author, "--out", str(folder / out)],
            setup=nothing,
            output=f"{out}/again",
            damage=submission_damage,
            once=True,
        ),
        Command(
            name="report",
            words=lambda f: ["leaderboard", "build", "--results", str(results), "--out", str(f / "report.html")],
            setup=old_page,
            output="report.html",
            damage=page_damage,
        ),
        Command(
            name="site",
            words=lambda f: ["leaderboard", "build", "--results", str(results), "--out", str(f / "site")],
            setup=nothing,
            output="site",
            damage=lambda folder: [],
        ),
    ]
    wanted: dict[str, FileContents] = {}
    for command in commands:
        folder = stage.folder / "undisturbed" / command.name
        folder.mkdir(parents=True)
        command.setup(folder)
        stage.require(*command.words(folder), **command.environment(folder))
        wanted[command.name] = file_contents(folder / command.output)
    weights = file_contents(stage.folder / "undisturbed" / "pretrain" / "run" / "encoder")
    return {command.name: command for command in commands}, wanted


def checkpoint_damage(path: Path) -> list[str]:
    """Return which files of a checkpoint do not match its own hashes."""
    try:
        hashes = json.loads((path / "sha256.json").read_text())
        wrong = [n for n, h in hashes.items() if hashlib.sha256((path / n).read_bytes()).hexdigest() != h]
    except (OSError, ValueError) as error:
        return [f"{path.name} is half-written: {error}"]
    return [f"{path.name}/{name} is half-written" for name in wrong]
