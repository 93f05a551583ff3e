"""kill -9 and SIGTERM at random moments of a command, which is then run again."""

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

from accidents.commands import Command
from accidents.stage import GRACE, FileContents, Stage, Tally

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
ALL = 1 << 60


def kill_at_change(place: str, seen: mmap.mmap, last: int) -> Callable[[], None]:
    """Return a function that makes a process count the changes it makes to files, and die at the `last`.

    Args:
        place: only changes to paths that contain this word count.
        seen: where the count is kept; the processes share it.
        last: the number of the change at which the process dies, before it makes the change.
    """

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


class DisturbedCommand:
    """A command that is killed and run again.

    Args:
        stage: where it runs.
        command: the command.
        wanted: the contents of the files that it writes when undisturbed.
        place: only changes to paths that contain this word count as moments to kill it.
    """

    def __init__(self, stage: Stage, command: Command, wanted: FileContents, place: str = "") -> None:
        self.stage, self.command, self.wanted, self.seen = stage, command, wanted, mmap.mmap(-1, 8)
        self.place = place or str(stage.folder / "tries")
        folder = self.fresh_folder()
        begun = time.perf_counter()
        stage.require(*command.words(folder), before=self.count_changes(ALL), **command.environment(folder))
        self.seconds = time.perf_counter() - begun
        self.changes = int.from_bytes(self.seen[:8], "little")

    def count_changes(self, last: int) -> Callable[[], None]:
        """Start a new count of changes, and return the function that makes a process die at the `last`."""
        self.seen[:8] = bytes(8)
        return kill_at_change(self.place, self.seen, last)

    def fresh_folder(self) -> Path:
        """Return a new folder with what the command needs."""
        self.stage.count += 1
        folder = self.stage.folder / "tries" / f"{self.command.name}{self.stage.count}"
        folder.mkdir(parents=True)
        self.command.setup(folder)
        return folder

    def repeat(self, folder: Path, tally: Tally) -> None:
        """Look for damage, run the command again, and add the verdict to the tally."""
        problems = self.command.damage(folder)
        code, text = self.stage.run(*self.command.words(folder), **self.command.environment(folder))
        more, lost = self.command.check_repeat(folder, self.wanted, code, text)
        tally.judge(problems + more, lost)
        if not problems + more:
            shutil.rmtree(folder)


def kill_at_random(disturbed: DisturbedCommand, tries: int, name: str, *, timed: bool = True) -> Tally:
    """Kill the command at random changes of files and, if `timed`, every second time at a random moment."""
    tally, stage, command = Tally(f"kill -9: {name}"), disturbed.stage, disturbed.command
    missed = 0
    while tally.tried < tries and missed < 5 * tries:
        folder = disturbed.fresh_folder()
        words, environment = command.words(folder), command.environment(folder)
        if timed and tally.tried % 2:
            child = stage.start(*words, **environment)
            time.sleep(stage.random.uniform(0, disturbed.seconds))
            child.kill()
        else:
            last = stage.random.randint(1, disturbed.changes)
            child = stage.start(*words, before=disturbed.count_changes(last), **environment)
        if child.wait() != -signal.SIGKILL:
            missed += 1  # it had already ended
            continue
        disturbed.repeat(folder, tally)
    return require_all_tries(tally, tries)


def require_all_tries(tally: Tally, tries: int) -> Tally:
    """Count it as wrong if too few accidents happened before the command ended."""
    if tally.tried < tries:
        tally.wrong += 1
        tally.notes.append(f"only {tally.tried} of {tries} could be tried")
    return tally


def terminate_at_random(disturbed: DisturbedCommand, tries: int) -> Tally:
    """Send SIGTERM at random moments: the command exits with 143 within the grace time, and resumes when run again."""
    tally, stage, command = Tally(f"SIGTERM: {disturbed.command.name}"), disturbed.stage, disturbed.command
    longest, missed = 0.0, 0
    while tally.tried < tries and missed < 5 * tries:
        folder = disturbed.fresh_folder()
        child = stage.start(*command.words(folder), **command.environment(folder))
        time.sleep(disturbed.seconds * stage.random.uniform(0.1, 1))
        asked = time.perf_counter()
        child.kill(signal.SIGTERM)
        code, took = child.wait(), time.perf_counter() - asked
        if code in (0, -signal.SIGTERM):  # it had already ended, or not yet begun
            missed += 1
            continue
        longest = max(longest, took)
        before = tally.wrong
        disturbed.repeat(folder, tally)
        if (code != 143 or took > GRACE or "Traceback" in child.text) and tally.wrong == before:
            tally.wrong, tally.survived = tally.wrong + 1, tally.survived - 1
            tally.notes.append(f"it ended with {code} after {took:.1f} s: {child.text[-300:]}")
    tally.notes.append(f"the longest took {longest:.2f} s to save and end")
    return require_all_tries(tally, tries)
