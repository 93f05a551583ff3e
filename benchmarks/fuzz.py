"""Fuzz the readers of untrusted files: they may raise only a DabsError.

    pip install 'dabs[fuzz]'
    python benchmarks/fuzz.py --target result --seconds 600        # or submission, configuration

Atheris, a coverage-guided fuzzer, changes valid files, half of the time as bytes and half of the time as JSON. A file
that raises another exception than a DabsError counts once per place in the code, and is kept in `--keep`. Seconds are
those of the process's own time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SLOW = 2.0  # seconds of the process's own time for one file that count as a fault
Reader = Callable[[Path], object]  # reads the file at a path
NASTY: list[Any] = [
    *(None, True, -1, 0, 10**17, 10**400, 1e308, float("nan"), float("inf"), "", "\n", "\ud800", "\u202e", "x" * 500),
    *([], {}, [[]], [None], {"": None}, "2026-11-21T04:50:00Z", "a" * 64, "../../x", "results/x/seed0/y.npz"),
]


def seeds(target: str) -> list[bytes]:
    """Return valid files of a target."""
    results = sorted((ROOT / "leaderboard/results/lite").rglob("seed0/results/*.result.json"))[::12]
    if target == "result":
        return [path.read_bytes() for path in results]
    config = json.loads(results[-1].read_text())["pretraining"]["config"]
    if target == "configuration":
        return [json.dumps({"format": 1, "pretrain": config, "identity": {}}).encode()]
    files = {name: hashlib.sha256(data).hexdigest() for name, data in companions(target).items()}
    one, sha256 = json.loads(list(companions(target).values())[1]), files["algorithm.py"]
    run = {"domain": one["domain"], "seed": 0, "options": {"rate": 0.5}, "weights_sha256": sha256}
    run |= {"git_commit": "a" * 40, "commands": ["dabs pretrain", "dabs eval"]}
    value = {
        **{"submission_version": 1, "name": "mine", "authors": ["A. Stranger"], "url": "https://example.org/x"},
        **{"created": "2026-11-21T04:50:00Z", "ruleset": "tuned", "suite": "lite", "environment": one["environment"]},
        "tuning": {"grid": {"rate": [0.5, 1]}, "budget": 2, "selected_by": "validation"},
        "algorithm": {"reference": "mine.py:Mine", "kind": "Mine", "sha256": sha256},
        "runs": [run],
        "predictions": {f"results/{one['domain']}/seed0/{one['predictions']['file']}": one["predictions"]["sha256"]},
        "files": files,
    }
    return [json.dumps(value).encode()]


def companions(target: str) -> dict[str, bytes]:
    """Return the files next to a target's file, by their path relative to its folder."""
    if target != "submission":
        return {}
    result = (ROOT / "leaderboard/results/lite/shed/sensor/seed0/results/exercise.linear.result.json").read_bytes()
    return {
        "algorithm.py": b"class Mine: ...\n",
        "results/sensor/seed0/exercise.linear.result.json": result,
    }


def reader(target: str) -> tuple[str, Reader]:
    """Return the name of a target's file, and the function that reads it."""
    if target == "result":
        from dabs.results.files import read_result

        return "x.linear.result.json", read_result
    if target == "submission":
        from dabs.results.submission import load_submission

        return "mine/submission.json", lambda path: load_submission(path.parent)
    from dabs.training.run_folder import load_config

    return "config.json", load_config


def change_json(data: bytes, chance: random.Random) -> bytes:
    """Return the JSON of `data` with one to four of its values replaced, removed, repeated or moved."""
    value = json.loads(data)
    for _ in range(chance.randint(1, 4)):
        places = [
            (box, key) for box in _containers(value) for key in (box if isinstance(box, dict) else range(len(box)))
        ]
        if not places:
            break
        box, key = chance.choice(places)
        kind = chance.randrange(4)
        if kind == 0:
            del box[key]
        elif kind == 1:
            other, its = chance.choice(places)
            box[key] = other[its] if its in other or (isinstance(its, int) and its < len(other)) else None
        elif kind == 2 and isinstance(box, dict):
            box[str(chance.choice(NASTY))] = box[key]
        else:
            box[key] = chance.choice(NASTY)
    return json.dumps(value, check_circular=False).encode()


def _containers(value: Any) -> list[Any]:
    """Return the lists and objects in a value, itself first."""
    if not isinstance(value, dict | list):
        return []
    inside = value.values() if isinstance(value, dict) else value
    return [value, *(box for item in inside for box in _containers(item))]


def fuzz(target: str, seconds: float, keep: Path) -> None:
    """Fuzz for some seconds of the process's own time, and write the figures into `keep` every ten seconds."""
    import atheris

    with atheris.instrument_imports(include=["dabs"]):
        name, read = reader(target)
        from dabs.errors import DabsError
    folder = Path(tempfile.mkdtemp(prefix="dabs-fuzz-"))
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    for other, data in companions(target).items():
        (path.parent / other).parent.mkdir(parents=True, exist_ok=True)
        (path.parent / other).write_bytes(data)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seeds(target)):
        (corpus / str(number)).write_bytes(data)
    found: dict[str, str] = {}
    counts = {"executions": 0, "accepted": 0}
    figures, noted = keep / f"{target}.figures.json", [0.0]

    def one(data: bytes) -> None:
        path.write_bytes(data)
        counts["executions"] += 1
        begun = time.process_time()
        try:
            read(path)
            counts["accepted"] += 1
        except DabsError as error:
            if len(str(error)) > 20_000 or "\x1b" in str(error):
                found.setdefault("an error message that cannot be shown", str(error)[:200])
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{type(error).__name__} at {place.filename}:{place.lineno}"
            if key not in found:
                found[key] = traceback.format_exc()
                (keep / f"{target}.{len(found)}.json").write_bytes(data)
        now = time.process_time()
        if now - begun > SLOW and "slow" not in found:
            found["slow"] = f"{now - begun:.1f} s for one file"
            (keep / f"{target}.slow.json").write_bytes(data)
        if now >= noted[0] or now >= seconds:
            noted[0] = now + 10
            figures.write_text(json.dumps({**counts, "seconds": now, "crashes": found}))
        if now >= seconds:
            os._exit(0)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        try:
            if chance.random() < 0.5:
                return change_json(data, chance)[:most]
        except (ValueError, RecursionError, TypeError, LookupError):
            pass
        return bytes(atheris.Mutate(data, most))

    arguments = [
        sys.argv[0],
        str(corpus),
        "-max_len=40000",
        "-timeout=3600",
        f"-artifact_prefix={keep}/",
        "-rss_limit_mb=3000",
    ]
    atheris.Setup(arguments, one, custom_mutator=lambda data, most, seed: mutate(data, most, seed))
    atheris.Fuzz()


def main() -> None:
    """Fuzz one target in another process, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--target", choices=("result", "submission", "configuration"), required=True)
    parser.add_argument("--seconds", type=float, default=600.0, help="of the process's own time")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-crashes"), help="folder for inputs that crash")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    if options.child:
        fuzz(options.target, options.seconds, options.keep.resolve())
        return
    command = [sys.executable, __file__, "--child", "--target", options.target]
    command += ["--seconds", str(options.seconds), "--keep", str(options.keep)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})
    if ended.returncode:  # a hang, too much memory, or a crash of the interpreter itself
        print(ended.stderr[-3000:])
        sys.exit(f"{options.target}: the fuzzer stopped with code {ended.returncode}; the input is in {options.keep}")
    figures = json.loads((options.keep / f"{options.target}.figures.json").read_text())
    covered = re.findall(r"cov: (\d+)", ended.stderr)
    rate = figures["executions"] / figures["seconds"]
    print(
        f"{options.target}: {figures['executions']:,} executions in {figures['seconds']:.0f} s of processor time "
        f"({rate:,.0f}/s), {figures['accepted']:,} accepted, coverage {covered[0] if covered else '?'} to "
        f"{covered[-1] if covered else '?'} edges, {len(figures['crashes'])} crashes"
    )
    for place, what in figures["crashes"].items():
        print(f"\n{place}\n{what}")
    sys.exit(1 if figures["crashes"] else 0)


if __name__ == "__main__":
    main()
