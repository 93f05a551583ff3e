"""Whether more steps still help: the table of docs."""

from __future__ import annotations

from pathlib import Path

from dabs.evaluation.reference_rows import SUPERVISED
from dabs.leaderboard.compare.contestants import load_contestants
from dabs.leaderboard.compare.saturation import Gain, HeldOut, Saturation, find_saturation
from dabs.leaderboard.tables.aggregate import order_algorithms
from dabs.leaderboard.tables.budget_text import budget_text
from dabs.leaderboard.tables.render import EMPTY, plain_markdown
from dabs.results.entries import read_entries

PROTOCOL = "linear"


def saturation_table(results: Path) -> str:
    """Return the Markdown table of what each budget adds, or a sentence where there is only one.

    Args:
        results: a folder of result files.

    Raises:
        RequestError, DabsError: the results cannot be compared.
    """
    budgets = read_entries(results).budgets() if results.is_dir() else []
    if len(budgets) < 2:
        return "The published results are of one budget, so this is not known."
    return saturation_markdown(find_saturation(load_contestants([str(results)], PROTOCOL)))


def saturation_markdown(found: Saturation) -> str:
    """Return the Markdown table of some differences."""
    steps = [f"{budget_text(small)} → {budget_text(large)}" for small, large in found.gains]
    heads = ["domain", "row", *steps, f"less {SUPERVISED}", "rise", "gap"]
    lines = [f"| {' | '.join(heads)} |", f"|---|---|{'---:|' * (len(heads) - 2)}"]
    cells = {cell for gains in found.gains.values() for cell in gains} | {*found.reached}
    for domain in sorted({domain for domain, _ in cells}):
        for row in order_algorithms({name for own, name in cells if own == domain}):
            key = (domain, row)
            texts = [_gain_text(gains.get(key)) for gains in found.gains.values()]
            texts += [_gain_text(found.reached.get(key)), *_held_out_texts(found.held_out.get(key))]
            name = f"*{row}*" if row == SUPERVISED else plain_markdown(row)
            lines.append(f"| {plain_markdown(domain)} | {name} | {' | '.join(texts)} |")
    note = (
        "Linear probe, mean of each domain × 100. An arrow: the row at the larger budget less the same row at the "
        f"smaller. Less {SUPERVISED}: the row less the supervised encoder, both at the row's largest budget. Bold "
        "where `dabs compare` tells the two apart, with Holm's correction over the column. Rise: the loss on unseen "
        "inputs at the end of a run over its lowest value in the five checks of the run, at the row's largest budget; "
        "bold above 1.05, where the run learns by heart. Gap: the same loss over the training loss of the last steps."
    )
    return "\n".join([*lines, "", note])


def _gain_text(gain: Gain | None) -> str:
    if gain is None:
        return EMPTY
    text = f"{100 * gain.difference.value:+.1f}".replace("-", "−")
    return text if gain.verdict == "tie" else f"**{text}**"


def _held_out_texts(held_out: HeldOut | None) -> tuple[str, str]:
    if held_out is None:
        return EMPTY, EMPTY
    rise = f"{held_out.rise:.2f}"
    return f"**{rise}**" if held_out.by_heart else rise, f"{held_out.gap:.2f}"
