"""Signals to a grid's launcher alone, to one of its workers, and to their whole group, at random moments."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from accidents.runs import GridAccidents, children_of
from accidents.stage import Child, Tally

STOP_SECONDS = 3.0  # from the signal until nothing is left running
MARK = "FAULTS_GRID"  # the variable by which a grid's processes are found
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


def processes_of(mark: str) -> list[int]:
    """Return the living processes that were started with the variable `MARK` at this value."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            named = f"{MARK}={mark}\0".encode() in (place / "environ").read_bytes()
            if named and (place / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(int(place.name))
        except OSError:  # it has just ended
            continue
    return found


def wait_for_end(mark: str) -> None:
    """Wait until no process of a mark lives, or for ten times as long as that may take."""
    deadline = time.perf_counter() + 10 * STOP_SECONDS
    while processes_of(mark) and time.perf_counter() < deadline:
        time.sleep(0.01)


def command_of(pid: int) -> str:
    """Return the command line and the state of a process."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return f"{words[-200:]} ({Path(f'/proc/{pid}/wchan').read_text()})"
    except OSError:
        return "a process that has ended since"


def signal_grids(grids: GridAccidents, target: str, tries: int) -> Tally:
    """Send signals to grids, look whether anything is left running, and let each grid be completed.

    Args:
        grids: makes the grids.
        target: "launcher", "worker" or "group".
        tries: how many grids.
    """
    tally, draw = Tally(f"a signal to the {target}: run"), grids.stage.random
    whole = f"{target}-whole"
    started = start(grids, whole)
    code = started.wait()
    seconds, longest, missed = time.perf_counter() - started.begun, 0.0, 0
    if code:
        raise SystemExit(f"an undisturbed grid exits with {code}: {started.text}")
    while tally.tried < tries and missed < 5 * tries:
        name, number = f"{target}{tally.tried + missed}", draw.choice(SIGNALS)
        grid = start(grids, name)
        time.sleep(seconds * draw.uniform(0.05, 1))
        if not send(grid, target, number):
            grid.wait()
            missed += 1
            continue
        asked = time.perf_counter()
        problems, code = [], grid.wait()
        if target == "worker":
            problems += (
                [] if code == 0 else [f"after {number.name} to a worker, it ends with {code}: {grid.text[-300:]}"]
            )
            wait_for_end(name)
        else:
            if code == 0:  # it had already ended
                missed += 1
                continue
            wait_for_end(name)
            took = time.perf_counter() - asked
            longest = max(longest, took)
            expected = -number if number == signal.SIGKILL else 128 + number
            problems += [] if code == expected else [f"{number.name}: it ends with {code}: {grid.text[-300:]}"]
            problems += [] if took < STOP_SECONDS else [f"{number.name}: {took:.1f} s until all has ended"]
        left = processes_of(name)
        problems += [f"{number.name}: left is {command_of(pid)}" for pid in left]
        problems += ["a traceback is printed"] if "Traceback" in grid.text else []
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        again = start(grids, name)
        code = again.wait()
        problems += [f"run again, it exits with {code}: {again.text[-300:]}"] if code else []
        grids.judge(tally, name, problems)
    if target != "worker":
        tally.notes.append(f"the longest took {longest:.2f} s until nothing was left running")
    if tally.tried < tries:
        tally.wrong += 1
        tally.notes.append(f"only {tally.tried} of {tries} could be tried")
    return tally


def start(grids: GridAccidents, name: str) -> Child:
    """Start a grid in a process group of its own, whose processes can be found by `name`."""
    return grids.start(name, before=os.setsid, **{MARK: name})


def send(grid: Child, target: str, number: signal.Signals) -> bool:
    """Send a signal, and return whether there was a process to receive it."""
    if os.waitid(os.P_PID, grid.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        return False
    if target == "worker":
        workers = [pid for pid in children_of(grid.pid) if is_worker(pid)]
        if not workers:
            return False
        os.kill(min(workers), number)
    elif target == "group":
        os.killpg(grid.pid, number)
    else:
        os.kill(grid.pid, number)
    return True


def is_worker(pid: int) -> bool:
    """Return whether a process is a worker, and not multiprocessing's own helper."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
