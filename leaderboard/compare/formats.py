"""A comparison for the terminal and as JSON, Markdown, HTML or LaTeX.

Names never act as markup: every format escapes them in its own way.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from dabs.leaderboard.compare.model import Comparison
from dabs.leaderboard.compare.text_tables import TextTable, heading, legend, printable, text_tables
from dabs.leaderboard.tables.render import plain_markdown


def show(comparison: Comparison, console: Console) -> None:
    """Print the tables, the legend and the notes."""
    for table in text_tables(comparison):
        title = Text(table.title)
        rich = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title=title, title_justify="left")
        for name, numeric in zip(table.head, table.numeric, strict=True):
            rich.add_column(Text(name), justify="right" if numeric else "left", overflow="fold")
        for row in table.rows:
            rich.add_row(*(Text(word, style=_STYLES.get(word, "")) for word in row))
        console.print(rich)
    console.print(Text(legend(comparison), style="dim"))
    for note in comparison.notes:
        console.print(Text(f"Note: {printable(note)}"))


def as_text(comparison: Comparison) -> str:
    """Return what `show` prints, without colour and wide enough not to wrap."""
    console = Console(file=io.StringIO(), width=220)
    with console.capture() as capture:
        show(comparison, console)
    return capture.get()


_STYLES = {"win": "green", "loss": "red"}


def as_json(comparison: Comparison) -> str:
    """Return `Comparison.to_json()` as text that ends in a line feed."""
    return json.dumps(comparison.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """Return tables in GitHub's Markdown."""
    parts = [f"## {plain_markdown(heading(comparison))}"]
    for table in text_tables(comparison):
        rules = " | ".join("---:" if numeric else "---" for numeric in table.numeric)
        head, *rows = (" | ".join(plain_markdown(word) for word in row) for row in (table.head, *table.rows))
        lines = [f"| {line} |" for line in (head, rules, *rows)]
        parts += [f"### {plain_markdown(table.title)}", "\n".join(lines)]
    notes = [f"- {plain_markdown(printable(note))}" for note in comparison.notes]
    return "\n\n".join([*parts, plain_markdown(legend(comparison)), "\n".join(notes)]) + "\n"


@cache
def _templates() -> Environment:
    """Load `templates/*.html.j2`. Every value is escaped, and an unknown name is an error."""
    loader = PackageLoader("dabs.leaderboard.compare", "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def as_html(comparison: Comparison) -> str:
    """Return a page that has no scripts and fetches nothing."""
    return (
        _templates()
        .get_template("comparison.html.j2")
        .render(
            heading=heading(comparison),
            tables=text_tables(comparison),
            legend=legend(comparison),
            notes=[printable(note) for note in comparison.notes],
        )
    )


_LATEX = {
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": r"$-$",
    "×": r"$\times$",
    "–": "--",
    "“": "``",
    "”": "''",
    "…": r"\ldots{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def escape_latex(text: str) -> str:
    """Escape text for LaTeX, letter by letter; brackets get braces so that they never open an optional argument."""
    return "".join(f"{{{x}}}" if x in "[]" else _LATEX.get(x, x) for x in text)


def as_latex(comparison: Comparison) -> str:
    r"""Return tables with `booktabs` rules, for \input.

    Names in non-Latin scripts need a Unicode engine (LuaLaTeX, XeLaTeX).
    """
    tables = [_latex_table(table) for table in text_tables(comparison)]
    paragraphs = [legend(comparison), *(printable(note) for note in comparison.notes)]
    comments = [f"% {escape_latex(heading(comparison))}", r"% needs \usepackage{booktabs}"]
    return "\n".join([*comments, *tables, *(f"\\par {escape_latex(text)}" for text in paragraphs)]) + "\n"


def _latex_table(table: TextTable) -> str:
    alignment = "".join("r" if numeric else "l" for numeric in table.numeric)
    head, *rows = (" & ".join(escape_latex(word) for word in row) + r" \\" for row in (table.head, *table.rows))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape_latex(table.title)}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


FORMATS: dict[str, Callable[[Comparison], str]] = {
    "json": as_json,
    "markdown": as_markdown,
    "html": as_html,
    "latex": as_latex,
}
