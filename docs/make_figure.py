"""Draw the figure of README.md from the committed results, in light and dark.

    python docs/make_figure.py [--out FOLDER]

Each domain is a row and each algorithm a mark: the mean over pretraining seeds, with a small dot for each seed. The
random encoder (`none`) and the raw input (`raw`) are not algorithms and are drawn as reference lines. The same results
and the same matplotlib (the extra `dev`) give the same bytes.
"""

from __future__ import annotations

import argparse
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from dabs.evaluation.reference_rows import RANDOM, RAW, REFERENCES
from dabs.leaderboard.tables.aggregate import Table, build_table
from dabs.leaderboard.tables.render import legend, mark
from dabs.results.files import load_results

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "leaderboard" / "results" / "lite"
ALL_DOMAINS = "all domains"
LINES = {RANDOM: "random encoder (shaded: no better)", RAW: "the same probe on the input itself"}

# all lengths are in points; the page shows the figure at its own width
WIDTH, LEFT, RIGHT = 760, 172, 736
TOP, BOTTOM = 62, 48  # room for the legend above the rows and for the axis below them
LANE, ROW_GAP = 12, 15  # height of an algorithm's lane; space between two rows
LARGE, SMALL = 8.5, 3.8  # diameters of the marks of means and seeds
TEXT, NOTE = 14, 12  # font sizes
SHAPES = "osD^vP"  # circle first, as in the HTML report


@dataclass(frozen=True, kw_only=True)
class Theme:
    """The colours of one version of the figure; those of algorithms are the ones of the HTML report."""

    ink: str
    soft: str
    line: str
    wash: str
    algorithms: tuple[str, ...]


THEMES = {
    "light": Theme(
        ink="#1f2328",
        soft="#59636e",
        line="#d1d9e0",
        wash="#eef1f4",
        algorithms=("#0072b2", "#c44e00", "#00805b", "#a8457f", "#8a6a00", "#5b4fc0"),
    ),
    "dark": Theme(
        ink="#e6edf3",
        soft="#9198a1",
        line="#3d444d",
        wash="#1c232c",
        algorithms=("#56b4e9", "#f39a56", "#3cc79c", "#e699c6", "#e5c04a", "#aaa2f5"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the figure: scores in points by algorithm, the mean and those of the single seeds."""

    name: str
    means: dict[str, float]
    seeds: dict[str, list[float]]


def rows_of(table: Table) -> list[Row]:
    """Return a row for each domain and one for the mean over all domains; what is incomplete is left out."""
    rows = []
    by_seed: dict[str, list[dict[int, float]]] = {name: [] for name in table.algorithms}
    for domain in table.tasks:
        for name in table.algorithms:
            by_seed[name].append(seed_means(table, name, domain))
        means = {name: table.domain_mean(name, domain) for name in table.algorithms}
        seeds = {name: list(by_seed[name][-1].values()) for name in table.algorithms}
        rows.append(in_points(domain + mark(table, domain), means, seeds))
    overall = {name: table.overall(name) for name in table.algorithms}
    seeds = {name: list(shared_means(found).values()) for name, found in by_seed.items()}
    return [*rows, in_points(ALL_DOMAINS, overall, seeds)]


def seed_means(table: Table, algorithm: str, domain: str) -> dict[int, float]:
    """Return the mean over a domain's tasks for each seed that all of them have."""
    cells = [table.cell(algorithm, domain, task) for task in table.tasks[domain]]
    return shared_means([dict(zip(cell.seeds, cell.scores, strict=True)) if cell else {} for cell in cells])


def shared_means(scores: list[dict[int, float]]) -> dict[int, float]:
    """Return the mean of some scores for each seed that all of them have."""
    shared = set.intersection(*(set(found) for found in scores))
    return {seed: statistics.fmean(found[seed] for found in scores) for seed in sorted(shared)}


def in_points(name: str, means: dict[str, float | None], seeds: dict[str, list[float]]) -> Row:
    """Return a row with scores times 100."""
    return Row(
        name=name,
        means={algorithm: 100 * value for algorithm, value in means.items() if value is not None},
        seeds={algorithm: [100 * value for value in values] for algorithm, values in seeds.items()},
    )


def in_words(rows: list[Row]) -> str:
    """Return every number of the figure as text, which the file carries as its description."""
    lines = []
    for row in rows:
        parts = [
            f"{name} {mean:.1f} (seeds {', '.join(f'{value:.1f}' for value in row.seeds[name])})"
            for name, mean in row.means.items()
        ]
        lines.append(f"{row.name}: {'; '.join(parts)}.")
    return "\n".join(lines)


def draw(table: Table, theme: Theme) -> Figure:
    """Return the figure in one theme, without a background."""
    rows = rows_of(table)
    learned = [name for name in table.algorithms if name not in REFERENCES]
    height_of_row = LANE * len(learned) + ROW_GAP
    bottom = TOP + height_of_row * len(rows)
    height = bottom + BOTTOM
    values = [value for row in rows for name in row.means for value in (row.means[name], *row.seeds[name])]
    low, high = 10 * math.floor(min(values) / 10), 10 * math.ceil(max(values) / 10)

    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.set_axis_off()

    def place(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    def say(x: float, y: float, text: str, size: float = TEXT, colour: str = theme.ink, align: str = "left") -> None:
        axes.text(x, y, text, fontsize=size, color=colour, ha=align, va="baseline")

    def line(xs: tuple[float, float], ys: tuple[float, float], colour: str, width: float, style: Any = "-") -> None:
        axes.add_line(Line2D(xs, ys, color=colour, linewidth=width, linestyle=style, solid_capstyle="butt"))

    def dot(x: float, y: float, name: str, size: float) -> None:
        i = learned.index(name)
        shape, colour = SHAPES[i % len(SHAPES)], theme.algorithms[i % len(theme.algorithms)]
        size *= 0.87 if shape == "D" else 1  # a diamond of the same size looks larger
        axes.add_line(Line2D((x,), (y,), color=colour, marker=shape, markersize=size, markeredgewidth=0))

    def reference(name: str, x: float, top: float, low: float) -> None:
        style = "-" if name == RANDOM else (0, (3, 2.2))
        line((x, x), (top, low), theme.ink if name == RAW else theme.soft, 2, style)

    # behind everything: what is no better than the random encoder, and the grid
    for i, row in enumerate(rows):
        if RANDOM in row.means:
            top = TOP + i * height_of_row + ROW_GAP / 2
            width = place(row.means[RANDOM]) - LEFT
            axes.add_patch(Rectangle((LEFT, top), width, height_of_row - ROW_GAP, color=theme.wash, linewidth=0))
    for tick in range(low, high + 1, 10):
        line((place(tick), place(tick)), (TOP, bottom), theme.line, 0.75)
        say(place(tick), bottom + 18, str(tick), NOTE, theme.soft, "center")
    separator = bottom - height_of_row
    line((10, RIGHT), (separator, separator), theme.line, 1.25)

    for i, row in enumerate(rows):
        top = TOP + i * height_of_row + ROW_GAP / 2
        low_end = top + height_of_row - ROW_GAP
        say(10, (top + low_end) / 2 + 5, row.name)
        for name in LINES:
            if name in row.means:
                reference(name, place(row.means[name]), top - 2, low_end + 2)
        for lane, name in enumerate(learned):
            y = top + LANE * (lane + 0.5)
            for value in row.seeds[name]:
                dot(place(value), y, name, SMALL)
            if name in row.means:
                dot(place(row.means[name]), y, name, LARGE)

    x = 14.0
    for name in learned:
        dot(x, 17, name, LARGE)
        say(x + 10, 22, name)
        x += 36 + 7.4 * len(name)
    say(x, 22, "large: mean, small: each seed", NOTE, theme.soft)
    x = 14.0
    for name, words in LINES.items():
        reference(name, x, 37, 53)
        say(x + 10, 50, name)
        say(x + 18 + 8.4 * len(name), 50, words, NOTE, theme.soft)
        x += 310
    label = "score × 100, linear probe, mean of a domain's tasks; higher is better"
    say((LEFT + RIGHT) / 2, bottom + 37, label, NOTE, theme.soft, "center")
    for i, words in enumerate(legend(table).split(", ")):
        say(10, bottom + 18 + 19 * i, words, NOTE, theme.soft)
    return figure


def write(out: Path) -> list[Path]:
    """Write `results-light.svg` and `results-dark.svg` into a folder; return their paths."""
    table = build_table(load_results(RESULTS), "linear")
    settings = {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "dabs",  # ids that do not change
        "font.family": ["sans-serif"],
        "font.sans-serif": ["DejaVu Sans"],
    }
    paths = [out / f"results-{name}.svg" for name in THEMES]
    out.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(settings):
        for theme, path in zip(THEMES.values(), paths, strict=True):
            about = {"Title": "Results of the lite suite", "Description": in_words(rows_of(table)), "Date": None}
            draw(table, theme).savefig(path, format="svg", transparent=True, metadata=about)
    return paths


def main() -> None:
    """Draw both versions."""
    parser = argparse.ArgumentParser(description="Draw the figure of README.md in light and dark.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures", help="folder to write to")
    for path in write(parser.parse_args().out):
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
