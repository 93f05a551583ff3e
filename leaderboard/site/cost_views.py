"""What pages show of budgets and costs: figures of curves, and their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dabs.config import protocol_name
from dabs.evaluation.reference_rows import SUPERVISED, is_reference
from dabs.leaderboard.site import standalone
from dabs.leaderboard.site.cost_plots import KINDS, CostKind, CostPlot, layout_costs
from dabs.leaderboard.site.downloads import File, Sheet, SheetLine, Value
from dabs.leaderboard.site.plots import MarkerStyle
from dabs.leaderboard.tables.budget_text import budget_text, describe_machine
from dabs.leaderboard.tables.budgets import BudgetTables
from dabs.leaderboard.tables.render import COVERS, EMPTY, FAILED, name_of_all

Scopes = Sequence[str | None]  # domains, and None for all of them


@dataclass(frozen=True, kw_only=True)
class CostFigure:
    """A figure of one kind: its panels, what is said below them, and its files."""

    kind: CostKind
    title: str
    plots: tuple[CostPlot, ...]
    note: str
    files: tuple[File, ...]


def cost_figures(
    budgets: BudgetTables, styles: Mapping[str, MarkerStyle], scopes: Scopes, name: str, of: str = ""
) -> list[CostFigure]:
    """Return the figures of some domains: by budget if there are several, by seconds and by FLOPs if any are known.

    Args:
        budgets: the tables of one protocol.
        styles: of the rows to draw.
        scopes: a panel for each.
        name: of the files, without the kind and the ending.
        of: what the figures are of, for their titles; the suite by default.
    """
    figures = []
    sheet = costs_sheet(budgets, styles, scopes, f"{name}.costs")  # the numbers behind all of them
    for kind in KINDS:
        found = [layout_costs(budgets, kind, styles, scope) for scope in scopes]
        plots = tuple(plot for plot in found if plot)
        if not plots or (kind.key == "budget" and len(budgets.tables) < 2):
            continue
        where = of or f"the {budgets.first.suite} suite"
        title = f"{kind.heading} in {where}, {protocol_name(budgets.first.protocol)}"
        note = _note(budgets, kind, styles, scopes)
        drawing = File(name=f"{name}.{kind.key}.svg", text=standalone.draw_costs(plots, title, [note]))
        figures.append(CostFigure(kind=kind, title=title, plots=plots, note=note, files=(drawing, *sheet.files)))
    return figures


def _note(budgets: BudgetTables, kind: CostKind, styles: Mapping[str, MarkerStyle], scopes: Scopes) -> str:
    """Return how a figure is read and what it leaves out."""
    drawn = [point for scope in scopes for name in styles for point in budgets.points(name, scope)]
    words = [
        "Score × 100, higher is better; each panel has a scale of its own. Level lines are rows without pretraining, "
        f"bars 95 % intervals over {COVERS}."
    ]
    if SUPERVISED in styles and SUPERVISED in budgets.trained:
        words.append(f"Hollow marks are {SUPERVISED}, whose cost is the sum over its tasks.")
    if kind.key == "budget":
        words.append("Rows of the same budget stand side by side.")
    else:
        words.append(
            "The dashed front joins the ringed points: no other scores as high for less. It goes by means and is no "
            f"test. A point has to exceed every row that costs nothing, and {SUPERVISED} takes no part."
        )
    if kind.key == "seconds":
        words.append(describe_machine(budgets))
    unknown = sum(kind.value(point) is None for point in drawn)
    if unknown:
        words.append(f"Of {len(drawn)} points, {unknown} are left out, because this cost of them is unknown.")
    if any(point.failed for point in drawn):
        words.append(f"Crossed marks and {FAILED}: includes a run that did not learn.")
    return " ".join(words)


def costs_sheet(budgets: BudgetTables, styles: Mapping[str, MarkerStyle], scopes: Scopes, name: str) -> Sheet:
    """Return the numbers behind the figures as a table to download."""
    lines: list[SheetLine] = []
    for scope in scopes:
        own = _lines_of(budgets, styles, scope)
        lines += sorted(own, key=lambda line: line.reference)
    heads = ("domain", "algorithm", "budget", "seconds", "FLOPs")
    caption = f"Scores and costs at {', '.join(map(budget_text, budgets.tables))} the standard steps"
    return Sheet(name=name, caption=caption, texts=heads, values=("score",), lines=tuple(lines))


def _lines_of(budgets: BudgetTables, styles: Mapping[str, MarkerStyle], scope: str | None) -> Iterator[SheetLine]:
    where = scope or name_of_all(budgets.first)
    for level in budgets.levels(scope):
        if level.algorithm in styles:
            value = Value(value=level.score, ends=level.interval)
            yield SheetLine(texts=(where, level.algorithm, *[EMPTY] * 3), values=(value,), reference=True)
    for name in budgets.trained:
        for point in budgets.points(name, scope) if name in styles else ():
            texts = (where, name, f"{point.budget:g}", _plain(point.cost.seconds), _plain(point.cost.flops))
            value = Value(value=point.score, ends=point.interval, failed=point.failed)
            yield SheetLine(texts=texts, values=(value,), reference=is_reference(name))


def _plain(cost: float | None) -> str:
    return EMPTY if cost is None else f"{cost:.6g}"
