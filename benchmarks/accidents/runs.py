"""Accidents of a run: memory that does not suffice, a loss that is no number, a worker that dies, and two at once."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np

from accidents.jobs import TRAIN, Job, half_checkpoint
from accidents.places import one_paragraph
from accidents.stage import EVERY, STEPS, Child, Facts, Row, Stage, differences, facts, leftovers

ROOM = 120 << 20  # bytes of memory beside what a process holds before it begins
NAN = '''
import numpy as np
import torch
from dabs.algorithm import Algorithm


class Broken(Algorithm):
    """A loss, or only its gradient, is no number at one step, which a resumed run meets too."""

    def __init__(self, encoder, *, at: int = 0, how: str = "loss"):
        super().__init__(encoder)
        self.seed = int(np.random.SeedSequence([0, at + 1]).generate_state(1)[0])  # of that step, in `seed_all`
        self.how = how

    def loss(self, encoder, batch):
        x = encoder(batch).square().mean()
        if torch.initial_seed() != self.seed:
            return {"loss": x}
        return {"loss": x * float("nan") if self.how == "loss" else x + torch.sqrt(x * 0)}
'''


def out_of_memory(stage: Stage) -> Row:
    """A batch that does not fit: the message names what to try; that then works, and so does more memory."""
    row, folder = Row("out of memory (RLIMIT_AS): pretrain"), stage.folder / "memory"
    folder.mkdir()
    words = ["pretrain", "shed", "accident", "--steps", "2", "--batch-size", "512", "--logger", "none", "--out"]
    stage.need(*words, str(folder / "whole"))
    code, text = stage.run(*words, str(folder / "run"), before=little_memory)
    problems = one_paragraph(code, text, "--accumulate 2 keeps the batch of 512")
    problems += [] if "--batch-size 256" in text else [f"it names no batch size: {text[-300:]}"]
    code, text = stage.run(*words, str(folder / "parts"), "--accumulate", "16", before=little_memory)
    problems += [] if code == 0 else [f"in parts it ends with {code}: {text[-300:]}"]
    code, text = stage.run(*words, str(folder / "run"))
    more, lost = differences(facts(folder / "run"), facts(folder / "whole"))
    row.judge(problems + more + leftovers(folder), lost)
    return row


def little_memory() -> None:
    """Let this process have only a little more memory than it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def no_number(stage: Stage, tries: int) -> list[Row]:
    """A loss, or its gradient, that is no number at a random step stops the run, now and when it is run again."""
    path, rows = stage.folder / "broken.py", []
    path.write_text(NAN)
    for how in ("loss", "gradient"):
        row = Row(f"a NaN {how} at step n")
        for number in range(tries):
            step = stage.random.randrange(1, STEPS)
            run = stage.folder / "tries" / f"nan-{how}{number}"
            words = ["pretrain", f"{path}:Broken", "accident", *TRAIN, "--at", str(step), "--how", how]
            problems = []
            for _ in range(2):
                code, text = stage.run(*words, "--out", str(run))
                named = any(f"step {n}" in text for n in ((step,) if how == "loss" else (step, step + 1)))
                problems += one_paragraph(code, text, "training stopped")
                problems += [] if named else [f"it does not name step {step}: {text[-300:]}"]
                problems += kept_numbers(run, step)
            row.judge(problems, 0)
        rows.append(row)
    return rows


def kept_numbers(run: Path, step: int) -> list[str]:
    """What is wrong with the checkpoints after a run was stopped for a NaN at a step."""
    from safetensors.numpy import load_file

    found = sorted(run.glob("checkpoints/step-*"))
    problems = ["a run that was stopped counts as complete"] if (run / "run.json").exists() else []
    newest = int(found[-1].name.removeprefix("step-")) if found else 0
    expected = step // EVERY * EVERY
    if newest != expected:
        problems.append(f"the newest checkpoint is of step {newest}, the last good one would be {expected}")
    for path in found:
        problems += half_checkpoint(path)
        if not all(np.isfinite(x).all() for x in load_file(path / "encoder.safetensors").values()):
            problems.append(f"{path.name} holds weights that are no numbers")
    return problems


def at_once(stage: Stage, job: Job, wanted: Facts, tries: int) -> Row:
    """Two processes begin the same command at the same moment: both do it, or one is told that the other does."""
    row = Row(f"two at once: {job.name}")
    for number in range(tries):
        folder = stage.folder / "tries" / f"two-{job.name}{number}"
        folder.mkdir(parents=True)
        job.setup(folder)
        words, environment = job.words(folder), job.environment(folder)
        children = [stage.start(*words, **environment) for _ in range(2)]
        ends = [(child.wait(), child.text) for child in children]
        told = ("another process", "is there already", "is taken")
        problems = [
            f"one of two ended with {code}: {text[-300:]}"
            for code, text in ends
            if code and not (code in (1, 2) and any(word in text for word in told))
        ]
        if all(code for code, _ in ends):
            problems.append("neither of two did it")
        problems += job.halves(folder)
        code, text = stage.run(*words, **environment)
        more, lost = job.whole(folder, wanted, code, text)
        row.judge(problems + more, lost)
    return row


class Grids:
    """`dabs run` on the domain, with worker processes, beside the same run by `dabs pretrain` and `dabs eval`."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.folder = stage, stage.folder / "grids"
        self.folder.mkdir()
        whole = str(self.folder / "whole")
        stage.need("pretrain", "shed", "accident", "--steps", "200", "--logger", "none", "--out", whole)
        stage.need("eval", whole, "--protocol", "knn")
        self.wanted = facts(self.folder / "whole", environment=False)

    def begun(self, name: str) -> Child:
        """A grid in OUT/name."""
        jobs = str(os.cpu_count() or 1)  # a thread each, as here
        words = ["--algorithms", "shed", "--domains", "accident", "--steps", "200", "--jobs", jobs, "--protocol", "knn"]
        return self.stage.start("run", *words, "--out", str(self.folder / name))

    def run_of(self, name: str) -> Path:
        """The run's folder in a grid."""
        return self.folder / name / "lite" / "shed" / "accident" / "seed0"

    def judge(self, row: Row, name: str, problems: list[str]) -> None:
        """Compare a grid's run; its workers see the checkout as it is, so without the environment."""
        more, lost = differences(facts(self.run_of(name), environment=False), self.wanted)
        row.judge(problems + more + leftovers(self.folder / name), lost)

    def worker_dies(self, tries: int) -> Row:
        """kill -9 of the worker that trains."""
        row = Row("kill -9: a worker of the grid")
        for number in range(tries):
            name = f"worker{number}"
            grid, sign = self.begun(name), self.run_of(name) / "metrics.csv"
            problems = [] if killed_worker(grid.pid, sign) else ["no worker could be killed in time"]
            code = grid.wait()
            problems += [] if code == 0 else [f"it ended with {code}: {grid.text[-300:]}"]
            problems += [] if "lost" in grid.text else ["it does not say that it lost a worker"]
            self.judge(row, name, problems)
        return row

    def two(self) -> Row:
        """Two grids on one folder."""
        row = Row("two at once: run")
        grids = [self.begun("two") for _ in range(2)]
        ends = [(grid.wait(), grid.text) for grid in grids]
        self.judge(row, "two", [f"one of two ended with {code}: {text[-300:]}" for code, text in ends if code])
        return row


def killed_worker(pid: int, sign: Path, seconds: float = 60) -> bool:
    """Kill the child of a process that holds a file's folder open for training, once that file is there."""
    deadline = time.monotonic() + seconds
    while not sign.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    # the run's lock is held by the process that trains
    lock = sign.parent.with_name(f".{sign.parent.name}.lock")
    for child in children_of(pid):
        if lock in held_by(child):
            os.kill(child, signal.SIGKILL)
            return True
    return False


def held_by(pid: int) -> set[Path]:
    """The files that a process has open."""
    found = set()
    for place in Path(f"/proc/{pid}/fd").glob("*"):
        try:
            found.add(place.readlink())
        except OSError:  # closed meanwhile
            continue
    return found


def children_of(pid: int) -> list[int]:
    """The processes that a process started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for children in threads for word in children.read_text().split()]
