"""The commands that accidents happen to: what each needs, what it leaves, and what must never be half of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accidents.stage import EVERY, STEPS, Facts, Stage, differences, facts, leftovers

TRAIN = ("--steps", str(STEPS), "--checkpoint-every", str(EVERY), "--logger", "none")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command in a folder of its own."""

    name: str
    words: Callable[[Path], list[str]]  # of `dabs`
    setup: Callable[[Path], None]  # brings what the command needs into the folder
    made: str  # what the command leaves there
    halves: Callable[[Path], list[str]]  # what is half of something, after an accident
    own_home: bool = False  # whether the folder is its $DABS_HOME
    once: bool = False  # whether the command refuses to repeat what is done
    peak: float = 1.0  # what it needs of a disk meanwhile, in sizes of what it leaves

    def environment(self, folder: Path) -> dict[str, str]:
        """Beside that of all commands."""
        return {"DABS_HOME": str(folder)} if self.own_home else {}

    def whole(self, folder: Path, wanted: Facts, code: int, text: str) -> tuple[list[str], int]:
        """After the command was run again: what is wrong, and the bytes lost."""
        refused = self.once and code == 2 and "is there already" in text
        problems, lost = differences(facts(folder / self.made), wanted)
        if code and not refused:
            problems.insert(0, f"run again, it exits with {code}: {text[-300:]}")
        return problems + leftovers(folder), lost


def jobs_of(stage: Stage) -> tuple[dict[str, Job], dict[str, Facts]]:
    """Every job, after an undisturbed run of each; and the facts of those."""
    runs = stage.folder / "runs" / "lite" / "shed" / "accident"
    train = ["pretrain", "shed", "accident", *TRAIN]
    stage.need("data", "prepare", "accident")
    for seed in (0, 1):
        stage.need(*train, "--seed", str(seed), "--out", str(runs / f"seed{seed}"))
    bare = stage.folder / "bare"  # a run without results
    shutil.copytree(runs / "seed0", bare)
    for seed in (0, 1):
        stage.need("eval", str(runs / f"seed{seed}"))
    results, out = stage.folder / "runs", "submissions"
    author = ["--name", "again", "--authors", "A. Stranger", "--url", "https://example.org/idea"]
    trained = facts(bare)

    def nothing(folder: Path) -> None:
        folder.mkdir(exist_ok=True)

    def old_page(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "report.html").write_text("an older report")

    def bare_run(folder: Path) -> None:
        shutil.copytree(bare, folder / "run", dirs_exist_ok=True)

    def half_data(folder: Path) -> list[str]:
        there = folder / "lite" / "accident"
        return differences(facts(there), wanted["prepare"])[0] if (there / "manifest.json").exists() else []

    def half_run(folder: Path) -> list[str]:
        found = [text for path in (folder / "run").glob("checkpoints/step-*") for text in half_checkpoint(path)]
        done = (folder / "run" / "run.json").exists()
        return found + (differences(facts(folder / "run" / "encoder"), weights)[0] if done else [])

    def half_results(folder: Path) -> list[str]:
        there = facts(folder / "run")
        results = {name: wanted["eval"][name] for name in there if name.endswith(".result.json")}
        beside = {name.replace(".result.json", ".predictions.npz") for name in results}
        needed = results | {name: wanted["eval"][name] for name in beside} | trained
        # predictions whose result was not written yet are nothing to anyone
        early = {name for name in there.keys() - needed.keys() if name.endswith(".predictions.npz")}
        return differences({k: v for k, v in there.items() if k not in early}, needed)[0]

    def half_submission(folder: Path) -> list[str]:
        there = folder / out / "again"
        return differences(facts(there), wanted["submit"])[0] if there.exists() else []

    def half_page(folder: Path) -> list[str]:
        there = facts(folder / "report.html")
        whole = there == wanted["report"] or there == {".": b"an older report"}
        return [] if whole else ["the report is neither the older nor the newer one"]

    jobs = [
        Job(
            name="prepare",
            words=lambda folder: ["data", "prepare", "accident"],
            setup=nothing,
            made="lite/accident",
            halves=half_data,
            own_home=True,
            peak=2.5,
        ),
        Job(
            name="pretrain",
            words=lambda folder: [*train, "--out", str(folder / "run")],
            setup=nothing,
            made="run",
            halves=half_run,
            peak=7.0,
        ),
        Job(
            name="eval",
            words=lambda folder: ["eval", str(folder / "run")],
            setup=bare_run,
            made="run",
            halves=half_results,
        ),
        Job(
            name="submit",
            words=lambda folder: ["submit", str(runs), *author, "--out", str(folder / out)],
            setup=nothing,
            made=f"{out}/again",
            halves=half_submission,
            once=True,
        ),
        Job(
            name="report",
            words=lambda f: ["leaderboard", "build", "--results", str(results), "--out", str(f / "report.html")],
            setup=old_page,
            made="report.html",
            halves=half_page,
        ),
        Job(
            name="site",
            words=lambda f: ["leaderboard", "build", "--results", str(results), "--out", str(f / "site")],
            setup=nothing,
            made="site",
            halves=lambda folder: [],
        ),
    ]
    wanted: dict[str, Facts] = {}
    for job in jobs:
        folder = stage.folder / "undisturbed" / job.name
        folder.mkdir(parents=True)
        job.setup(folder)
        stage.need(*job.words(folder), **job.environment(folder))
        wanted[job.name] = facts(folder / job.made)
    weights = facts(stage.folder / "undisturbed" / "pretrain" / "run" / "encoder")
    return {job.name: job for job in jobs}, wanted


def half_checkpoint(path: Path) -> list[str]:
    """What of a checkpoint is not as its own hashes say."""
    try:
        hashes = json.loads((path / "sha256.json").read_text())
        wrong = [n for n, h in hashes.items() if hashlib.sha256((path / n).read_bytes()).hexdigest() != h]
    except (OSError, ValueError) as error:
        return [f"{path.name} is half-written: {error}"]
    return [f"{path.name}/{name} is half-written" for name in wrong]
