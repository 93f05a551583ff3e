"""Whether the standard budget tells what a long run finds: the table of docs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dabs.config import without_budget
from dabs.evaluation.reference_rows import RANDOM, WITHOUT_ENCODER, is_reference
from dabs.leaderboard.compare.contestants import load_contestants
from dabs.leaderboard.compare.foresight import PairOrder, foresight_of, pair_orders
from dabs.leaderboard.compare.pairwise import compare_contestants
from dabs.leaderboard.tables.render import EMPTY, plain_markdown
from dabs.results.entries import read_entries

SMALL, LARGE = 1.0, 10.0  # the budgets that are compared
PROTOCOL = "linear"


def foresight_table(results: Path) -> str:
    """Return the Markdown table of Kendall's tau between the orders at the two budgets, by domain and over all.

    Args:
        results: a folder of result files.

    Raises:
        RequestError, DabsError: the results cannot be compared.
    """
    budgets = read_entries(results).budgets() if results.is_dir() else []
    if not {SMALL, LARGE} <= set(budgets):
        return f"The published results are not yet of budget {LARGE:g}, so this is not known."
    at = [load_contestants([str(results)], PROTOCOL, budget=budget) for budget in (SMALL, LARGE)]
    # a row of one budget alone would only add to the correction of the others' tests
    shared = set.intersection(*({without_budget(one.name) for one in found} for found in at))
    small, large = (compare_contestants([one for one in found if without_budget(one.name) in shared]) for found in at)
    return foresight_markdown(pair_orders(small, large, flat=(RANDOM, *WITHOUT_ENCODER)))


def foresight_markdown(pairs: Sequence[PairOrder]) -> str:
    """Return the Markdown table of some pairs of rows."""
    heads = ["domain", "pairs", "told apart at both", f"only at {SMALL:g}", f"only at {LARGE:g}", "tau"]
    lines = [f"| {' | '.join(heads)} | pairs that change places |", f"|---|{'---:|' * (len(heads) - 1)}---|"]
    for domain in sorted({pair.domain for pair in pairs}):
        own = [pair for pair in pairs if pair.domain == domain]
        lines.append(_row(plain_markdown(domain), own))
    lines.append(_row("**all domains**", pairs, changed=False))
    alone = [pair for pair in pairs if not is_reference(pair.a) and not is_reference(pair.b)]
    if 0 < len(alone) < len(pairs):
        lines.append(_row("all domains, algorithms alone", alone, changed=False))
    note = (
        f"Kendall's tau between the orders at budget {SMALL:g} and {LARGE:g} (linear probe), over the pairs of rows, "
        "at least one of them pretrained, that `dabs compare` tells apart at both; at 1, none changes places. "
        "Intervals at 95 %: by domain as if pairs were independent, over all by drawing domains. Algorithms alone: "
        "without the pairs of which one is a reference row."
    )
    return "\n".join([*lines, "", note])


def _row(name: str, pairs: Sequence[PairOrder], *, changed: bool = True) -> str:
    found = foresight_of(pairs)
    only_small = sum(pair.small != "tie" and pair.large == "tie" for pair in pairs)
    only_large = sum(pair.small == "tie" and pair.large != "tie" for pair in pairs)
    named = "; ".join(f"{pair.a}, {pair.b}" for pair in pairs if pair.changed and changed)
    tau = EMPTY
    if found.tau is not None and found.low is not None and found.high is not None:
        tau = f"{found.tau:.2f} ({found.low:.2f} to {found.high:.2f})".replace("-", "−")
    counts = f"{found.pairs} | {found.told_apart} | {only_small} | {only_large}"
    return f"| {name} | {counts} | {tau} | {plain_markdown(named)} |"
