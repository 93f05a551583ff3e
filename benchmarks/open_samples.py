"""What a few minutes of pretraining give on the real samples of the suite `open`.

The samples are laid out as their publishers do and prepared like the suite itself; what stands in for what is said in
`tests/helpers/paper/open_layouts.py`. Each algorithm pretrains the small encoder for the same
minutes, which are turned into steps by timing some, and the frozen features are read by the linear probe. Cells that
are in OUT already are not repeated, so a stopped run goes on; the data is kept beside OUT. The chest radiographs need
the extra `open`.

    python benchmarks/open_samples.py OUT.jsonl --minutes 10 [--domains chest_xray english_text sensor] [--seed N]
    python benchmarks/open_samples.py OUT.jsonl --table

These are samples: the tables compare nothing with results of the whole suite.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cells import keep_cell, read_cells

from dabs.bench.step import TrainingStep
from dabs.bench.timing import seconds_of
from dabs.config import OFFICIAL_SEEDS, PretrainConfig
from dabs.data.domain import PRETRAIN, TEST, TRAIN
from dabs.data.prepare import prepare
from dabs.data.prepared import open_prepared
from dabs.encoder import PRESETS
from dabs.evaluation.evaluate import evaluate
from dabs.registry import find_algorithm, find_domain
from dabs.training.precision import resolve_precision
from dabs.training.pretrain import pretrain

ROOT = Path(__file__).resolve().parent.parent
ALGORITHMS = ("none", "emix", "shed", "contrastive")
#: The tasks whose sample has real labels and enough of them; chest_mnist's labels are completed, COCO has 71 images.
TASKS = {
    "chest_xray": ("pneumonia_mnist",),
    "english_text": ("cola", "sst2", "mrpc", "rte"),
    "natural_images": ("cifar10",),
    "sensor": ("pamap2",),
    "speech": ("audio_mnist", "spoken_command"),
}
DEFAULT_DOMAINS = ("chest_xray", "english_text", "sensor")
TIMED_STEPS = 3


def prepare_samples(home: Path, domains: Iterable[str]) -> None:
    """Lay out the samples below `home` unless they are there, and prepare some domains in it."""
    sys.path.insert(0, str(ROOT))
    from tests.helpers.paper.open_layouts import lay_out_open
    from tests.helpers.paper.samples import Samples
    from tests.helpers.places import SHARED

    real = SHARED / "data" / "paper"
    if not real.is_dir():
        raise SystemExit(f"there are no samples in {real}; DABS_SHARED names the folder that holds data/paper")
    home.mkdir(parents=True, exist_ok=True)
    data = home / "data"
    if not data.exists():
        with tempfile.TemporaryDirectory(dir=home) as folder:
            lay_out_open(Samples(origin="real", folder=real, layouts=home / "official"), Path(folder, "data"))
            Path(folder, "data").rename(data)
    os.environ |= {"DABS_HOME": str(home), "DABS_DATA_DIR": str(data)}
    for name in domains:
        tokenizer = data / ("xlm-roberta-base" if name == "multilingual_text" else "bert-base-uncased")
        os.environ["DABS_TOKENIZER"] = str(tokenizer)
        prepare(find_domain(name, "open"), datasets=(PRETRAIN, *TASKS[name]))


def steps_in(minutes: float, domain: str, algorithm: str) -> int:
    """Return how many optimiser steps of the small encoder this machine takes in some minutes."""
    if not find_algorithm(algorithm).trains:
        return 1
    found = find_domain(domain, "open")
    precision = resolve_precision("auto")
    step = TrainingStep(found.specs, find_algorithm(algorithm), PRESETS["small"], found.batch_size, precision=precision)
    step()  # the first is slower
    return max(1, int(60 * minutes / min(seconds_of(step) for _ in range(TIMED_STEPS))))


def run_cell(algorithm: str, domain: str, seed: int, minutes: float) -> dict[str, Any]:
    """Pretrain and read one cell; return its scores with intervals, and how the run went."""
    config = PretrainConfig(
        algorithm=algorithm,
        domain=domain,
        suite="open",
        encoder="small",
        seed=seed,
        steps=steps_in(minutes, domain, algorithm),
    )
    with tempfile.TemporaryDirectory() as folder:
        run = pretrain(config, Path(folder) / "run", logger="none")
        results = [item.result for item in evaluate(run, tasks=TASKS[domain], protocols=("linear",))]
    found = find_domain(domain, "open")
    learning = results[0].pretraining.learning
    return {
        "scores": {r.task: [round(x, 4) for x in (r.score, r.interval.low, r.interval.high)] for r in results},
        "steps": config.steps,
        "seconds": round(results[0].pretraining.wall_seconds, 1),
        "learning": learning.model_dump() if learning else None,
        "rows": {PRETRAIN: open_prepared(found).entry(TRAIN).rows}
        | {r.task: open_prepared(found, r.task).entry(TEST).rows for r in results},
    }


def run_all(out: Path, domains: list[str], algorithms: list[str], seed: int, minutes: float) -> None:
    """Run every cell that is not in `out`, and append it."""
    done = {(c["domain"], c["algorithm"], c["seed"], c["minutes"]) for c in read_cells(out)}
    for domain in domains:
        for algorithm in algorithms:
            if (domain, algorithm, seed, minutes) in done:
                continue
            cell: dict[str, Any] = {"domain": domain, "algorithm": algorithm, "seed": seed, "minutes": minutes}
            cell |= run_cell(algorithm, domain, seed, minutes)
            keep_cell(out, cell)
            print(f"{domain} {algorithm}: {cell['scores']}, {cell['steps']} steps in {cell['seconds']} s", flush=True)


def table(cells: list[dict[str, Any]], minutes: float) -> str:
    """Return a Markdown table of the test scores with their intervals, in points, and of the steps behind them."""
    shown = [cell for cell in cells if cell["minutes"] == minutes]
    names = [name for name in ALGORITHMS if any(cell["algorithm"] == name for cell in shown)]
    lines = [f"| domain, task | train rows | test rows | {' | '.join(names)} |", "|---|" + "---:|" * (len(names) + 2)]
    for domain in dict.fromkeys(cell["domain"] for cell in shown):
        of = {cell["algorithm"]: cell for cell in shown if cell["domain"] == domain}
        rows = next(iter(of.values()))["rows"]
        for task in TASKS[domain]:
            texts = [_interval(of[name]["scores"][task]) if name in of else "–" for name in names]
            lines.append(f"| {domain}, {task} | {rows[PRETRAIN]:,} | {rows[task]:,} | {' | '.join(texts)} |")
        steps = [f"{of[name]['steps']:,}" if name in of else "–" for name in names]
        lines.append(f"| {domain}, steps | | | {' | '.join(steps)} |")
    return "\n".join(lines)


def _interval(values: list[float]) -> str:
    score, low, high = (100 * value for value in values)
    return f"{score:.1f} [{low:.1f}, {high:.1f}]"


def main() -> None:
    """Parse the arguments, run the cells, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="of pretraining, for each cell")
    parser.add_argument("--domains", nargs="+", default=list(DEFAULT_DOMAINS), choices=TASKS)
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=ALGORITHMS)
    parser.add_argument("--seed", type=int, default=OFFICIAL_SEEDS[0])
    parser.add_argument("--table", action="store_true", help="print the table of what is done")
    options = parser.parse_args()
    if not options.table:
        prepare_samples(options.out.with_suffix(".data").resolve(), options.domains)
        run_all(options.out, options.domains, options.algorithms, options.seed, options.minutes)
    print(table(read_cells(options.out), options.minutes))


if __name__ == "__main__":
    main()
