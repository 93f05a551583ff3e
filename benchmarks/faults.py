"""What accidents do to the data, runs and results of `dabs`: the number to get is 0 wrong results, and 0 bytes lost.

    python benchmarks/faults.py --quick       # a sample of each, in a few minutes
    python benchmarks/faults.py               # 50 kills of every command
    python benchmarks/faults.py --only kill   # accidents whose name holds a word

Each accident happens to a command that is then run again: what it leaves must be, to the last bit, what an undisturbed
one leaves (CPU; timings apart), and nothing must be half-written in between. Moments are drawn from --seed. For kill -9
half of them are the changes that the command makes to files (a process dies as it is about to make the n-th), the other
half are points in time. Where Linux lets a process have a mount namespace of its own, disks that get full or read-only
are tmpfs mounts in it; else a limit on the size of files, and modes. It exits with 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from accidents.stage import Row, Stage  # noqa: E402

Accident = tuple[str, Callable[[], "Row | list[Row]"]]


def main() -> int:
    """Cause the accidents, print the table; gives 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sample of each")
    parser.add_argument("--only", default="", help="accidents whose name holds this word")
    parser.add_argument("--kills", type=int, default=50, help="of each command, in the full form")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--keep", action="store_true", help="leave the folder, which it names")
    options = parser.parse_args()
    in_a_mount_namespace()
    begun, folder = time.perf_counter(), Path(tempfile.mkdtemp(prefix="dabs-faults-"))
    stage, rows = Stage(folder, options.seed), []
    try:
        for name, cause in accidents(stage, kills_of_each=options.kills, quick=options.quick):
            if options.only not in name:
                continue
            started, done = time.perf_counter(), cause()
            for row in done if isinstance(done, list) else [done]:
                row.seconds = time.perf_counter() - started
                rows.append(row)
                show(row)
    finally:
        stage.close()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    total = Row("all", *(sum(getattr(row, name) for row in rows) for name in ("tried", "survived", "lost", "wrong")))
    total.seconds = time.perf_counter() - begun
    show(total)
    return 1 if total.wrong or total.lost or not rows else 0


def in_a_mount_namespace() -> None:
    """Begin again where mounts are this process's own, if that can be had."""
    if "FAULTS_MOUNTS" in os.environ:
        return
    wrap = ["unshare", "--mount", "--map-root-user"]
    can = shutil.which("unshare") and not subprocess.run([*wrap, "true"], capture_output=True).returncode
    os.environ["FAULTS_MOUNTS"] = "1" if can else "0"
    if can:
        os.execvp("unshare", [*wrap, sys.executable, *sys.argv])


def accidents(stage: Stage, *, kills_of_each: int, quick: bool) -> Iterator[Accident]:
    """Every kind by name, with what causes it; what several share is made when the first needs it."""
    from accidents import kills, places, runs
    from accidents.jobs import jobs_of

    jobs, wanted = jobs_of(stage)
    many, some, few = (2, 1, 1) if quick else (kills_of_each, 10, 3)
    print(f"{'accident':46} {'tried':>6} {'survived':>9} {'bytes lost':>11} {'wrong':>6} {'seconds':>8}", flush=True)
    ready: dict[str, kills.Disturbed] = {}

    def disturbed(name: str) -> kills.Disturbed:
        return ready.setdefault(name, kills.Disturbed(stage, jobs[name], wanted[name]))

    for name in jobs:
        yield f"kill {name}", lambda name=name: kills.killed(disturbed(name), many, name)
    at = kills.Disturbed(stage, jobs["pretrain"], wanted["pretrain"], "/checkpoints/")
    yield "kill checkpoint", lambda: kills.killed(at, many, "a checkpoint being written", timed=False)
    yield "sigterm pretrain", lambda: kills.terminated(disturbed("pretrain"), 2 * some)
    yield "sigterm eval", lambda: kills.terminated(disturbed("eval"), some)
    for name in ("prepare", "pretrain", "eval", "submit", "report"):
        job = jobs[name]
        yield f"disk full {name}", lambda job=job: places.full_disk(stage, job, wanted[job.name], some)
        yield f"read-only {name}", lambda job=job: places.read_only(stage, job, wanted[job.name])
    yield "network", lambda: places.network_cut(stage, jobs["prepare"], wanted["prepare"], 2 * some)
    yield "clock", lambda: places.clock_back(disturbed("pretrain"), wanted["eval"], some)
    yield "memory", lambda: runs.out_of_memory(stage)
    yield "nan", lambda: runs.no_number(stage, some)
    for name in ("prepare", "pretrain", "eval", "submit", "report"):
        job = jobs[name]
        yield f"two {name}", lambda job=job: runs.at_once(stage, job, wanted[job.name], some)
    grids: list[runs.Grids] = []

    def grid() -> runs.Grids:
        grids.extend([] if grids else [runs.Grids(stage)])
        return grids[0]

    yield "kill worker", lambda: grid().worker_dies(few)
    yield "two run", lambda: grid().two()


def show(row: Row) -> None:
    """Print a line of the table, and below it what there is to say."""
    print(f"{row.accident:46} {row.tried:6} {row.survived:9} {row.lost:11,} {row.wrong:6} {row.seconds:8.1f}")
    for note in row.notes:
        print(f"    {note}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
