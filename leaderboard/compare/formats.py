"""A comparison for the terminal, and as JSON, Markdown, HTML and LaTeX. Names never act as markup."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

from jinja2 import Environment
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dabs.leaderboard.compare.model import Comparison
from dabs.leaderboard.compare.text_tables import Sheet, columns, heading, legend, sheets_of
from dabs.leaderboard.tables.render import plain_markdown


def show(comparison: Comparison, console: Console) -> None:
    """Print the tables and the notes."""
    for sheet in sheets_of(comparison):
        table = Table(
            box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, title=Text(sheet.title), title_justify="left"
        )
        for name, number in zip(sheet.head, columns(sheet), strict=True):
            table.add_column(Text(name), justify="right" if number else "left", overflow="fold")
        for row in sheet.rows:
            table.add_row(*(Text(word, style=_STYLES.get(word, "")) for word in row))
        console.print(table)
    console.print(Text(legend(comparison), style="dim"))
    for note in comparison.notes:
        console.print(Text(f"Note: {shown_note(note)}"))


def as_text(comparison: Comparison) -> str:
    """What `show` prints, without colour, wide enough not to wrap."""
    console = Console(file=io.StringIO(), width=220)
    with console.capture() as capture:
        show(comparison, console)
    return capture.get()


_STYLES = {"win": "green", "loss": "red"}


def shown_note(note: str) -> str:
    """A note without what could disturb a terminal; notes are sentences, so they are not cut."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in note)


def as_json(comparison: Comparison) -> str:
    """`Comparison.to_json()` as text, ending in a line feed; the same numbers as the site's compare view."""
    return json.dumps(comparison.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_markdown(comparison: Comparison) -> str:
    """Tables that GitHub renders."""
    parts = [f"## {plain_markdown(heading(comparison))}"]
    for sheet in sheets_of(comparison):
        rules = " | ".join("---:" if number else "---" for number in columns(sheet))
        lines = [" | ".join(plain_markdown(word) for word in row) for row in (sheet.head, *sheet.rows)]
        table = [f"| {lines[0]} |", f"| {rules} |", *(f"| {line} |" for line in lines[1:])]
        parts += [f"### {plain_markdown(sheet.title)}", "\n".join(table)]
    notes = [f"- {plain_markdown(shown_note(note))}" for note in comparison.notes]
    return "\n\n".join([*parts, plain_markdown(legend(comparison)), "\n".join(notes)]) + "\n"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ heading }}</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { font-weight: 600; padding: .5rem 0; text-align: start; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .6rem; text-align: end; white-space: nowrap; }
.word { text-align: start; }
h1, caption, li { overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1><bdi>{{ heading }}</bdi></h1>
{% for sheet, numbers in sheets %}
<div class="wide" tabindex="0" role="region" aria-label="{{ sheet.title }}">
<table>
<caption><bdi>{{ sheet.title }}</bdi></caption>
<thead><tr>{% for word in sheet.head %}
<th scope="col"{% if not numbers[loop.index0] %} class="word"{% endif %}>{{ word }}</th>{% endfor %}
</tr></thead>
<tbody>{% for row in sheet.rows %}
<tr>{% for word in row %}
<{{ "th scope=row" if loop.first else "td" }}{% if not numbers[loop.index0] %} class="word"{% endif %}>
{%- if numbers[loop.index0] %}{{ word }}{% else %}<bdi>{{ word }}</bdi>{% endif -%}
</{{ "th" if loop.first else "td" }}>{% endfor %}
</tr>{% endfor %}
</tbody>
</table>
</div>
{% endfor %}
<p>{{ legend }}</p>
<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>
</body>
</html>
"""


def as_html(comparison: Comparison) -> str:
    """A page without script that fetches nothing."""
    page = Environment(autoescape=True).from_string(_PAGE)
    return page.render(
        heading=heading(comparison),
        sheets=[(sheet, columns(sheet)) for sheet in sheets_of(comparison)],
        legend=legend(comparison),
        notes=[shown_note(note) for note in comparison.notes],
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


def latex_escaped(text: str) -> str:
    """Text as LaTeX sets it, letter by letter; brackets are braced so that they never open an argument."""
    return "".join(f"{{{x}}}" if x in "[]" else _LATEX.get(x, x) for x in text)


def as_latex(comparison: Comparison) -> str:
    r"""Tables with `booktabs` rules, for \input; names in other scripts need a Unicode engine (LuaLaTeX, XeLaTeX)."""
    tables = [_latex_table(sheet) for sheet in sheets_of(comparison)]
    words = [legend(comparison), *(shown_note(note) for note in comparison.notes)]
    comments = [f"% {latex_escaped(heading(comparison))}", r"% needs \usepackage{booktabs}"]
    return "\n".join([*comments, *tables, *(f"\\par {latex_escaped(word)}" for word in words)]) + "\n"


def _latex_table(sheet: Sheet) -> str:
    alignment = "".join("r" if number else "l" for number in columns(sheet))
    head, *rows = (" & ".join(latex_escaped(word) for word in row) + r" \\" for row in (sheet.head, *sheet.rows))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{latex_escaped(sheet.title)}}}",
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
