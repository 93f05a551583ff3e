"""kill -9 and SIGTERM at random moments of every command, then the same command again."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accidents.jobs import Job
from accidents.stage import GRACE, Facts, Row, Stage

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
ALL = 1 << 60


def changes_counted(place: str, seen: mmap.mmap, last: int) -> Callable[[], None]:
    """Count, in this process and from now on, what is about to change in paths that hold `place`; die at the `last`."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & WRITING:
                return
        elif event not in EVENTS:
            return
        if place not in str(arguments[0]):
            return
        count = int.from_bytes(seen[:8], "little") + 1
        seen[:8] = count.to_bytes(8, "little")
        if count >= last:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: sys.addaudithook(hook)


class Disturbed:
    """A job that is killed and run again.

    Args:
        stage: where.
        job: which command.
        wanted: what an undisturbed one leaves.
        place: only changes to paths that hold this word count as moments.
    """

    def __init__(self, stage: Stage, job: Job, wanted: Facts, place: str = "") -> None:
        self.stage, self.job, self.wanted, self.seen = stage, job, wanted, mmap.mmap(-1, 8)
        self.place = place or str(stage.folder / "tries")
        folder = self.fresh()
        begun = time.perf_counter()
        stage.need(*job.words(folder), before=self.counted(ALL), **job.environment(folder))
        self.seconds = time.perf_counter() - begun
        self.changes = int.from_bytes(self.seen[:8], "little")

    def counted(self, last: int) -> Callable[[], None]:
        """Begin to count the changes anew, and die at the `last`."""
        self.seen[:8] = bytes(8)
        return changes_counted(self.place, self.seen, last)

    def fresh(self) -> Path:
        """A folder of its own with what the command needs."""
        self.stage.count += 1
        folder = self.stage.folder / "tries" / f"{self.job.name}{self.stage.count}"
        folder.mkdir(parents=True)
        self.job.setup(folder)
        return folder

    def again(self, folder: Path, row: Row) -> None:
        """Look at what the accident left, run the command again, judge."""
        problems = self.job.halves(folder)
        code, text = self.stage.run(*self.job.words(folder), **self.job.environment(folder))
        more, lost = self.job.whole(folder, self.wanted, code, text)
        row.judge(problems + more, lost)
        if not problems + more:
            shutil.rmtree(folder)


def killed(disturbed: Disturbed, tries: int, name: str, *, timed: bool = True) -> Row:
    """kill -9 at random changes of files and, every second time if `timed`, at random moments."""
    row, stage, job = Row(f"kill -9: {name}"), disturbed.stage, disturbed.job
    missed = 0
    while row.tried < tries and missed < 5 * tries:
        folder = disturbed.fresh()
        words, environment = job.words(folder), job.environment(folder)
        if timed and row.tried % 2:
            child = stage.start(*words, **environment)
            time.sleep(stage.random.uniform(0, disturbed.seconds))
            child.kill()
        else:
            last = stage.random.randint(1, disturbed.changes)
            child = stage.start(*words, before=disturbed.counted(last), **environment)
        if child.wait() != -signal.SIGKILL:
            missed += 1  # it had ended
            continue
        disturbed.again(folder, row)
    return enough(row, tries)


def enough(row: Row, tries: int) -> Row:
    """A row that says so when the command was over before most accidents."""
    if row.tried < tries:
        row.wrong += 1
        row.notes.append(f"only {row.tried} of {tries} could be tried")
    return row


def terminated(disturbed: Disturbed, tries: int) -> Row:
    """SIGTERM at random moments: exit code 143 within the grace time, and the same command goes on."""
    row, stage, job = Row(f"SIGTERM: {disturbed.job.name}"), disturbed.stage, disturbed.job
    longest, missed = 0.0, 0
    while row.tried < tries and missed < 5 * tries:
        folder = disturbed.fresh()
        child = stage.start(*job.words(folder), **job.environment(folder))
        time.sleep(disturbed.seconds * stage.random.uniform(0.1, 1))
        asked = time.perf_counter()
        child.kill(signal.SIGTERM)
        code, took = child.wait(), time.perf_counter() - asked
        if code in (0, -signal.SIGTERM):  # it had ended, or not yet begun
            missed += 1
            continue
        longest = max(longest, took)
        before = row.wrong
        disturbed.again(folder, row)
        if (code != 143 or took > GRACE or "Traceback" in child.text) and row.wrong == before:
            row.wrong, row.survived = row.wrong + 1, row.survived - 1
            row.notes.append(f"it ended with {code} after {took:.1f} s: {child.text[-300:]}")
    row.notes.append(f"the longest took {longest:.2f} s to save and end")
    return enough(row, tries)
