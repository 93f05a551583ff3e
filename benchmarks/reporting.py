"""What the benchmarks have in common: their options, and the section of a page that each of them writes."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from dabs.bench.timing import TimingTable, machine
from dabs.leaderboard.tables.render import update_between_markers
from dabs.utils.files import replacing


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser with `--quick` and `--markdown`; `doc` is the script's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes: says whether it works, not how fast it is")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the section of a page, as README.md")
    return parser


def publish(page: Path | None, name: str, tables: list[TimingTable], notes: str = "") -> None:
    """Write tables with machine and date between the markers of `name`, added at the end where there are none.

    Args:
        page: the file; None writes nothing.
        name: of the section, the script's.
        tables: in their order.
        notes: what a reader must know, below them.
    """
    if page is None:
        return
    begin, end = (f"<!-- {name}:{side} -->" for side in ("begin", "end"))
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    if begin not in old:
        with replacing(page) as temporary:
            temporary.write_text(f"{old.rstrip()}\n\n## {name}\n\n{begin}\n{end}\n".lstrip(), encoding="utf-8")
    where = f"{datetime.now(UTC):%Y-%m-%d}, {machine()}."
    parts = [where, *(table.markdown() for table in tables), notes.strip()]
    update_between_markers(page, name, "\n\n".join(part for part in parts if part))
