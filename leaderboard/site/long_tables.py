"""Long tables: the page holds the best rows, a script next to it the rest.

A page opened from disk may load scripts but not fetch JSON. The script is loaded when a reader sorts, filters or asks
for all rows. The page's own macros render its rows, so that all rows look alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dabs.leaderboard.site.links import Links
from dabs.leaderboard.site.templating import template_environment

MAX_ROWS = 50  # rows of a table that the page itself holds


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """The rows of one table, the best first and the reference rows apart.

    Attributes:
        key: identifies the table on its page.
        macro: the macro of tables.html.j2 that renders rows; it takes a list of them, `arguments` and the page's links.
        rows: the values of every ranked row.
        references: those of the reference rows, which the page always holds.
        arguments: further arguments of the macro.
        limit: the number of rows on the page.
    """

    key: str
    macro: str
    rows: Sequence[Mapping[str, Any]]
    references: Sequence[Mapping[str, Any]] = ()
    arguments: tuple[Any, ...] = ()
    limit: int = MAX_ROWS

    @property
    def count(self) -> int:
        """The number of all ranked rows."""
        return len(self.rows)

    @property
    def shown(self) -> Sequence[Mapping[str, Any]]:
        """The ranked rows on the page."""
        return self.rows[: self.limit]

    @property
    def rest(self) -> Sequence[Mapping[str, Any]]:
        """The rows in the script."""
        return self.rows[self.limit :]


def render_rest_script(tables: Sequence[TableRows], links: Links) -> str:
    """Return the script with the rows that a page does not hold; "" if it holds all of them."""
    macros = template_environment().get_template("tables.html.j2").module
    rendered = {
        table.key: str(getattr(macros, table.macro)(table.rest, *table.arguments, links))
        for table in tables
        if table.rest
    }
    return f"dabs.rest({json.dumps(rendered, separators=(',', ':'))});\n" if rendered else ""
