"""How the site grows with submissions: seconds to build, size, and how long pages take in a browser.

    python benchmarks/site.py 5 100 1000

Made-up submissions: the committed results of one algorithm with other scores. Pages are timed in Debian's Chromium.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from dabs.registry import domain_names, find_domain
from leaderboard.results import load_results
from leaderboard.rows import Placed, Row, rows_of
from leaderboard.site import build_site
from leaderboard.submission import renamed

ROOT = Path(__file__).parents[1]
CHROMIUM = Path("/usr/bin/chromium")


def submissions(count: int) -> list[Row]:
    """The floors, and `count` rows whose scores lie around ShED's."""
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
        rows.append(Row(name=f"Submission {i}", placed=tuple(placed), folder=Path(f"s{i}")))
    return [*floors, *rows]


def timed_pages(site: Path) -> dict[str, float]:
    """Seconds until the first page is there, is sorted and filtered, and until a pair is shown."""
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


def main() -> None:
    """Print a row for each number of submissions."""
    console = Console()
    table = Table(title="the site by number of submissions")
    heads = ["submissions", "build s", "MB", "MB of pages", "index kB", "task kB", "compare kB", "a row kB"]
    for head in [*heads, "open s", "sort s", "filter s", "compare s"]:
        table.add_column(head, justify="right")
    domains = [find_domain(name) for name in domain_names()]
    for count in [int(word) for word in sys.argv[1:]] or [5, 100]:
        rows = submissions(count)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            site = build_site(rows, Path(folder) / "site", domains=domains)
            seconds = time.perf_counter() - start
            sizes = {path.relative_to(site): path.stat().st_size for path in site.rglob("*") if path.is_file()}
            pages = sum(size for path, size in sizes.items() if path.suffix == ".html")
            one = sum(
                size for path, size in sizes.items() if path.parts[1:2] == (next(site.glob("data/submission-*")).name,)
            )
            small = [sizes[Path(name)] for name in ("index.html", "tasks/speech.word.html", "compare.html")]
            browsed = timed_pages(site) if CHROMIUM.exists() else {}
        words = [
            f"{sum(sizes.values()) / 1e6:.1f}",
            f"{pages / 1e6:.1f}",
            *(f"{size / 1e3:.0f}" for size in (*small, one)),
        ]
        table.add_row(str(count), f"{seconds:.1f}", *words, *(f"{value:.2f}" for value in browsed.values()))
    console.print(table)


if __name__ == "__main__":
    main()
