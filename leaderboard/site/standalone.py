"""Figures as SVG files: the panels of a page side by side, with a title."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from dabs.leaderboard.site.curves import CurvePanel
from dabs.leaderboard.site.plots import WIDTH, DotPlot
from dabs.leaderboard.site.templating import read_asset, template_environment

if TYPE_CHECKING:
    from dabs.leaderboard.site.comparison_figure import ComparisonPlot
    from dabs.leaderboard.site.cost_plots import CostPlot
    from dabs.leaderboard.site.heat import HeatMap

MARGIN, GAP = 16, 28  # around the figure and between its panels
TITLE, HEAD, NOTE = 34, 24, 17  # heights of the figure's title, of a panel's title and of a line of notes
CURVE_WIDTH, CURVE_HEIGHT = 148, 104  # as drawn by figures.html.j2
LETTER = 6.3  # width of a letter of the notes, generously
THEMES = ("light", "dark")
# what answers the mouse; the title and the description of the whole figure stand on lines of their own
HOVER = re.compile(r"(?<=>)<title>[^<]*</title>|<path class=\"hit\"[^>]*/>")
OWN_RULES = (
    *("svg text", "svg .", ".rule", ".chance", ".floor", ".interval", ".seed", ".dot", ".curve", ".reference"),
    *(".series", ".whisker", ".cross", ".front", ".flat", ".heat", ".zero"),
)


class Panel(Protocol):
    """What a figure is made of; `words` says the same for those who do not see it."""

    @property
    def words(self) -> str:
        """What the panel shows."""


@dataclass(frozen=True, kw_only=True)
class PlacedPanel:
    """A panel, where it is in the figure, its title, and the macro of figures.html.j2 that draws it."""

    x: float
    y: float
    title: str
    macro: str
    panel: Panel


def draw_dots(plots: Sequence[DotPlot], title: str, notes: Sequence[str], *, columns: int = 2, theme: str = "") -> str:
    """Return a figure of dot plots as an SVG file.

    Args:
        plots: the panels, row by row.
        title: the heading of the figure.
        notes: sentences below it, which are wrapped to its width.
        columns: the number of panels in a row, at most.
        theme: "light" or "dark", which has no background; by default black on white, for print.
    """
    panels = [(plot.title, "dot_panel", plot, plot.height) for plot in plots]
    return _draw(panels, WIDTH, title, notes, columns, theme)


def draw_curves(panels: Sequence[tuple[str, CurvePanel]], title: str, notes: Sequence[str], *, columns: int = 4) -> str:
    """Return a figure of learning curves, each with its title, as an SVG file; as `draw_dots`."""
    found = [(name, "curve_panel", panel, CURVE_HEIGHT) for name, panel in panels]
    return _draw(found, CURVE_WIDTH, title, notes, columns, "")


def draw_costs(
    plots: Sequence[CostPlot], title: str, notes: Sequence[str], *, columns: int = 2, theme: str = ""
) -> str:
    """Return a figure of scores by cost as an SVG file; as `draw_dots`."""
    panels = [(plot.title, "cost_panel", plot, plot.height) for plot in plots]
    return _draw(panels, WIDTH, title, notes, columns, theme)


def draw_heat(heat: HeatMap, title: str, notes: Sequence[str]) -> str:
    """Return a heat map as an SVG file; as `draw_dots`."""
    return _draw([("", "heat_panel", heat, heat.height)], heat.width, title, notes, 1, "")


def draw_comparison(plot: ComparisonPlot, width: float, title: str, notes: Sequence[str]) -> str:
    """Return the figure of a comparison as an SVG file; as `draw_dots`."""
    return _draw([("", "comparison_panel", plot, plot.height)], width, title, notes, 1, "")


def _draw(
    panels: Sequence[tuple[str, str, Panel, float]],
    panel_width: float,
    title: str,
    notes: Sequence[str],
    columns: int,
    theme: str,
) -> str:
    columns = min(columns, len(panels))
    width = max(2 * MARGIN + columns * panel_width + (columns - 1) * GAP, 2 * MARGIN + WIDTH)
    placed, y = [], float(MARGIN + TITLE)
    for start in range(0, len(panels), columns):
        row = panels[start : start + columns]
        for i, (name, macro, panel, _) in enumerate(row):
            x = MARGIN + i * (panel_width + GAP)
            placed.append(PlacedPanel(x=x, y=y, title=name, macro=macro, panel=panel))
        y += HEAD + max(height for *_, height in row) + GAP / 2
    lines = [line for note in notes for line in textwrap.wrap(note, int((width - 2 * MARGIN) / LETTER))]
    values = {
        "title": title,
        "placed": placed,
        "notes": [(MARGIN, y + NOTE * (i + 1), line) for i, line in enumerate(lines)],
        "width": width,
        "height": y + NOTE * len(lines) + MARGIN,
        "style": _style(theme or "light"),
        "background": not theme,
        "margin": MARGIN,
    }
    return template_environment().get_template("figure.svg.j2").render(values)


def without_hover(figure: str) -> str:
    """Return a figure without what answers the mouse, which a picture that a page embeds does not see."""
    return HOVER.sub("", figure)


@cache
def _style(theme: str) -> str:
    """Return the rules of the site's style sheet for figures, with this theme's colours in place of variables."""
    sheet = read_asset("style.css")
    blocks = {"light": r":root \{(.*?)\}", "dark": r':root\[data-theme="dark"\] \{(.*?)\}'}
    found = re.search(blocks[theme], sheet, re.S)
    assert found  # noqa: S101 - the style sheet is the package's own, and a test draws both themes
    colours = dict(re.findall(r"--([\w-]+): ([^;]+);", found[1]))
    rules = [line.strip() for line in sheet.splitlines() if line.startswith((*OWN_RULES, ".tone-"))]
    text = "\n".join(rules).replace("font-family: inherit", "font-family: sans-serif")
    return re.sub(r"var\(--([\w-]+)\)", lambda name: colours[name[1]], text)
