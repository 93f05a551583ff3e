"""Random sequences of commands, damages and kills, against a model of what must hold."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accidents.commands import TRAIN
from accidents.kills import kill_at_change
from accidents.stage import STEPS, FileContents, Stage, file_contents
from tests.helpers.in_process import InThisProcess

ROWS = ("none", "shed")
REPAIRS = 12  # advices to follow before what they lead to counts as a dead end
WAYS_OUT = re.compile(
    r"--\w|`dabs |\b(again|delete|remove|choose|give|make|pretrain|use|put|name|run|add|upgrade)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class Reference:
    """What undisturbed commands write.

    Attributes:
        seeds: of the grid.
        files: of the complete grid, by their path below `runs`.
        scores: of each result, by (algorithm, seed, task, protocol).
    """

    seeds: int
    files: FileContents
    scores: dict[tuple[str, ...], str]


def grid_words(runs: Path, seeds: int, *more: str) -> list[str]:
    """Return the arguments of the whole grid, whose seeds begin with 0."""
    fixed = ["--domains", "accident", "--steps", str(STEPS), "--protocol", "knn", "--first-seed", "0"]
    return ["run", "--algorithms", *ROWS, *fixed, "--seeds", str(seeds), "--out", str(runs), *more]


def make_reference(stage: Stage, seeds: int) -> Reference:
    """Run the whole grid, undisturbed."""
    import dabs.launch.local

    dabs.launch.local.LocalExecutor = InThisProcess  # type: ignore[misc,assignment]
    stage.require("data", "prepare", "accident")
    runs = stage.folder / "reference" / "runs"
    stage.require(*grid_words(runs, seeds))
    return Reference(seeds, contents(runs), exported(stage, runs)[1])


def contents(runs: Path) -> FileContents:
    """Return the contents of the runs and their results, without logs, times and the report."""
    found = file_contents(runs) if runs.exists() else {}
    return {name: x for name, x in found.items() if name.startswith("lite/") and not name.endswith("timing.json")}


def exported(stage: Stage, runs: Path) -> tuple[str, dict[tuple[str, ...], str]]:
    """Return what `dabs leaderboard export` prints, and the scores that it writes."""
    out = stage.folder / "export.csv"
    out.unlink(missing_ok=True)
    _, text = stage.run("leaderboard", "export", "--results", str(runs), "--out", str(out))
    rows = csv.DictReader(io.StringIO(out.read_text())) if out.exists() else ()
    return text, {(r["algorithm"], r["seed"], r["task"], r["protocol"]): r["score"] for r in rows}


class Sequence:
    """A folder of runs to which things happen, and what must hold of it after each."""

    def __init__(self, stage: Stage, reference: Reference) -> None:
        stage.count += 1
        self.stage, self.reference = stage, reference
        self.folder = stage.folder / "sequences" / str(stage.count)
        self.runs = self.folder / "runs"
        self.grid = grid_words(self.runs, reference.seeds)
        self.folder.mkdir(parents=True)
        self.history: list[str] = []
        self.killed_at = 0  # the change of a file at which the next command is killed; 0: it is not

    # what can happen

    def command(self, *words: str) -> tuple[int, str]:
        """Run a command, perhaps kill it, and check what must hold afterwards."""
        import mmap

        self.history.append(
            f"dabs {shlex.join(words)}" + (f"  # killed at change {self.killed_at}" * (self.killed_at > 0))
        )
        before, kill = self.intact(), self.killed_at
        hook: Callable[[], Any] = kill_at_change(str(self.folder), mmap.mmap(-1, 8), kill) if kill else lambda: None
        self.killed_at = 0
        child = self.stage.start(*words, before=hook)
        code, text = child.wait(), child.log.read_text(errors="replace")
        self.check_ending(code, text, killed=kill > 0)
        self.check_work(before)
        if words[0] in ("leaderboard", "compare", "run"):
            self.check_numbers()
        return code, text

    def pretrain(self, row: str, seed: int) -> None:
        """Pretrain a run."""
        self.command("pretrain", row, "accident", *TRAIN, "--seed", str(seed), "--out", str(self.run_folder(row, seed)))

    def run_folder(self, row: str, seed: int) -> Path:
        """Return the folder of a run."""
        return self.runs / "lite" / row / "accident" / f"seed{seed}"

    def damage(self, kind: str, place: int) -> None:
        """Damage a file of the runs: delete it, cut it in half, change a byte, or edit a result."""
        files = sorted(path for path in self.runs.rglob("*") if path.is_file() and not path.name.startswith("."))
        if kind in ("score", "version", "newer"):
            files = [path for path in files if path.name.endswith(".result.json")]
        elif kind == "byte":  # in JSON, a changed byte may give another valid file, whose damage nothing can show
            files = [path for path in files if path.suffix in (".npz", ".safetensors", ".pt")]
        if not files:
            return
        path = files[place % len(files)]
        self.history.append(f"# {kind}: {path.relative_to(self.folder)}")
        content = path.read_bytes()
        if kind == "delete":
            path.unlink()
        elif kind == "cut":
            path.write_bytes(content[: len(content) // 2])
        elif kind == "byte":
            at = place % max(1, len(content))
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] if content else b"x")
        else:
            try:
                value = json.loads(content)
            except ValueError:  # it was cut before
                return
            change = {"score": ("score", 0.99), "version": ("schema_version", 1), "newer": ("schema_version", 99)}[kind]
            path.write_text(json.dumps(value | dict([change])))

    # what must hold

    def fail(self, what: str) -> None:
        """Report what does not hold, and how it came about."""
        raise AssertionError("\n".join([what, "after:", *self.history]))

    def intact(self) -> FileContents:
        """Return the finished work that is as an undisturbed grid leaves it: results, encoders and their provenance."""
        found = contents(self.runs)
        whole = {name: x for name, x in found.items() if self.reference.files.get(name) == x}
        return {
            name: x
            for name, x in whole.items()
            if name.endswith((".result.json", ".predictions.npz")) or name.endswith(("run.json", "encoder.safetensors"))
        }

    def check_ending(self, code: int, text: str, *, killed: bool) -> None:
        """A command succeeds, or ends with one paragraph that has a way out."""
        if killed and code == -signal.SIGKILL:
            return
        if "Traceback" in text or code < 0 or code == 1000:
            self.fail(f"it ends with {code}: {text[-1500:]}")
        if code and not any(WAYS_OUT.search(line) for line in text.splitlines()):
            self.fail(f"it ends with {code} and without a way out: {text[-1500:]}")

    def check_work(self, before: FileContents) -> None:
        """No finished work is lost: results stay; a run whose encoder and provenance were both intact stays too."""
        after = contents(self.runs)
        for name in before:
            pair = name.replace("run.json", "encoder/encoder.safetensors") if name.endswith("run.json") else name
            pair = name.replace("encoder/encoder.safetensors", "run.json") if name.endswith(".safetensors") else pair
            beside = name.replace(".predictions.npz", ".result.json")
            beside = name.replace(".result.json", ".predictions.npz") if name.endswith(".result.json") else beside
            if pair in before and beside in before and after.get(name) != before[name]:
                self.fail(f"finished work is lost: {name}")

    def check_numbers(self) -> None:
        """Every number that is shown is right, and every intact result is shown."""
        text, shown = exported(self.stage, self.runs)
        wrong = {cell: score for cell, score in shown.items() if self.reference.scores.get(cell) != score}
        if wrong:
            self.fail(f"wrong numbers are shown: {wrong}; {text[-800:]}")
        whole = self.intact()
        for name in whole:
            if not name.endswith(".result.json") or name.replace(".result.json", ".predictions.npz") not in whole:
                continue
            _, row, _, seed, _, file = Path(name).parts
            task, protocol = file.removesuffix(".result.json").split(".")
            if (row, seed.removeprefix("seed"), task, protocol) not in shown:
                self.fail(f"an intact result is not shown: {name}; {text[-800:]}")

    def finish(self) -> None:
        """Complete the grid, doing what each error says: there must be no dead end."""
        self.killed_at = 0
        for _ in range(REPAIRS):
            code, text = self.command(*self.grid)
            if not code:
                break
            if not self.follow(text):
                self.fail(f"nothing in this can be followed: {text[-1500:]}")
        else:
            self.fail(f"after {REPAIRS} repairs the grid still fails: {text[-1500:]}")
        found = contents(self.runs)
        missing = [name for name, x in self.reference.files.items() if found.get(name) != x]
        missing = [name for name in missing if name.endswith((".result.json", ".predictions.npz"))]
        if missing:
            self.fail(f"the grid succeeds without {missing}")
        shutil.rmtree(self.folder)

    def follow(self, text: str) -> bool:
        """Do what an error says: delete the file and run the command that it names; return whether it says anything."""
        flat = " ".join(text.split())
        done = "with --force" in flat
        if done:
            self.command(*self.grid, "--force")
        place = rf"({re.escape(str(self.folder))}[^\s:]*?)[.,;:]?(?= |$)"
        paths = re.findall(rf"(?:[Dd]elete|[Rr]emove) {place}", flat)
        for match in re.finditer(r"(?:[Dd]elete|[Rr]emove) (?:it|that file|that folder)\b", flat):
            paths += re.findall(place, flat[: match.start()])[-1:]  # the one that was named last
        for path in map(Path, paths):
            self.history.append(f"# as told: delete {path.relative_to(self.folder)}")
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            done = True
        for words in re.findall(r"`dabs ([^`]+)`", flat):
            if str(self.folder) in words:  # without a place it is a hint, such as `dabs run`
                self.command(*shlex.split(words))
                done = True
        return done
