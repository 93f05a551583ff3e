"""The heat map: how far each row's mean is from the random encoder's, by domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dabs.config import protocol_name
from dabs.evaluation.reference_rows import RANDOM, is_reference
from dabs.leaderboard.site import standalone
from dabs.leaderboard.site.downloads import File
from dabs.leaderboard.site.plots import short_name
from dabs.leaderboard.tables.aggregate import Table
from dabs.leaderboard.tables.ranking import is_ahead
from dabs.leaderboard.tables.render import EMPTY, FAILED, mark, name_of_all, points
from dabs.leaderboard.tables.standing import cut_name

NAMES, COLUMN, ROW, HEAD, GAP = 104, 84, 26, 40, 3  # sizes in SVG user units
DEEPEST, FULL = 0.45, 0.4  # the opacity of the strongest colour, and the difference that gets it


@dataclass(frozen=True, kw_only=True)
class HeatCell:
    """One mean: its place, its text, the class of its colour and how strong that is; `clear` if intervals are apart."""

    x: float
    y: float
    text: str
    tone: str
    opacity: float
    clear: bool
    title: str


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """A row for each algorithm and a column for each domain; `words` says the same."""

    width: float
    height: float
    columns: tuple[tuple[float, tuple[str, ...]], ...]
    rows: tuple[tuple[float, str, bool], ...]
    cells: tuple[HeatCell, ...]
    words: str
    cell_width: float = COLUMN - GAP
    cell_height: float = ROW - GAP


def layout_heat(table: Table) -> HeatMap | None:
    """Return the heat map of a table; None without the random encoder, or without any other row."""
    names = sorted((name for name in table.algorithms if name != RANDOM), key=is_reference)
    if RANDOM not in table.algorithms or not names:
        return None
    scopes = [None, *table.tasks] if len(table.counted) > 1 else [*table.tasks]
    cells, words = [], []
    for i, name in enumerate(names):
        row = [_cell(table, name, scope, NAMES + COLUMN * k, HEAD + ROW * i) for k, scope in enumerate(scopes)]
        cells += row
        words.append(f"{cut_name(name)}: {', '.join(cell.title for cell in row)}")
    return HeatMap(
        width=NAMES + COLUMN * len(scopes),
        height=HEAD + ROW * len(names),
        columns=tuple((NAMES + COLUMN * k, _heading(table, scope)) for k, scope in enumerate(scopes)),
        rows=tuple((HEAD + ROW * i, short_name(name), is_reference(name)) for i, name in enumerate(names)),
        cells=tuple(cells),
        words=f"Points above {RANDOM}. {'; '.join(words)}.",
    )


def heat_view(table: Table, name: str) -> dict[str, Any] | None:
    """Return the heat map of a table with what is said below it and its file; None where there is none."""
    heat = layout_heat(table)
    if heat is None:
        return None
    title = f"Points above the random encoder in the {table.title}, {protocol_name(table.protocol)}"
    note = (
        f"Score × 100 of each row less that of {RANDOM}, the random encoder: blue above it, orange below, the colour "
        f"full at {100 * FULL:.0f} points. Bold: the two intervals do not overlap. Differences in different domains "
        "are of different metrics and tasks."
    )
    file = File(name=f"{name}.heat.svg", text=standalone.draw_heat(heat, title, [note]))
    return {"map": heat, "title": title, "note": note, "files": [file]}


def _cell(table: Table, name: str, domain: str | None, x: float, y: float) -> HeatCell:
    own, floor = (table.overall(n) if domain is None else table.domain_mean(n, domain) for n in (name, RANDOM))
    where = domain or name_of_all(table)
    if own is None or floor is None:
        return HeatCell(x=x, y=y, text=EMPTY, tone="", opacity=0, clear=False, title=f"{where} missing")
    gain, failed = own - floor, table.has_failed(name, domain)
    text = points(gain).replace("-", "−")
    text = (text if text in ("0.0", "−0.0") or gain < 0 else f"+{text}").replace("−0.0", "0.0") + FAILED * failed
    ends = [table.overall_interval(n) if domain is None else table.domain_interval(n, domain) for n in (name, RANDOM)]
    clear = bool(ends[0] and ends[1] and (is_ahead(ends[0], ends[1]) or is_ahead(ends[1], ends[0])))
    opacity = round(DEEPEST * min(abs(gain) / FULL, 1.0), 3)
    tone = "tone-0" if gain > 0 else "tone-1"
    return HeatCell(x=x, y=y, text=text, tone=tone, opacity=opacity, clear=clear, title=f"{where} {text}")


def _heading(table: Table, domain: str | None) -> tuple[str, ...]:
    """Return the heading of a column in two lines at most."""
    words = f"{domain}{mark(table, domain)}" if domain else name_of_all(table)
    first, _, rest = words.replace("_", " ").partition(" ")
    return (first, short_name(rest)) if rest else (first,)
