"""Write into docs/protocol.md and docs/budgets.md what the tests say of several budgets.

Whether the standard budget tells what a long run finds, and whether more steps still help. All published rows are
compared at every budget, which takes minutes, so `update_tables.py` does not do it.
"""

from __future__ import annotations

from pathlib import Path

from dabs.leaderboard.compare.foresight_text import foresight_table
from dabs.leaderboard.compare.saturation_text import saturation_table
from dabs.leaderboard.tables.render import update_between_markers

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "leaderboard" / "results"


def main() -> None:
    """Update both pages in place."""
    update_between_markers(ROOT / "docs" / "protocol.md", "foresight", foresight_table(RESULTS))
    update_between_markers(ROOT / "docs" / "budgets.md", "saturation", saturation_table(RESULTS))


if __name__ == "__main__":
    main()
