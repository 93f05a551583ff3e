"""Update the generated parts of the pages; `--check` fails if they are stale."""

from __future__ import annotations

import sys
from pathlib import Path

from dabs.leaderboard.submit.doc_tables import find_stale_pages, update_pages

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Update the pages in place; with --check, work on copies and report what is out of date."""
    if "--check" not in sys.argv:
        update_pages(ROOT)
        return 0
    stale = find_stale_pages(ROOT)
    if stale:
        print(f"the generated parts of {' and '.join(stale)} are out of date: run docs/update_tables.py")
        return 1
    print("the generated parts of the pages are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
