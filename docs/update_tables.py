"""Write the tables of README.md and docs/results.md from leaderboard/; `--check` fails when they differ."""

from __future__ import annotations

import sys
from pathlib import Path

from dabs.leaderboard.submit.doc_tables import stale_pages, update

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Update in place, or with --check work on copies and report."""
    if "--check" not in sys.argv:
        update(ROOT)
        return 0
    stale = stale_pages(ROOT)
    if stale:
        print(f"the tables in {' and '.join(stale)} differ from leaderboard/: run docs/update_tables.py")
        return 1
    print("the tables agree with their result files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
