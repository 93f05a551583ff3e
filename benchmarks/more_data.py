"""Would more pretraining data from the same sources help where ShED learns by heart?

Three domains are prepared a second time with as many pretraining rows as their sources have: english_text without the
limit of rows a source, multilingual_text without its limit and with the messages of each page in four times as many
orders, sensor with a window at every second step instead of every eighth. The rows of tasks and of validation stay.
Every cell pretrains ShED at four times the standard steps with either data. Only validation scores are kept. Cells that
are in OUT already are not repeated.

    python benchmarks/more_data.py OUT.jsonl [--domains sensor ...] [--seeds 10 11] [--budget 4]
    python benchmarks/more_data.py OUT.jsonl --table
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from statistics import fmean
from unittest.mock import patch

from cells import Cell, keep_cell, read_cells, run_cell

from dabs.config import PretrainConfig
from dabs.data.domain import TRAIN
from dabs.data.prepare import prepare
from dabs.data.prepared import open_prepared
from dabs.domains import english_text, multilingual_text, sensor
from dabs.registry import find_domain
from dabs.utils.files import data_home

DATA = ("published", "more")
NO_LIMIT = 10**9
# what is changed in the module of each domain: a dictionary, and its new value for training rows
CHANGES = {
    "english_text": [(english_text.MAX_PRETRAIN_ROWS, NO_LIMIT)],
    "multilingual_text": [
        (multilingual_text.MAX_PRETRAIN_ROWS, NO_LIMIT),
        (multilingual_text.PASSES, 4 * multilingual_text.PASSES[TRAIN]),
    ],
    "sensor": [(sensor.PRETRAIN_STRIDE, sensor.PRETRAIN_STRIDE[TRAIN] // 4)],
}


@contextmanager
def more_data(domain: str) -> Iterator[None]:
    """Use a data folder of its own, in which the domain has the larger pretraining set; prepare it if need be."""
    published = data_home()
    home = published / "more-data"
    home.mkdir(exist_ok=True)
    if not (home / "sources").exists():
        (home / "sources").symlink_to(published / "sources", target_is_directory=True)
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, DABS_HOME=str(home)))
        for values, new in CHANGES[domain]:
            stack.enter_context(patch.dict(values, {TRAIN: new}))
        prepare(find_domain(domain))
        yield


def shed_cell(domain: str, seed: int, budget: float) -> Cell:
    """Pretrain ShED and read it; return its validation scores, and its loss on training and on unseen inputs."""
    cell, pretraining = run_cell(
        PretrainConfig(algorithm="shed", domain=domain, seed=seed, precision="bf16", budget=budget)
    )
    return {
        **cell,
        "held_out": [round(loss, 4) for _, loss in pretraining.held_out],
        "training": round(pretraining.learning.ending["loss"], 4),
        "learned": pretraining.learning.learned,
        "rows": open_prepared(find_domain(domain)).entry(TRAIN).rows,
    }


def run_all(out: Path, domains: list[str], seeds: list[int], budget: float) -> None:
    """Run every cell that is not in `out`, and append it."""
    done = {tuple(cell[key] for key in ("domain", "rows_of", "seed", "budget")) for cell in read_cells(out)}
    for domain in domains:
        for seed in seeds:
            for data in DATA:
                if (domain, data, seed, budget) in done:
                    continue
                cell: Cell = {"domain": domain, "rows_of": data, "seed": seed, "budget": budget}
                with more_data(domain) if data == "more" else nullcontext():
                    cell |= shed_cell(domain, seed, budget)
                keep_cell(out, cell)
                print(cell, flush=True)


def table(cells: list[Cell]) -> str:
    """Return a Markdown table of mean validation scores in points, and of the last loss on unseen inputs."""
    found: dict[tuple[float, str, str], list[Cell]] = {}
    for cell in cells:
        found.setdefault((cell["budget"], cell["domain"], cell["rows_of"]), []).append(cell)
    lines = ["| budget | domain | data | rows | seeds | validation | loss, unseen | of training |", "|---" * 8 + "|"]
    for (budget, domain, data), group in sorted(found.items()):
        scores = [100 * fmean(cell["validation"].values()) for cell in group]
        unseen = fmean(cell["held_out"][-1] for cell in group)
        training = fmean(cell["training"] for cell in group)
        shown = f"{fmean(scores):.1f} ({', '.join(f'{score:.1f}' for score in scores)})"
        lines.append(
            f"| {budget:g} | {domain} | {data} | {group[0]['rows']:,} | {len(group)} | {shown} | {unseen:.3f} "
            f"| {training:.3f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Parse the arguments, run the cells or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--domains", nargs="+", default=list(CHANGES), choices=CHANGES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[10, 11])
    parser.add_argument("--budget", type=float, default=4.0)
    parser.add_argument("--table", action="store_true", help="print the table of what is done")
    options = parser.parse_args()
    if not options.table:
        run_all(options.out, options.domains, options.seeds, options.budget)
    print(table(read_cells(options.out)))


if __name__ == "__main__":
    main()
