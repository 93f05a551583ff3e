"""How many examples a second one core reads: from the publisher's files, and from prepared data.

    python benchmarks/decode.py --samples ../shared/data/paper        # the samples, completed as the tests do
    python benchmarks/decode.py --data-dir DIR --suite paper32        # real sets, a folder each

From files: decoding, resizing, spectrograms and tokens, as `dabs data prepare` does, after one pass that imports what
is needed and warms the cache. From prepared data: random batches of 64 as floats, from the mapped file and from memory.
Rates are per second of wall time, and in brackets of processor time, which others on the machine disturb less.
The number to get for a GPU that takes 2,000 examples a second: more than 2,000 over all loader processes.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
DOMAINS = ("natural_images", "sensor", "speech", "chest_xray", "captioned_images")


def one_core() -> None:
    """This process stays on the core it is on; builders then decode in it and start no others."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def counted(rows: Iterator[object], limit: int) -> int:
    """How many rows come, at most about `limit`."""
    total = 0
    for block in rows:
        total += len(block.group)  # type: ignore[attr-defined]
        if total >= limit:
            break
    return total


def per_second(work: Callable[[], int]) -> tuple[int, str]:
    """What `work` counts, and that per second of wall time (of processor time)."""
    wall, processor = time.perf_counter(), time.process_time()
    done = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return done, f"{done / wall:,.0f} ({done / processor:,.0f})"


def from_files(unit: object, limit: int) -> tuple[int, str]:
    """Rows and their rate from the files of a dataset."""
    from dabs.dataset import Workspace

    sources = {s.name: s.fetch(Path(), lambda line: None) for s in unit.sources}  # type: ignore[attr-defined]

    def build() -> Iterator[object]:
        return unit.build(Workspace(sources=sources, say=lambda line: None))  # type: ignore[attr-defined,no-any-return]

    counted(build(), limit)
    return per_second(lambda: counted(build(), limit))


def from_prepared(domain: object, dataset: str, *, mapped: bool, examples: int = 2048) -> str:
    """The rate of random batches of 64 of the training split."""
    from dabs import split as reading

    kept, reading.IN_MEMORY_BYTES = reading.IN_MEMORY_BYTES, 0 if mapped else sys.maxsize
    try:
        split = reading.Split(domain, dataset, "train", labels=False)  # type: ignore[arg-type]
    finally:
        reading.IN_MEMORY_BYTES = kept
    generator = np.random.default_rng(0)
    batches = [generator.integers(0, len(split), 64) for _ in range(examples // 64 + 2)]
    for index in batches[:2]:
        split.batch(index)
    return per_second(lambda: sum(len(split.batch(index)) for index in batches[2:]))[1]


def lay_out_samples(samples: Path, folder: Path) -> None:
    """The samples in the official layout, completed with generated files, and a tiny tokenizer."""
    sys.path.insert(0, str(ROOT))
    from tests.domains.paper.layouts import AS_THEY_ARE, LAYOUTS, lay_out
    from tests.domains.paper.texts import lay_out_text

    for name in itertools.chain(LAYOUTS, AS_THEY_ARE):
        lay_out(name, samples.resolve(), folder)
    os.environ["DABS_TOKENIZER"] = str(lay_out_text("bert-base-uncased", samples.resolve(), folder))


def measure(suite: str, domains: tuple[str, ...], limit: int) -> None:
    """Print a line for each dataset that is there."""
    from dabs.errors import DabsError
    from dabs.prepared import prepare, units_of
    from dabs.registry import domain_names, find_domain

    print("| domain | dataset | rows | from files | mapped | in memory |")
    print("|---|---|---|---|---|---|")
    for name in domains:
        if name not in domain_names(suite):
            continue
        domain = find_domain(name, suite)
        for unit in units_of(domain):
            try:
                rows, rate = from_files(unit, limit)
                prepare(domain, lambda line: None, datasets=(unit.only,))
            except DabsError as error:
                print(f"| {name} | {unit.only} | {str(error).splitlines()[0]} | | | |")
                continue
            both = [from_prepared(domain, unit.only, mapped=mapped) for mapped in (True, False)]
            print(f"| {name} | {unit.only} | {rows:,} | {rate} | {both[0]} | {both[1]} |", flush=True)


def main() -> None:
    """Parse, lay out, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--samples", type=Path, help="folder with the samples of the paper's datasets")
    place.add_argument("--data-dir", type=Path, help="folder with the datasets in their official layout")
    parser.add_argument("--suite", default="paper", choices=("paper", "paper32"))
    parser.add_argument("--domains", nargs="*", default=DOMAINS)
    parser.add_argument("--rows", type=int, default=2000, help="rows of each set at most")
    options = parser.parse_args()
    one_core()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DABS_HOME"] = str(Path(folder, "home"))
        os.environ["DABS_DATA_DIR"] = str(options.data_dir or Path(folder, "raw"))
        if options.samples:
            lay_out_samples(options.samples, Path(folder, "raw"))
        measure(options.suite, tuple(options.domains), options.rows)


if __name__ == "__main__":
    main()
