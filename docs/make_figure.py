"""Draw the figure of README.md from the committed results, in light and dark.

    python docs/make_figure.py [--out FOLDER]

It is the first figure of the site (`dabs leaderboard build`): one panel per domain, all on one scale. The same results
give the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dabs.leaderboard.site import plots, standalone
from dabs.leaderboard.site.views import overview_view
from dabs.leaderboard.tables.aggregate import Table, build_table
from dabs.leaderboard.tables.render import legend
from dabs.results.files import load_results

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "leaderboard" / "results" / "lite"


def draw(table: Table, theme: str) -> str:
    """Return the figure in one theme, without a background."""
    styles = plots.assign_styles(table.algorithms)
    view = overview_view(table, [table], styles)
    notes = [*view["notes"], *filter(None, [legend(table)])]
    return standalone.draw_dots(view["plots"], view["title"], notes, theme=theme)


def main() -> None:
    """Draw both versions."""
    parser = argparse.ArgumentParser(description="Draw the figure of README.md in light and dark.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of results to draw")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures", help="folder to write to")
    options = parser.parse_args()
    standard = [result for result in load_results(options.results) if result.budget in (None, 1.0)]
    table = build_table(standard, "linear")
    options.out.mkdir(parents=True, exist_ok=True)
    for theme in standalone.THEMES:
        path = options.out / f"results-{theme}.svg"
        path.write_text(draw(table, theme), encoding="utf-8")
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
