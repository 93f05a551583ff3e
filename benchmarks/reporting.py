"""Options and the written section that the benchmark scripts share."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from dabs.bench.timing import TimingTable, describe_machine
from dabs.leaderboard.tables.render import update_between_markers
from dabs.utils.files import replacing


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with `--quick` and `--markdown`; `doc` is the script's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to test the script; the numbers mean nothing")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write a section of this page, such as README.md"
    )
    return parser


def publish(page: Path | None, name: str, tables: list[TimingTable], notes: str = "") -> None:
    """Write tables, with the machine and the date, between the markers of `name`; missing markers are added at the end.

    Args:
        page: the file; None writes nothing.
        name: of the section, which starts with the script's.
        tables: in their order.
        notes: a text below the tables.
    """
    if page is None:
        return
    begin, end = (f"<!-- {name}:{side} -->" for side in ("begin", "end"))
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    if begin not in old:
        with replacing(page) as temporary:
            temporary.write_text(f"{old.rstrip()}\n\n## {name}\n\n{begin}\n{end}\n".lstrip(), encoding="utf-8")
    where = f"{datetime.now(UTC):%Y-%m-%d}, {describe_machine()}."
    parts = [where, *(table.markdown() for table in tables), notes.strip()]
    update_between_markers(page, name, "\n\n".join(part for part in parts if part))
