"""Write into docs/protocol.md whether the standard budget tells what a long run finds.

It compares all published rows at two budgets, which takes minutes, so `update_tables.py` does not do it.
"""

from __future__ import annotations

from pathlib import Path

from dabs.leaderboard.compare.foresight_text import foresight_table
from dabs.leaderboard.tables.render import update_between_markers

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Update the page in place."""
    update_between_markers(
        ROOT / "docs" / "protocol.md", "foresight", foresight_table(ROOT / "leaderboard" / "results")
    )


if __name__ == "__main__":
    main()
