"""Disks that get full or may only be read, a network that is cut, a clock that goes back."""

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

from accidents.jobs import Job, half_checkpoint
from accidents.kills import Disturbed
from accidents.stage import URL, Facts, Row, Stage, differences, facts

SIZE = 64 << 20  # of a disk of its own


def can_mount() -> bool:
    """Whether this process may mount (see `faults.py`, which asks for a mount namespace of its own)."""
    return os.environ.get("FAULTS_MOUNTS") == "1"


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """A small disk of its own at a folder, where one may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    if can_mount():
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)], check=True)
    try:
        yield
    finally:
        if can_mount():
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def one_paragraph(code: int, text: str, *words: str) -> list[str]:
    """What is wrong with how a command failed: it must exit with 1, and say why in one of these words."""
    problems = [] if code == 1 else [f"it ended with {code} instead of 1: {text[-300:]}"]
    if "Traceback" in text or not any(word in text for word in words):
        problems.append(f"it does not say what to do: {text[-300:]}")
    return problems


def full_disk(stage: Stage, job: Job, wanted: Facts, tries: int) -> Row:
    """The disk gets full at a random place of what a command writes; then there is space, and it is run again."""
    how = "a tmpfs" if can_mount() else "RLIMIT_FSIZE"
    row = Row(f"disk full ({how}): {job.name}")
    needed, largest = job.peak * sum(map(len, wanted.values())), max(map(len, wanted.values()))
    for _ in range(tries):
        share = stage.random.uniform(0.02, 0.9)
        stage.count += 1
        folder = stage.folder / "disks" / f"{job.name}{stage.count}"
        with disk(folder):
            job.setup(folder)
            held = sum(map(len, facts(folder / job.made).values())) if (folder / job.made).exists() else 0
            room = max(4096, int((needed - held) * share))
            ballast = folder / ".ballast"
            before = Limit(0 if can_mount() else min(room, int(largest * share)))
            if can_mount():
                found = os.statvfs(folder)
                ballast.write_bytes(bytes(max(0, found.f_bavail * found.f_frsize - room)))
            code, text = stage.run(*job.words(folder), before=before, **job.environment(folder))
            problems = one_paragraph(code, text, "No space left", "File too large", "is full", "cannot write")
            ballast.unlink(missing_ok=True)
            problems += job.halves(folder)
            code, text = stage.run(*job.words(folder), **job.environment(folder))
            more, lost = job.whole(folder, wanted, code, text)
            row.judge(problems + more, lost)
    return row


class Limit:
    """Called in a command's process: no file may become larger than so many bytes; 0 sets no limit."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self) -> None:
        """Set it; what is written beyond it then fails, as Python ignores the signal."""
        impatient()
        if self.size:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


def read_only(stage: Stage, job: Job, wanted: Facts) -> Row:
    """The folder may only be read; then it may be written."""
    how = "a tmpfs mounted ro" if can_mount() else "mode 0555"
    row, folder = Row(f"read-only folder ({how}): {job.name}"), stage.folder / "disks" / f"{job.name}-read-only"
    with disk(folder):
        job.setup(folder)
        before = facts(folder)
        set_writable(folder, False)
        code, text = stage.run(*job.words(folder), **job.environment(folder))
        problems = one_paragraph(code, text, "cannot write", "Read-only", "Permission denied")
        set_writable(folder, True)
        problems += differences(facts(folder), before)[0]
        code, text = stage.run(*job.words(folder), **job.environment(folder))
        more, lost = job.whole(folder, wanted, code, text)
        row.judge(problems + more, lost)
    return row


def set_writable(folder: Path, wanted: bool) -> None:
    """Remount a disk of its own, or change the mode of every folder."""
    if can_mount():
        subprocess.run(["mount", "-o", f"remount,{'rw' if wanted else 'ro'}", str(folder)], check=True)
        return
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        path.chmod(0o755 if wanted else 0o555)


def network_cut(stage: Stage, job: Job, wanted: Facts, tries: int) -> Row:
    """The server cuts some connections, which a download survives by itself; or it is gone, which is said."""
    row = Row("network cut: prepare")
    for number in range(tries):
        folder = stage.folder / "tries" / f"network{number}"
        job.setup(folder)
        gone = number % 2 == 1
        stage.cuts.write_text(str(stage.random.randint(1, 4)))
        more = {URL: "http://127.0.0.1:9/noise.bin"} if gone else {}
        code, text = stage.run(*job.words(folder), before=impatient, **job.environment(folder), **more)
        problems = one_paragraph(code, text, "run the same command again") if gone else []
        stage.cuts.write_text("0")
        problems += job.halves(folder)
        if gone:
            code, text = stage.run(*job.words(folder), before=impatient, **job.environment(folder))
        wrong, lost = job.whole(folder, wanted, code, text)
        row.judge(problems + wrong, lost)
    return row


def impatient() -> None:
    """Wait only a moment before another attempt at a download."""
    import dabs.domains.sources.download as download

    download.RETRY_DELAY = 0.01


def clock_back(disturbed: Disturbed, evaluated: Facts, tries: int) -> Row:
    """Files come from the future and in no order, and the clock runs backwards, while a killed run goes on.

    Args:
        disturbed: the job of a run.
        evaluated: the facts of such a run with its results.
        tries: how often.
    """
    row, stage, job = Row("clock set back: pretrain, eval"), disturbed.stage, disturbed.job
    for _ in range(tries):
        folder, last = disturbed.fresh(), stage.random.randint(disturbed.changes // 2, disturbed.changes)
        stage.start(*job.words(folder), before=disturbed.counted(last)).wait()
        problems = [text for path in folder.glob("run/checkpoints/step-*") for text in half_checkpoint(path)]
        scatter_times(folder, stage.random)
        code, text = stage.run(*job.words(folder), before=backwards)
        more, _ = job.whole(folder, disturbed.wanted, code, text)
        scatter_times(folder, stage.random)
        code, text = stage.run("eval", str(folder / "run"), before=backwards)
        worse, lost = differences(facts(folder / "run"), evaluated)
        row.judge(problems + more + worse, lost)
    return row


def scatter_times(folder: Path, moments: random.Random) -> None:
    """Give every file a moment between 1980 and 2100; the newest checkpoint the oldest."""
    for path in folder.rglob("*"):
        stamp = moments.uniform(315_600_000, 4_102_000_000)
        os.utime(path, (stamp, stamp))
    for number, path in enumerate(sorted(folder.glob("run/checkpoints/step-*"), reverse=True)):
        os.utime(path, (315_600_000 + number, 315_600_000 + number))


def backwards() -> None:
    """From now on every look at the clock is earlier than the one before, by an hour."""
    import dabs.evaluation.evaluate

    now, looks = time.time() - 3e8, iter(range(1 << 60))

    class Moment(datetime):
        """A moment of the clock that goes back."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(now, tz) - timedelta(hours=next(looks))

    time.time = lambda: now - 3600 * next(looks)
    time.time_ns = lambda: int(time.time() * 1e9)
    dabs.evaluation.evaluate.datetime = Moment  # type: ignore[misc]
