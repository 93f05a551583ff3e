"""What each part of the small encoder's recipe contributes.

Every cell pretrains an algorithm with one part of the recipe taken away, in one of three domains, and reads the frozen
features by the linear probe. Only validation scores are kept: the recipe was chosen by them, on these domains. Cells
that are in OUT already are not repeated, so a stopped run goes on.

    python benchmarks/recipe.py OUT.jsonl [--seeds 10 11] [--algorithms shed] [--domains sensor ...]
    python benchmarks/recipe.py OUT.jsonl --table
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from cells import keep_cell, read_cells, validation_cell

from dabs import encoder
from dabs.config import PretrainConfig

DOMAINS = ("sensor", "natural_images", "english_text")  # those that chose the recipe
WITHOUT: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "raw inputs, not standardised": {"standardise": False},
    "learned positions of deviation 1": {"sinusoids": 0.0},
    "no rotary positions": {"rotary": False},
    "default initialisation of attention": {"mimetic": False},
    "token table of deviation 1": {"token_scale": 1.0},
    "[CLS] of deviation 1": {"cls_scale": 1.0},
    "AdamW's beta2 0.999": {"beta2": 0.999},
    "none of these": {
        "standardise": False,
        "sinusoids": 0.0,
        "rotary": False,
        "mimetic": False,
        "token_scale": 1.0,
        "cls_scale": 1.0,
        "beta2": 0.999,
    },
}


def run_cell(algorithm: str, domain: str, seed: int, change: dict[str, Any]) -> dict[str, Any]:
    """Pretrain and read one cell; return its validation scores and how the run ended."""
    preset = encoder.PRESETS["small"]
    encoder.PRESETS["small"] = replace(preset, **{name: x for name, x in change.items() if name != "beta2"})
    beta2 = change.get("beta2", 0.0)
    try:
        return validation_cell(
            PretrainConfig(algorithm=algorithm, domain=domain, seed=seed, beta2=beta2, precision="fp32")
        )
    finally:
        encoder.PRESETS["small"] = preset


def run_all(out: Path, algorithms: list[str], domains: list[str], seeds: list[int]) -> None:
    """Run every cell that is not in `out`, and append it."""
    done = {tuple(cell[name] for name in ("without", "algorithm", "domain", "seed")) for cell in read_cells(out)}
    for seed in seeds:
        for domain in domains:
            for algorithm in algorithms:
                for name, change in WITHOUT.items():
                    if (name, algorithm, domain, seed) in done or (name.startswith("token") and "text" not in domain):
                        continue
                    cell = {"without": name, "algorithm": algorithm, "domain": domain, "seed": seed}
                    cell |= run_cell(algorithm, domain, seed, change)
                    keep_cell(out, cell)
                    print(cell, flush=True)


def table(cells: list[dict[str, Any]]) -> str:
    """Return a Markdown table: the mean validation score of each domain's tasks, over seeds, in points."""
    scores: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for cell in cells:
        scores[cell["algorithm"], cell["without"], cell["domain"]].append(100 * fmean(cell["validation"].values()))
    lines = [f"| algorithm | in place of the recipe | {' | '.join(DOMAINS)} |", "|---|---|" + "---:|" * len(DOMAINS)]
    for algorithm in sorted({cell["algorithm"] for cell in cells}):
        for name in WITHOUT:
            found = [scores.get((algorithm, name, domain), []) for domain in DOMAINS]
            if any(found):
                lines.append(f"| {algorithm} | {name} | {' | '.join(map(_mean_and_spread, found))} |")
    return "\n".join(lines)


def _mean_and_spread(values: list[float]) -> str:
    if not values:
        return "–"
    spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{fmean(values):.1f}{spread}"


def main() -> None:
    """Parse the arguments, run the cells or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--algorithms", nargs="+", default=["shed"])
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS), choices=DOMAINS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    parser.add_argument("--table", action="store_true", help="print the table of what is done")
    options = parser.parse_args()
    if not options.table:
        run_all(options.out, options.algorithms, options.domains, options.seeds)
    print(table(read_cells(options.out)))


if __name__ == "__main__":
    main()
