"""How fast one core reads examples from source files and from prepared data.

    python benchmarks/decode.py                                       # synthetic prepared rows of every paper domain
    python benchmarks/decode.py --samples ../shared/data/paper        # also sample files, completed as in the tests
    python benchmarks/decode.py --data-dir DIR --suite paper32        # also real datasets, a folder each

From files: decoding, resizing, spectrograms and tokens, as in `dabs data prepare`, after one pass that imports what is
needed and warms the cache. From prepared data: random batches of 256 from a mapped file in the page cache, in their
stored types as a GPU gets them, and as floats made on the CPU. Rates are per second of wall time, and in brackets per
second of processor time, which other programs disturb less.

Expected for a GPU that trains 20,000 examples per second: as many rows as stored, from at most two cores.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from reporting import parser_of, publish

from dabs.bench.reading import reading_rates
from dabs.bench.synthetic import synthetic_domain, synthetic_rows
from dabs.bench.timing import TimingTable
from dabs.data.domain import Workspace
from dabs.data.prepared import units_of
from dabs.errors import DabsError
from dabs.registry import domain_names, find_domain

ROOT = Path(__file__).parents[1]
WANTED = 20_000  # examples per second that a GPU trains on the smallest inputs
TOKENIZERS = {
    "captioned_images": "bert-base-uncased",
    "english_text": "bert-base-uncased",
    "multilingual_text": "xlm-roberta-base",
}

SAMPLES = """
The files are samples of the datasets, some of them completed with generated ones, and the tokenizers have 3,000 and
4,000 pieces instead of 30,522 and 250,002: a real dataset may be read at another rate.
"""


def use_one_core() -> None:
    """Keep this process on one core; builders then decode in it and start no others."""
    torch.set_num_threads(1)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def count_rows(rows: Iterator[object], limit: int) -> int:
    """Read about `limit` rows, or all if there are fewer, and return how many."""
    total = 0
    for block in rows:
        total += len(block.group)  # type: ignore[attr-defined]
        if total >= limit:
            break
    return total


def rate_of(work: Callable[[], int]) -> tuple[int, str]:
    """Return what `work` counts, and that number per second of wall time (of processor time)."""
    wall, processor = time.perf_counter(), time.process_time()
    done = work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return done, f"{done / wall:,.0f} ({done / processor:,.0f})"


def from_files(unit: object, limit: int) -> tuple[int, str]:
    """Return how many rows of a dataset were read from its files, and the rate."""
    sources = {s.name: s.fetch(Path(), lambda line: None) for s in unit.sources}  # type: ignore[attr-defined]

    def build() -> Iterator[object]:
        return unit.build(Workspace(sources=sources, say=lambda line: None))  # type: ignore[attr-defined,no-any-return]

    count_rows(build(), limit)
    return rate_of(lambda: count_rows(build(), limit))


def lay_out_samples(samples: Path, folder: Path) -> dict[str, Path]:
    """Lay the samples out as published, completed with generated files; return a tiny tokenizer for each domain."""
    sys.path.insert(0, str(ROOT))
    from tests.helpers.paper import texts
    from tests.helpers.paper.layouts import AS_THEY_ARE, LAYOUTS, lay_out

    for name in itertools.chain(LAYOUTS, AS_THEY_ARE):
        lay_out(name, samples.resolve(), folder)
    for name in texts.LAYOUTS:
        texts.lay_out_text(name, samples.resolve(), folder)
    return {domain: texts.lay_out_text(name, samples.resolve(), folder) for domain, name in TOKENIZERS.items()}


def files_table(suite: str, domains: Sequence[str], limit: int, tokenizers: Mapping[str, Path]) -> TimingTable:
    """Return a table with a row for each dataset; one that cannot be read says why."""
    rows = []
    for name in domains:
        domain = find_domain(name, suite)
        if name in tokenizers:
            os.environ["DABS_TOKENIZER"] = str(tokenizers[name])
        for unit in units_of(domain):
            try:
                count, rate = from_files(unit, limit)
                rows.append((name, unit.only, f"{count:,}", rate))
            except DabsError as error:
                rows.append((name, unit.only, str(error).splitlines()[0], ""))
    return TimingTable(
        title="rows per second from files, one core", columns=("domain", "dataset", "rows", "rate"), rows=rows
    )


def prepared_table(suite: str, megabytes: int, rounds: int) -> TimingTable:
    """Return a table with a row for each domain, measured on `megabytes` of synthetic rows."""
    rows = []
    for name in domain_names(suite):
        specs = find_domain(name, suite).specs
        pixels = np.float16 if name == "speech" else np.uint8  # spectrograms are stored as float16
        size = sum(x.nbytes for x in synthetic_rows(specs, 1, pixels=pixels))
        with synthetic_domain(specs, max(256, megabytes * 1_000_000 // size), pixels=pixels) as domain:
            _, stored, floats = reading_rates(domain, rounds)
        cores = f"{WANTED / stored:.2f}"
        rows.append((name, f"{size:,}", f"{stored:,.0f}", f"{stored * size / 1e9:.1f}", f"{floats:,.0f}", cores))
    columns = ("domain", "bytes per example", "as stored", "GB/s", "as floats", f"cores for {WANTED:,}/s")
    return TimingTable(title="rows per second from prepared data, one core", columns=columns, rows=rows)


def main() -> None:
    """Parse, lay out files, measure."""
    parser = parser_of(__doc__)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--samples", type=Path, help="folder with samples of the paper's datasets")
    place.add_argument("--data-dir", type=Path, help="folder with the datasets as published")
    parser.add_argument("--suite", default="paper", choices=("paper", "paper32"))
    parser.add_argument("--domains", nargs="*", help="default: all of the suite")
    parser.add_argument("--rows", type=int, default=2000, help="how many rows of each dataset to read")
    options = parser.parse_args()
    use_one_core()
    tables = [prepared_table(options.suite, 2 if options.quick else 256, 1 if options.quick else 5)]
    if options.samples or options.data_dir:
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DABS_HOME"] = str(Path(folder, "home"))
            os.environ["DABS_DATA_DIR"] = str(options.data_dir or Path(folder, "raw"))
            tokenizers = lay_out_samples(options.samples, Path(folder, "raw")) if options.samples else {}
            domains = options.domains or domain_names(options.suite)
            tables.append(files_table(options.suite, domains, options.rows, tokenizers))
    for table in tables:
        table.show()
    publish(options.markdown, "decode", tables, SAMPLES if options.samples else "")


if __name__ == "__main__":
    main()
