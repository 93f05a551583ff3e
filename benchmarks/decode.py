"""How many examples a second one core reads: from the publisher's files, and from prepared data.

    python benchmarks/decode.py                                       # prepared rows of every paper domain, made up
    python benchmarks/decode.py --samples ../shared/data/paper        # also the samples' files, completed as tests do
    python benchmarks/decode.py --data-dir DIR --suite paper32        # also real sets, a folder each

From files: decoding, resizing, spectrograms and tokens, as `dabs data prepare` does, after one pass that imports what
is needed and warms the cache. From prepared data: random batches of 256 from a mapped file that the page cache holds,
in their stored types as a GPU gets them, and as floats made on the CPU. Rates are per second of wall time, and in
brackets of processor time, which others on the machine disturb less.
The number to get for a GPU that trains 20,000 examples a second: as many rows as stored, from at most two cores.
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
from dabs.bench.synthetic import made_up_domain, made_up_rows
from dabs.bench.timing import TimingTable
from dabs.data.domain import Workspace
from dabs.data.prepared import units_of
from dabs.errors import DabsError
from dabs.registry import domain_names, find_domain

ROOT = Path(__file__).parents[1]
WANTED = 20_000  # examples a second of a GPU on the smallest inputs
TOKENIZERS = {
    "captioned_images": "bert-base-uncased",
    "english_text": "bert-base-uncased",
    "multilingual_text": "xlm-roberta-base",
}

SAMPLES = """
The files are samples of the datasets, some of them completed with generated ones, and the tokenizers have 3,000 and
4,000 pieces instead of 30,522 and 250,002: a real set may be read at another rate.
"""


def one_core() -> None:
    """This process stays on the core it is on; builders then decode in it and start no others."""
    torch.set_num_threads(1)
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
    sources = {s.name: s.fetch(Path(), lambda line: None) for s in unit.sources}  # type: ignore[attr-defined]

    def build() -> Iterator[object]:
        return unit.build(Workspace(sources=sources, say=lambda line: None))  # type: ignore[attr-defined,no-any-return]

    counted(build(), limit)
    return per_second(lambda: counted(build(), limit))


def lay_out_samples(samples: Path, folder: Path) -> dict[str, Path]:
    """The samples in the official layout, completed with generated files; gives a tiny tokenizer for each domain."""
    sys.path.insert(0, str(ROOT))
    from tests.helpers.paper import texts
    from tests.helpers.paper.layouts import AS_THEY_ARE, LAYOUTS, lay_out

    for name in itertools.chain(LAYOUTS, AS_THEY_ARE):
        lay_out(name, samples.resolve(), folder)
    for name in texts.LAYOUTS:
        texts.lay_out_text(name, samples.resolve(), folder)
    return {domain: texts.lay_out_text(name, samples.resolve(), folder) for domain, name in TOKENIZERS.items()}


def files_table(suite: str, domains: Sequence[str], limit: int, tokenizers: Mapping[str, Path]) -> TimingTable:
    """A row for each dataset that is there."""
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
    return TimingTable(title="rows a second from files, one core", columns=("domain", "set", "rows", "rate"), rows=rows)


def prepared_table(suite: str, megabytes: int, rounds: int) -> TimingTable:
    """A row for each domain: made-up rows of its inputs, `megabytes` of them."""
    rows = []
    for name in domain_names(suite):
        specs = find_domain(name, suite).specs
        pixels = np.float16 if name == "speech" else np.uint8  # decibels are kept finer than pictures
        size = sum(x.nbytes for x in made_up_rows(specs, 1, pixels=pixels))
        with made_up_domain(specs, max(256, megabytes * 1_000_000 // size), pixels=pixels) as domain:
            _, stored, floats = reading_rates(domain, rounds)
        cores = f"{WANTED / stored:.2f}"
        rows.append((name, f"{size:,}", f"{stored:,.0f}", f"{stored * size / 1e9:.1f}", f"{floats:,.0f}", cores))
    columns = ("domain", "bytes an example", "as stored", "GB/s", "as floats", f"cores for {WANTED:,}/s")
    return TimingTable(title="rows a second from prepared data, one core", columns=columns, rows=rows)


def main() -> None:
    """Parse, lay out, measure."""
    parser = parser_of(__doc__)
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--samples", type=Path, help="folder with the samples of the paper's datasets")
    place.add_argument("--data-dir", type=Path, help="folder with the datasets in their official layout")
    parser.add_argument("--suite", default="paper", choices=("paper", "paper32"))
    parser.add_argument("--domains", nargs="*", help="default: all of the suite")
    parser.add_argument("--rows", type=int, default=2000, help="rows of each set at most")
    options = parser.parse_args()
    one_core()
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
