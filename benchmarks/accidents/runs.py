"""Accidents of a run: too little memory, NaN, a worker that dies, two at once."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from accidents.commands import ALREADY_THERE, TRAIN, Command, checkpoint_damage
from accidents.places import failure_problems
from accidents.stage import EVERY, STEPS, Child, FileContents, Stage, Tally, differences, file_contents, leftovers

ROOM = 120 << 20  # bytes of memory that a process may take beyond what it holds at first
NAN = '''
import numpy as np
import torch
from dabs.algorithm import Algorithm


class Broken(Algorithm):
    """Its loss, or only its gradient, is NaN at one step, also in a resumed run."""

    def __init__(self, encoder, *, at: int = 0, how: str = "loss"):
        super().__init__(encoder)
        self.seed = int(np.random.SeedSequence([0, at + 1]).generate_state(1)[0])  # as in `seed_all`
        self.how = how

    def loss(self, encoder, batch):
        x = encoder(batch).square().mean()
        if torch.initial_seed() != self.seed:
            return {"loss": x}
        return {"loss": x * float("nan") if self.how == "loss" else x + torch.sqrt(x * 0)}
'''


def out_of_memory(stage: Stage) -> Tally:
    """Train with a batch that does not fit: the message names options that work, and more memory works too."""
    tally, folder = Tally("out of memory (RLIMIT_AS): pretrain"), stage.folder / "memory"
    folder.mkdir()
    words = ["pretrain", "shed", "accident", "--steps", "2", "--batch-size", "512", "--logger", "none", "--out"]
    stage.require(*words, str(folder / "whole"))
    code, text = stage.run(*words, str(folder / "run"), before=limit_memory)
    problems = failure_problems(code, text, "--accumulate 2 keeps the batch of 512")
    problems += [] if "--batch-size 256" in text else [f"it does not suggest a batch size: {text[-300:]}"]
    code, text = stage.run(*words, str(folder / "parts"), "--accumulate", "16", before=limit_memory)
    problems += [] if code == 0 else [f"in parts it ends with {code}: {text[-300:]}"]
    code, text = stage.run(*words, str(folder / "run"))
    more, lost = differences(file_contents(folder / "run"), file_contents(folder / "whole"))
    tally.judge(problems + more + leftovers(folder), lost)
    return tally


def limit_memory() -> None:
    """Let this process take only a little more memory than it holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def nan_at_random_step(stage: Stage, tries: int) -> list[Tally]:
    """Make the loss or its gradient NaN at a random step, which must stop the run each time."""
    path, tallies = stage.folder / "broken.py", []
    path.write_text(NAN)
    for how in ("loss", "gradient"):
        tally = Tally(f"a NaN {how} at step n")
        for number in range(tries):
            step = stage.random.randrange(1, STEPS)
            run = stage.folder / "tries" / f"nan-{how}{number}"
            words = ["pretrain", f"{path}:Broken", "accident", *TRAIN, "--seed", "0", "--at", str(step), "--how", how]
            problems = []
            for _ in range(2):
                code, text = stage.run(*words, "--out", str(run))
                named = any(f"step {n}" in text for n in ((step,) if how == "loss" else (step, step + 1)))
                problems += failure_problems(code, text, "Training stopped")
                problems += [] if named else [f"it does not name step {step}: {text[-300:]}"]
                problems += checkpoint_problems(run, step)
            tally.judge(problems, 0)
        tallies.append(tally)
    return tallies


def checkpoint_problems(run: Path, step: int) -> list[str]:
    """Return what is wrong with the checkpoints of a run that a NaN stopped at a step."""
    from safetensors.numpy import load_file

    found = sorted(run.glob("checkpoints/step-*"))
    problems = ["the stopped run counts as complete"] if (run / "run.json").exists() else []
    newest = int(found[-1].name.removeprefix("step-")) if found else 0
    expected = step // EVERY * EVERY
    if newest != expected:
        problems.append(f"the newest checkpoint is of step {newest}, but the last good one would be of step {expected}")
    for path in found:
        problems += checkpoint_damage(path)
        if not all(np.isfinite(x).all() for x in load_file(path / "encoder.safetensors").values()):
            problems.append(f"{path.name} holds weights that are not finite")
    return problems


def two_at_once(stage: Stage, command: Command, wanted: FileContents, tries: int) -> Tally:
    """Start the same command twice at once: both succeed, or one says that the other is at work."""
    tally = Tally(f"two at once: {command.name}")
    for number in range(tries):
        folder = stage.folder / "tries" / f"two-{command.name}{number}"
        folder.mkdir(parents=True)
        command.setup(folder)
        words, environment = command.words(folder), command.environment(folder)
        children = [stage.start(*words, **environment) for _ in range(2)]
        ends = [(child.wait(), child.text) for child in children]
        told = ("another process", "is taken", *ALREADY_THERE)
        problems = [
            f"one of two ended with {code}: {text[-300:]}"
            for code, text in ends
            if code and not (code in (1, 2) and any(word in text for word in told))
        ]
        if all(code for code, _ in ends):
            problems.append("both failed")
        problems += command.damage(folder)
        code, text = stage.run(*words, **environment)
        more, lost = command.check_repeat(folder, wanted, code, text)
        tally.judge(problems + more, lost)
    return tally


class GridAccidents:
    """Runs `dabs run` with worker processes, and compares with `dabs pretrain` and `dabs eval`."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.folder = stage, stage.folder / "grids"
        self.folder.mkdir()
        whole = str(self.folder / "whole")
        stage.require(
            "pretrain", "shed", "accident", "--seed", "0", "--steps", "200", "--logger", "none", "--out", whole
        )
        stage.require("eval", whole, "--protocol", "knn")
        self.wanted = file_contents(self.folder / "whole", environment=False)

    def start(self, name: str, **more: Any) -> Child:
        """Start a grid in OUT/name; `more` is for `Stage.start`."""
        jobs = str(os.cpu_count() or 1)  # with one thread each, as in the run to compare with
        words = ["--algorithms", "shed", "--domains", "accident", "--steps", "200", "--jobs", jobs, "--protocol", "knn"]
        return self.stage.start("run", *words, "--first-seed", "0", "--out", str(self.folder / name), **more)

    def run_folder(self, name: str) -> Path:
        """Return the run's folder in a grid."""
        return self.folder / name / "lite" / "shed" / "accident" / "seed0"

    def judge(self, tally: Tally, name: str, problems: list[str]) -> None:
        """Compare a grid's run, but not its environment, because its workers see the real state of the checkout."""
        more, lost = differences(file_contents(self.run_folder(name), environment=False), self.wanted)
        tally.judge(problems + more + leftovers(self.folder / name), lost)

    def kill_a_worker(self, tries: int) -> Tally:
        """Kill the worker that trains."""
        tally = Tally("kill -9: a worker of the grid")
        for number in range(tries):
            name = f"worker{number}"
            grid, sign = self.start(name), self.run_folder(name) / "metrics.csv"
            problems = [] if kill_training_worker(grid.pid, sign) else ["no worker could be killed in time"]
            code = grid.wait()
            problems += [] if code == 0 else [f"it ended with {code}: {grid.text[-300:]}"]
            problems += [] if "lost" in grid.text else ["it does not say that it lost a worker"]
            self.judge(tally, name, problems)
        return tally

    def run_two(self) -> Tally:
        """Run two grids in one folder at once."""
        tally = Tally("two at once: run")
        grids = [self.start("two") for _ in range(2)]
        ends = [(grid.wait(), grid.text) for grid in grids]
        self.judge(tally, "two", [f"one of two ended with {code}: {text[-300:]}" for code, text in ends if code])
        return tally


def kill_training_worker(pid: int, sign: Path, seconds: float = 60) -> bool:
    """Kill the child that holds the lock on a run's folder, once a file in that folder exists.

    Args:
        pid: the parent.
        sign: the file, directly in the run's folder.
        seconds: how long to wait for it.
    """
    deadline = time.monotonic() + seconds
    while not sign.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    # the process that trains holds the lock on the run
    lock = sign.parent.with_name(f".{sign.parent.name}.lock")
    for child in children_of(pid):
        if lock in open_files(child):
            os.kill(child, signal.SIGKILL)
            return True
    return False


def open_files(pid: int) -> set[Path]:
    """Return the files that a process has open."""
    found = set()
    for place in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found.add(place.readlink())
        except OSError:  # it was closed in the meantime
            continue
    return found


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for children in threads for word in children.read_text().split()]
