"""Cause accidents to commands of `dabs`. Expected: 0 wrong results, 0 bytes lost.

    python benchmarks/faults.py --quick       # a sample of each kind, in a few minutes
    python benchmarks/faults.py               # 50 kills of every command
    python benchmarks/faults.py --only kill   # only accidents whose name contains a word

Each accident happens to a command, which is then run again. What it writes must equal, to the last bit and timings
apart, what an undisturbed command writes on the CPU, and nothing may be half-written in between. The moments are drawn
from --seed. Half of the kills happen as the command is about to make its n-th change to a file, the other half at a
point in time. Full and read-only disks are tmpfs mounts if Linux lets a process have a mount namespace of its own;
otherwise a limit on the size of files, and file modes, stand in for them. The exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import functools
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

from accidents.stage import Stage, Tally  # noqa: E402

Accident = tuple[str, Callable[[], "Tally | list[Tally]"]]


def main() -> int:
    """Cause the accidents and print the table; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a sample of each kind")
    parser.add_argument("--only", default="", help="only accidents whose name contains this word")
    parser.add_argument("--kills", type=int, default=50, help="kills of each command, without --quick")
    parser.add_argument("--seed", type=int, default=0, help="draws the moments of the accidents")
    parser.add_argument("--keep", action="store_true", help="keep the folder and print where it is")
    options = parser.parse_args()
    enter_mount_namespace()
    begun, folder = time.perf_counter(), Path(tempfile.mkdtemp(prefix="dabs-faults-"))
    stage, tallies = Stage(folder, options.seed), []
    try:
        for name, cause in accidents(stage, kills_of_each=options.kills, quick=options.quick):
            if options.only not in name:
                continue
            started, done = time.perf_counter(), cause()
            for tally in done if isinstance(done, list) else [done]:
                tally.seconds = time.perf_counter() - started
                tallies.append(tally)
                show(tally)
    finally:
        stage.close()
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    total = Tally(
        "all", *(sum(getattr(tally, name) for tally in tallies) for name in ("tried", "survived", "lost", "wrong"))
    )
    total.seconds = time.perf_counter() - begun
    show(total)
    return 1 if total.wrong or total.lost or not tallies else 0


def enter_mount_namespace() -> None:
    """Start this script again in a mount namespace of its own, if the system allows that."""
    if "FAULTS_MOUNTS" in os.environ:
        return
    wrap = ["unshare", "--mount", "--map-root-user"]
    can = shutil.which("unshare") and not subprocess.run([*wrap, "true"], capture_output=True).returncode
    os.environ["FAULTS_MOUNTS"] = "1" if can else "0"
    if can:
        os.execvp("unshare", [*wrap, sys.executable, *sys.argv])


def accidents(stage: Stage, *, kills_of_each: int, quick: bool) -> Iterator[Accident]:
    """Yield the name of each kind of accident and what causes it; what several share is made when first needed."""
    from accidents import kills, places, runs, stopping
    from accidents.commands import make_commands

    commands, wanted = make_commands(stage)
    many, some, few = (2, 1, 1) if quick else (kills_of_each, 10, 3)
    print(f"{'accident':46} {'tried':>6} {'survived':>9} {'bytes lost':>11} {'wrong':>6} {'seconds':>8}", flush=True)
    ready: dict[str, kills.DisturbedCommand] = {}

    def disturbed(name: str) -> kills.DisturbedCommand:
        return ready.setdefault(name, kills.DisturbedCommand(stage, commands[name], wanted[name]))

    for name in commands:
        yield f"kill {name}", lambda name=name: kills.kill_at_random(disturbed(name), many, name)
    saving = kills.DisturbedCommand(stage, commands["pretrain"], wanted["pretrain"], "/checkpoints/")
    yield "kill checkpoint", lambda: kills.kill_at_random(saving, many, "a checkpoint being written", timed=False)
    yield "sigterm pretrain", lambda: kills.terminate_at_random(disturbed("pretrain"), 2 * some)
    yield "sigterm eval", lambda: kills.terminate_at_random(disturbed("eval"), some)
    for name in ("prepare", "pretrain", "eval", "submit", "report"):
        command = commands[name]
        yield f"disk full {name}", lambda command=command: places.full_disk(stage, command, wanted[command.name], some)
        yield f"read-only {name}", lambda command=command: places.read_only(stage, command, wanted[command.name])
    yield "network", lambda: places.network_cut(stage, commands["prepare"], wanted["prepare"], 2 * some)
    yield "clock", lambda: places.clock_set_back(disturbed("pretrain"), wanted["eval"], some)
    yield "memory", lambda: runs.out_of_memory(stage)
    yield "nan", lambda: runs.nan_at_random_step(stage, some)
    for name in ("prepare", "pretrain", "eval", "submit", "report"):
        command = commands[name]
        yield f"two {name}", lambda command=command: runs.two_at_once(stage, command, wanted[command.name], some)
    grid = functools.cache(lambda: runs.GridAccidents(stage))

    yield "kill worker", lambda: grid().kill_a_worker(few)
    yield "two run", lambda: grid().run_two()
    for target in ("launcher", "worker", "group"):
        yield f"signal {target}", lambda target=target: stopping.signal_grids(grid(), target, 2 * some)


def show(tally: Tally) -> None:
    """Print a line of the table, and below it the notes."""
    print(
        f"{tally.accident:46} {tally.tried:6} {tally.survived:9} {tally.lost:11,} {tally.wrong:6} {tally.seconds:8.1f}"
    )
    for note in tally.notes:
        print(f"    {note}")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
