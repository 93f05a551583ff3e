"""The layout of learning curves: one small panel per algorithm and domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dabs.leaderboard.site.plots import MarkerStyle

PANEL_WIDTH, PANEL_HEIGHT = 106, 84


@dataclass(frozen=True, kw_only=True)
class CurvePanel:
    """Training loss of one algorithm in one domain: one line (SVG path data) per run, on a scale of its own.

    `words` says what it shows.
    """

    style: MarkerStyle
    lines: tuple[tuple[str, str], ...]
    top: str
    bottom: str
    steps: str
    words: str


def layout_curve_panel(
    curves: Mapping[str, Sequence[tuple[int, float]]], domain: str, style: MarkerStyle
) -> CurvePanel | None:
    """Return the panel of one algorithm's learning curves in one domain; None without a curve of two points.

    Args:
        curves: the name of a run -> (step, loss) pairs.
        domain: the domain's name.
        style: how the algorithm is drawn.
    """
    drawn = {name: curve for name, curve in curves.items() if len(curve) > 1}
    if not drawn:
        return None
    losses = [loss for curve in drawn.values() for _, loss in curve]
    last = max(curve[-1][0] for curve in drawn.values())
    low, high = min(losses), max(losses)
    span = (high - low) or 1.0

    count = f"{len(drawn)} run{'s' if len(drawn) > 1 else ''}"
    return CurvePanel(
        style=style,
        lines=tuple((name, _curve_path(curve, last, low, span)) for name, curve in drawn.items()),
        top=f"{high:.3g}",
        bottom=f"{low:.3g}",
        steps=f"{last:,}",
        words=f"Training loss of {style.algorithm} on {domain}, {count}: between {high:.3g} and {low:.3g}",
    )


def _curve_path(curve: Sequence[tuple[int, float]], last: int, low: float, span: float) -> str:
    """Return a curve as SVG path data: steps 0..last from left to right, losses low..low+span from bottom to top."""
    height = PANEL_HEIGHT - 6
    xy = [(PANEL_WIDTH * step / last, PANEL_HEIGHT - 3 - height * (loss - low) / span) for step, loss in curve]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in xy)
