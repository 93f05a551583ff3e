"""Does each objective beat the random encoder in the domains that may choose?

Every cell pretrains an objective at the standard steps in one of three domains, and reads the frozen features by the
linear probe. Only validation scores are kept: an objective's defaults may be chosen by them, on these domains alone.
Cells that are in OUT already are not repeated, so a stopped run goes on. Options other than the defaults make a row of
their own: `mae:mask_rate=0.5`. Cells of another budget than the standard one have a table of their own.

    python benchmarks/objectives.py OUT.jsonl [--seeds 10 11] [--objectives mae red] [--domains sensor ...]
    python benchmarks/objectives.py OUT.jsonl --budget 0.25 --objectives shed ideas/mine.py:Mine:weight=0.3
    python benchmarks/objectives.py OUT.jsonl --table [--budget 0.25]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import fmean
from typing import Any

from cells import keep_cell, read_cells, validation_cell

from dabs.algorithm import defaults
from dabs.config import PretrainConfig
from dabs.registry import find_algorithm

DOMAINS = ("sensor", "natural_images", "english_text")  # those that may choose
FLOOR = "none"
OBJECTIVES = (FLOOR, "mae", "red", "vicreg", "lejepa", "lfr", "bestrq", "data2vec", "dacl", "dabs_mae", "capri")


def options_of(objective: str) -> tuple[str, dict[str, Any]]:
    """Return the algorithm and the options of a row such as `mae:mask_rate=0.5`."""
    name, _, words = objective.rpartition(":") if "=" in objective else (objective, "", "")
    known = defaults(find_algorithm(name))
    pairs = (word.split("=") for word in words.split(",") if word)
    return name, {key: type(known[key])(value) for key, value in pairs}


def run_cell(objective: str, domain: str, seed: int, precision: str, budget: float) -> dict[str, Any]:
    """Pretrain and read one cell; return its validation scores and how the run ended."""
    algorithm, options = options_of(objective)
    config = PretrainConfig(
        algorithm=algorithm,
        domain=domain,
        seed=seed,
        options=options,
        precision=precision,  # type: ignore[arg-type]
        budget=budget,
    )
    return {**validation_cell(config), "options": defaults(find_algorithm(algorithm)) | options}


def of_budget(cells: list[dict[str, Any]], budget: float) -> list[dict[str, Any]]:
    """Return the cells of one budget."""
    return [cell for cell in cells if cell["budget"] == budget]


def run_all(
    out: Path, objectives: list[str], domains: list[str], seeds: list[int], precision: str, budget: float
) -> None:
    """Run every cell that is not in `out`, and append it."""
    cells = of_budget(read_cells(out), budget)
    done = {tuple(cell[name] for name in ("objective", "domain", "seed")) for cell in cells}
    for seed in seeds:
        for domain in domains:
            for objective in objectives:
                if (objective, domain, seed) in done:
                    continue
                cell = {"objective": objective, "domain": domain, "seed": seed}
                cell |= {"precision": precision, "budget": budget}
                cell |= run_cell(objective, domain, seed, precision, budget)
                keep_cell(out, cell)
                print(cell, flush=True)


def table(cells: list[dict[str, Any]]) -> str:
    """Return a Markdown table: each row's mean validation score in points, and its lead over the random encoder."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for cell in cells:
        found.setdefault((cell["objective"], cell["domain"]), []).append(cell)
    rows = [name for name in OBJECTIVES if any(row == name for row, _ in found)]
    rows += sorted({row for row, _ in found} - set(rows))
    lines = [f"| objective | {' | '.join(DOMAINS)} |", "|---|" + "---:|" * len(DOMAINS)]
    for row in rows:
        shown = (_shown(found.get((row, domain), []), found.get((FLOOR, domain), [])) for domain in DOMAINS)
        lines.append(f"| {row} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _shown(cells: list[dict[str, Any]], floor: list[dict[str, Any]]) -> str:
    """Return the mean over tasks and seeds, the lead over the floor on the same seeds, and ✗ for runs not learned."""
    if not cells:
        return "–"
    score, cross = _mean(cells), "" if all(cell["learning"]["learned"] for cell in cells) else "✗"
    seeds = {cell["seed"] for cell in cells}
    same = [cell for cell in floor if cell["seed"] in seeds]
    lead = f" ({score - _mean(same):+.1f})" if {cell["seed"] for cell in same} == seeds and cells != floor else ""
    return f"{score:.1f}{cross}{lead}"


def _mean(cells: list[dict[str, Any]]) -> float:
    return 100 * fmean(fmean(cell["validation"].values()) for cell in cells)


def main() -> None:
    """Parse the arguments, run the cells or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES))
    parser.add_argument("--domains", nargs="+", default=list(DOMAINS), choices=DOMAINS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[10])
    parser.add_argument("--budget", type=float, default=1.0)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--table", action="store_true", help="print the table of what is done")
    options = parser.parse_args()
    if not options.table:
        run_all(options.out, options.objectives, options.domains, options.seeds, options.precision, options.budget)
    print(table(of_budget(read_cells(options.out), options.budget)))


if __name__ == "__main__":
    main()
