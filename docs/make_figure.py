"""Draw the figures of README.md and docs/ from the committed results.

    python docs/make_figure.py [--out FOLDER]

README.md has the scores by FLOPs, in light and dark. docs/results.md has the first figure of the site (`dabs
leaderboard build`), one panel per domain on one scale, and docs/budgets.md the scores by budget, both on white. Pages
embed them, so they have no texts for the mouse. The same results give the same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dabs.leaderboard.site import plots, standalone
from dabs.leaderboard.site.cost_views import cost_figures
from dabs.leaderboard.site.views import overview_view
from dabs.leaderboard.tables.aggregate import build_table, order_algorithms
from dabs.leaderboard.tables.budgets import build_budget_tables
from dabs.leaderboard.tables.render import legend
from dabs.results.files import load_results
from dabs.results.schema import Result

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "leaderboard" / "results" / "lite"
PROTOCOL = "linear"
OF_COSTS = ("budget", "flops")
IN_THEMES = ("flops",)  # drawn without a background, once for light and once for dark pages


def figures(results: list[Result]) -> Iterator[tuple[str, partial[str]]]:
    """Yield the name of each figure and what draws it in a theme; none by budget where all results are of one."""
    table = build_table([result for result in results if result.budget in (None, 1.0)], PROTOCOL)
    view = overview_view(table, [table], plots.assign_styles(table.algorithms))
    notes = [*view["notes"], *filter(None, [legend(table)])]
    yield "results", partial(standalone.draw_dots, view["plots"], view["title"], notes)
    budgets = build_budget_tables(results, PROTOCOL)
    rows = order_algorithms({*budgets.trained, *(level.algorithm for level in budgets.levels())})
    scopes = [None, *budgets.first.tasks]
    for figure in cost_figures(budgets, plots.assign_styles(rows), scopes, ""):
        if figure.kind.key in OF_COSTS:
            notes = [" ".join(filter(None, [figure.note, legend(budgets.first)]))]
            yield figure.kind.key, partial(standalone.draw_costs, figure.plots, figure.title, notes)


def main() -> None:
    """Draw all figures."""
    parser = argparse.ArgumentParser(description="Draw the figures of README.md and docs/.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of results to draw")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures", help="folder to write to")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, draw in figures(load_results(options.results)):
        for theme in standalone.THEMES if name in IN_THEMES else ("",):
            path = options.out / f"{name}{theme and '-'}{theme}.svg"
            path.write_text(standalone.without_hover(draw(theme=theme)), encoding="utf-8")
            print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
