"""Measure how the site grows with submissions: build time, size, page times.

    python benchmarks/site.py 5 100 1000
    python benchmarks/site.py --from-disk 1000     # dabs compare, dabs leaderboard verify and build

The submissions are made up: the committed results of one algorithm with other scores. Pages are timed in Debian's
Chromium.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from dabs.data.domain import Domain
from dabs.leaderboard.site.build import build_site
from dabs.registry import domain_names, find_domain
from dabs.results.entries import Entry, Placed, rows_of
from dabs.results.files import load_results
from dabs.results.submission import Submission, renamed, write_submission

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")
COLUMNS = (
    *("submissions", "build s", "CPU s", "MB", "MB of pages", "index kB", "task kB", "compare kB", "per row kB"),
    *("open s", "sort s", "filter s", "compare s"),
)


def make_rows(count: int) -> list[Entry]:
    """Return the floors and `count` submissions whose scores are close to ShED's."""
    results = load_results(ROOT / "leaderboard" / "results")
    floors = [row for row in rows_of(results) if row.name in ("none", "raw")]
    shed = [result for result in results if result.algorithm == "shed"]
    generator = np.random.default_rng(0)
    rows = []
    for i in range(count):
        shift = generator.normal(0, 0.03)
        placed = []
        for result in shed:
            score = float(np.clip(result.score + shift + generator.normal(0, 0.01), 0.0, 1.0))
            ends = {"low": score - 0.02, "high": score + 0.02}
            changed = {"score": score, "interval": result.interval.model_copy(update=ends)}
            placed.append(Placed(result=renamed(result.model_copy(update=changed), f"Submission {i}")))
        rows.append(Entry(name=f"Submission {i}", placed=tuple(placed), folder=Path(f"s{i}")))
    return [*floors, *rows]


def time_pages(site: Path) -> dict[str, float]:
    """Return the seconds until the first page is open, is sorted and is filtered, and until a pair is compared."""
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})

        def clock(name: str, start: float) -> None:
            page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
            found[name] = time.perf_counter() - start

        start = time.perf_counter()
        page.goto((site / "index.html").as_uri())
        clock("open", start)
        start = time.perf_counter()
        page.locator(".view:not([hidden]) table.headline thead button").nth(3).click()
        clock("sort", start)
        start = time.perf_counter()
        page.get_by_label("Filter algorithms").fill("submission 1")
        clock("filter", start)
        slugs = sorted(path.parent.name for path in site.glob("data/submission-*/row.js"))
        start = time.perf_counter()
        page.goto((site / "compare.html").as_uri() + f"#a={slugs[0]}&b={slugs[-1]}")
        page.wait_for_selector("#result table")
        clock("compare", start)
        browser.close()
    return found


def write_checkout(root: Path, count: int) -> None:
    """Write a copy of this checkout to `root`, with `count` made-up submissions without predictions."""
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".git", "submissions", ".venv", ".hypothesis"))
    for row in make_rows(count):
        if row.folder is None:
            continue
        source = f"# {row.name}\nclass Mine: ...\n".encode()
        digest, name = hashlib.sha256(source).hexdigest(), row.name.replace(" ", "-")
        files, predictions, runs = {"algorithm.py": source}, {}, {}
        for result in row.results:
            if result.protocol == "finetune":  # it has one seed, and a submission needs two
                continue
            place = f"results/{result.domain}/seed{result.seed}"
            own = result.model_copy(update={"algorithm_sha256": digest})
            files[f"{place}/{result.task}.{result.protocol}.result.json"] = own.model_dump_json().encode()
            predictions[f"{place}/{result.predictions.file}"] = result.predictions.sha256
            runs[result.domain, result.seed] = result
        one = row.results[0]
        value = {
            **{"submission_version": 1, "name": name, "authors": ("A. Stranger",), "url": "https://example.org/x"},
            **{"created": "2026-11-21T04:50:00Z", "ruleset": "fixed", "tuning": "none", "suite": one.suite},
            "algorithm": {"reference": "mine.py:Mine", "kind": "Mine", "sha256": digest},
            "environment": one.environment,
            "runs": tuple(
                {
                    **{"domain": domain, "seed": seed, "options": dict(result.pretraining.config["options"])},
                    **{"weights_sha256": result.pretraining.weights_sha256, "commands": ("dabs pretrain", "dabs eval")},
                    "git_commit": result.environment.git_commit,
                }
                for (domain, seed), result in runs.items()
            ),
            "predictions": predictions,
            "files": {path: hashlib.sha256(content).hexdigest() for path, content in files.items()},
        }
        write_submission(root / "leaderboard/submissions" / name, Submission.model_validate(value), files)


def time_commands(count: int) -> None:
    """Print how long each command that reads `count` submissions from disk takes, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "checkout"
        write_checkout(root, count)
        subprocess.run([sys.executable, "docs/update_tables.py"], cwd=root, check=True, stdout=subprocess.DEVNULL)
        board = root / "leaderboard"
        two = [str(board / f"submissions/Submission-{i}") for i in (0, count - 1)]
        commands = {
            "compare of two": ["compare", *two],
            "leaderboard verify": ["leaderboard", "verify", "--root", str(root)],
            "leaderboard build": [
                *("leaderboard", "build", "--results", str(board / "results"), str(board / "submissions")),
                *("--out", str(root / "site")),
            ],
        }
        for name, words in commands.items():
            begun = time.perf_counter()
            with open(Path(folder) / "output", "w+") as output:
                command = [sys.executable, "-m", "dabs", *words]
                process = subprocess.Popen(command, cwd=root, stdout=output, stderr=output)
                _, status, used = os.wait4(process.pid, 0)
                output.seek(0)
                last = (output.read().strip().splitlines() or [""])[-1]
            print(
                f"dabs {name}, {count} submissions: {used.ru_utime + used.ru_stime:.1f} s of CPU time, "
                f"{time.perf_counter() - begun:.1f} s in all, {used.ru_maxrss / 1e6:.2f} GB, "
                f"exit {os.waitstatus_to_exitcode(status)} ({last[:100]})",
                flush=True,
            )


def time_site(count: int, domains: Sequence[Domain]) -> list[str]:
    """Build the site of `count` submissions; return its row of the table, in the order of COLUMNS."""
    rows = make_rows(count)
    with tempfile.TemporaryDirectory() as folder:
        start, work = time.perf_counter(), time.process_time()
        site = build_site(rows, Path(folder) / "site", domains=domains)
        seconds, worked = time.perf_counter() - start, time.process_time() - work
        sizes = {path.relative_to(site): path.stat().st_size for path in site.rglob("*") if path.is_file()}
        first_row = next(site.glob("data/submission-*")).name
        browsed = time_pages(site) if CHROMIUM.exists() else {}
    pages = sum(size for path, size in sizes.items() if path.suffix == ".html")
    per_row = sum(size for path, size in sizes.items() if path.parts[1:2] == (first_row,))
    single = [sizes[Path(name)] for name in ("index.html", "tasks/speech.word.html", "compare.html")]
    return [
        str(count),
        f"{seconds:.1f}",
        f"{worked:.1f}",
        f"{sum(sizes.values()) / 1e6:.1f}",
        f"{pages / 1e6:.1f}",
        *(f"{size / 1e3:.0f}" for size in (*single, per_row)),
        *(f"{value:.2f}" for value in browsed.values()),
    ]


def main() -> None:
    """Print a row for each number of submissions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", type=int, nargs="*", default=[5, 100])
    parser.add_argument("--from-disk", action="store_true", help="time the commands that read submissions instead")
    options = parser.parse_args()
    if options.from_disk:
        for count in options.counts:
            time_commands(count)
        return
    table = Table(title="the site by number of submissions")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    domains = [find_domain(name) for name in domain_names()]
    for count in options.counts:
        table.add_row(*time_site(count, domains))
    Console().print(table)


if __name__ == "__main__":
    main()
