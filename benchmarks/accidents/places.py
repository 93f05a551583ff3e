"""Accidents of the machine: full and read-only disks, network, clock."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from accidents.commands import Command, checkpoint_damage
from accidents.kills import DisturbedCommand
from accidents.stage import URL, FileContents, Stage, Tally, differences, file_contents

SIZE = 64 << 20  # bytes of the disk that `small_disk` mounts


def can_mount() -> bool:
    """Whether this process may mount disks; `faults.py` asks for a mount namespace of its own."""
    return os.environ.get("FAULTS_MOUNTS") == "1"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small disk at a folder, if this process may mount."""
    folder.mkdir(parents=True, exist_ok=True)
    if can_mount():
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)], check=True)
    try:
        yield
    finally:
        if can_mount():
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def failure_problems(code: int, text: str, *words: str) -> list[str]:
    """Return what is wrong with how a command failed: it must exit with 1 and print one of these words."""
    problems = [] if code == 1 else [f"it ended with {code} instead of 1: {text[-300:]}"]
    if "Traceback" in text or not any(word in text for word in words):
        problems.append(f"it does not say what to do: {text[-300:]}")
    return problems


def full_disk(stage: Stage, command: Command, wanted: FileContents, tries: int) -> Tally:
    """Let the disk fill up at a random point of what a command writes; then make space and run it again."""
    how = "a tmpfs" if can_mount() else "RLIMIT_FSIZE"
    tally = Tally(f"disk full ({how}): {command.name}")
    needed, largest = command.peak * sum(map(len, wanted.values())), max(map(len, wanted.values()))
    for _ in range(tries):
        share = stage.random.uniform(0.02, 0.9)
        stage.count += 1
        folder = stage.folder / "disks" / f"{command.name}{stage.count}"
        with small_disk(folder):
            command.setup(folder)
            held = (
                sum(map(len, file_contents(folder / command.output).values()))
                if (folder / command.output).exists()
                else 0
            )
            room = max(4096, int((needed - held) * share))
            ballast = folder / ".ballast"
            before = FileSizeLimit(0 if can_mount() else min(room, int(largest * share)))
            if can_mount():
                found = os.statvfs(folder)
                ballast.write_bytes(bytes(max(0, found.f_bavail * found.f_frsize - room)))
            code, text = stage.run(*command.words(folder), before=before, **command.environment(folder))
            problems = failure_problems(code, text, "No space left", "File too large", "is full", "cannot write")
            ballast.unlink(missing_ok=True)
            problems += command.damage(folder)
            code, text = stage.run(*command.words(folder), **command.environment(folder))
            more, lost = command.check_repeat(folder, wanted, code, text)
            tally.judge(problems + more, lost)
    return tally


class FileSizeLimit:
    """Limits the size of files in the process that calls it; 0 sets no limit."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self) -> None:
        """Set the limit. Writing beyond it then fails with an error, because the signal is ignored."""
        retry_at_once()
        if self.size:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


def read_only(stage: Stage, command: Command, wanted: FileContents) -> Tally:
    """Make the folder read-only, run the command, make it writable, and run the command again."""
    how = "a tmpfs mounted ro" if can_mount() else "mode 0555"
    tally, folder = (
        Tally(f"read-only folder ({how}): {command.name}"),
        stage.folder / "disks" / f"{command.name}-read-only",
    )
    with small_disk(folder):
        command.setup(folder)
        before = file_contents(folder)
        set_writable(folder, False)
        code, text = stage.run(*command.words(folder), **command.environment(folder))
        problems = failure_problems(code, text, "cannot write", "Read-only", "Permission denied")
        set_writable(folder, True)
        problems += differences(file_contents(folder), before)[0]
        code, text = stage.run(*command.words(folder), **command.environment(folder))
        more, lost = command.check_repeat(folder, wanted, code, text)
        tally.judge(problems + more, lost)
    return tally


def set_writable(folder: Path, wanted: bool) -> None:
    """Remount the disk, or change the mode of every folder."""
    if can_mount():
        subprocess.run(["mount", "-o", f"remount,{'rw' if wanted else 'ro'}", str(folder)], check=True)
        return
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        path.chmod(0o755 if wanted else 0o555)


def network_cut(stage: Stage, command: Command, wanted: FileContents, tries: int) -> Tally:
    """Cut some connections, which a download survives, or let the server be gone, which the command reports."""
    tally = Tally("network cut: prepare")
    for number in range(tries):
        folder = stage.folder / "tries" / f"network{number}"
        command.setup(folder)
        gone = number % 2 == 1
        stage.cuts.write_text(str(stage.random.randint(1, 4)))
        more = {URL: "http://127.0.0.1:9/noise.bin"} if gone else {}
        code, text = stage.run(*command.words(folder), before=retry_at_once, **command.environment(folder), **more)
        problems = failure_problems(code, text, "run the same command again") if gone else []
        stage.cuts.write_text("0")
        problems += command.damage(folder)
        if gone:
            code, text = stage.run(*command.words(folder), before=retry_at_once, **command.environment(folder))
        wrong, lost = command.check_repeat(folder, wanted, code, text)
        tally.judge(problems + wrong, lost)
    return tally


def retry_at_once() -> None:
    """Wait only a moment before a download is tried again."""
    import dabs.domains.sources.download as download

    download.RETRY_DELAY = 0.01


def clock_set_back(disturbed: DisturbedCommand, evaluated: FileContents, tries: int) -> Tally:
    """Give files dates in random order and from the future, and let the clock run backwards while a killed run resumes.

    Args:
        disturbed: `dabs pretrain`.
        evaluated: the contents of the files of an undisturbed run and its results.
        tries: how often.
    """
    tally, stage, command = Tally("clock set back: pretrain, eval"), disturbed.stage, disturbed.command
    for _ in range(tries):
        folder, last = disturbed.fresh_folder(), stage.random.randint(disturbed.changes // 2, disturbed.changes)
        stage.start(*command.words(folder), before=disturbed.count_changes(last)).wait()
        problems = [text for path in folder.glob("run/checkpoints/step-*") for text in checkpoint_damage(path)]
        scatter_times(folder, stage.random)
        code, text = stage.run(*command.words(folder), before=turn_clock_back)
        more, _ = command.check_repeat(folder, disturbed.wanted, code, text)
        scatter_times(folder, stage.random)
        code, text = stage.run("eval", str(folder / "run"), before=turn_clock_back)
        worse, lost = differences(file_contents(folder / "run"), evaluated)
        tally.judge(problems + more + worse, lost)
    return tally


def scatter_times(folder: Path, moments: random.Random) -> None:
    """Date every file at random between 1980 and 2100, and the newest checkpoint before all others."""
    for path in folder.rglob("*"):
        stamp = moments.uniform(315_600_000, 4_102_000_000)
        os.utime(path, (stamp, stamp))
    for number, path in enumerate(sorted(folder.glob("run/checkpoints/step-*"), reverse=True)):
        os.utime(path, (315_600_000 + number, 315_600_000 + number))


def turn_clock_back() -> None:
    """From now on, let every reading of the clock be an hour earlier than the one before."""
    import dabs.evaluation.build_result

    now, readings = time.time() - 3e8, iter(range(1 << 60))

    class Moment(datetime):
        """A moment of the clock that runs backwards."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(now, tz) - timedelta(hours=next(readings))

    time.time = lambda: now - 3600 * next(readings)
    time.time_ns = lambda: int(time.time() * 1e9)
    dabs.evaluation.build_result.datetime = Moment  # type: ignore[misc]
