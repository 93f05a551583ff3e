"""Tables of many rows: the page holds the best ones, and a script beside it the others.

A page opened from disk may not fetch JSON but may load scripts; this one is loaded when a reader asks for all rows,
sorts or filters. Its rows are made by the page's own macros, so that they look and read alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dabs.leaderboard.site.boards import Links
from dabs.leaderboard.site.templating import pages

SHOWN = 50  # rows that a page holds; tables of fewer rows have no others


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """The rows of one table, the best first.

    Attributes:
        key: names the table on its page.
        macro: of tables.html.j2, makes rows from a list of them, `arguments` and the page's links.
        all: every row's values.
        most: how many of them stand on the page.
    """

    key: str
    macro: str
    all: Sequence[Mapping[str, Any]]
    arguments: tuple[Any, ...] = ()
    most: int = SHOWN

    @property
    def count(self) -> int:
        """Of all rows."""
        return len(self.all)

    @property
    def shown(self) -> Sequence[Mapping[str, Any]]:
        """The rows on the page."""
        return self.all[: self.most]

    @property
    def others(self) -> Sequence[Mapping[str, Any]]:
        """The rows in the script."""
        return self.all[self.most :]


def rest_script(tables: Sequence[TableRows], links: Links) -> str:
    """The script with the rows that a page does not hold; empty when it holds all."""
    module = pages().get_template("tables.html.j2").module
    found = {
        rows.key: str(getattr(module, rows.macro)(rows.others, *rows.arguments, links))
        for rows in tables
        if rows.others
    }
    return f"dabs.rest({json.dumps(found, separators=(',', ':'))});\n" if found else ""
