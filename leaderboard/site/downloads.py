"""Files to download beside tables and figures: CSV, LaTeX, SVG and BibTeX."""

from __future__ import annotations

import base64
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dabs.evaluation.reference_rows import is_reference
from dabs.leaderboard.tables.render import EMPTY, points

MEDIA_TYPES = {"csv": "text/csv", "tex": "application/x-tex", "svg": "image/svg+xml", "bib": "application/x-bibtex"}
KINDS = {"csv": "CSV", "tex": "LaTeX", "svg": "SVG", "bib": "BibTeX"}
_LATEX = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "†": r"$^\dagger$", "‡": r"$^\ddagger$", "–": "--", "−": "$-$"},
}


@dataclass(frozen=True, kw_only=True)
class File:
    """A file to download.

    Attributes:
        name: its name, whose ending says what it is.
        text: its content.
    """

    name: str
    text: str

    @property
    def kind(self) -> str:
        """What it is, in the words of a link."""
        return KINDS[self.name.rpartition(".")[2]]

    @property
    def data_url(self) -> str:
        """The file as a URL that contains it."""
        coded = base64.b64encode(self.text.encode()).decode()
        return f"data:{MEDIA_TYPES[self.name.rpartition('.')[2]]};base64,{coded}"


@dataclass(frozen=True, kw_only=True)
class Value:
    """A number of a table, with its interval if it has one; `failed` if it includes a run that did not learn."""

    value: float | None
    ends: tuple[float, float] | None = None
    bold: bool = False
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class SheetLine:
    """A row of a table: its texts, its numbers, and whether it is a reference row."""

    texts: tuple[str, ...]
    values: tuple[Value, ...] = ()
    reference: bool = False


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table as it is downloaded; scores are from 0 to 1 in CSV, and times 100 in LaTeX.

    Attributes:
        name: of its files, without the ending.
        caption: what it shows.
        texts: the headings of the columns of text.
        values: the headings of the columns of numbers.
        lines: the rows, reference rows last.
    """

    name: str
    caption: str
    texts: tuple[str, ...]
    values: tuple[str, ...] = ()
    lines: tuple[SheetLine, ...] = ()

    @property
    def files(self) -> list[File]:
        """The table as CSV and as LaTeX."""
        return [File(name=f"{self.name}.csv", text=to_csv(self)), File(name=f"{self.name}.tex", text=to_latex(self))]


def to_csv(sheet: Sheet) -> str:
    """Return a table as CSV: each number with the ends of its interval, if any has one, in columns of their own.

    Further columns say which rows are reference rows and which numbers include a run that did not learn, if there are
    any. A quote precedes text that a spreadsheet would take for a formula.
    """
    with_ends = [any(line.values[i].ends for line in sheet.lines) for i in range(len(sheet.values))]
    grouped = any(line.reference for line in sheet.lines)
    failures = any(value.failed for line in sheet.lines for value in line.values)
    heads = [*sheet.texts, *(["reference"] * grouped)]
    for name, ends in zip(sheet.values, with_ends, strict=True):
        heads += [name, f"{name} low", f"{name} high"] if ends else [name]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*heads, *(["did not learn"] * failures)])
    for line in sheet.lines:
        cells: list[str | float | None] = [_plain_text(text) for text in line.texts]
        cells += [("yes" if line.reference else "no")] * grouped
        for value, ends in zip(line.values, with_ends, strict=True):
            cells += [value.value, *(value.ends or (None, None))] if ends else [value.value]
        failed = [name for name, value in zip(sheet.values, line.values, strict=True) if value.failed]
        writer.writerow([*cells, *(["; ".join(failed)] * failures)])
    return text.getvalue()


def _plain_text(text: str) -> str:
    """Return text for a cell of CSV: nothing for a dash, and no formula."""
    if text == EMPTY:
        return ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def to_latex(sheet: Sheet) -> str:
    """Return a table as LaTeX for the package booktabs; reference rows come after a rule and a heading."""
    columns = len(sheet.texts) + len(sheet.values)
    lines = [
        f"% {_one_line(sheet.caption)}",
        "% needs \\usepackage{booktabs}; $^{\\times}$ marks a number that includes a run that did not learn",
        "\\begin{tabular}{" + "l" * len(sheet.texts) + "r" * len(sheet.values) + "}",
        "\\toprule",
        " & ".join(escape_latex(_head(name)) for name in (*sheet.texts, *sheet.values)) + r" \\",
        "\\midrule",
    ]
    before = False
    for line in sheet.lines:
        if line.reference and not before:
            rule = ["\\midrule"] if lines[-1] != "\\midrule" else []
            lines += [*rule, f"\\multicolumn{{{columns}}}{{l}}{{\\emph{{Reference rows, not ranked}}}} \\\\"]
        before = line.reference
        cells = [*(escape_latex(text) for text in line.texts), *(_latex_value(value) for value in line.values)]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _head(name: str) -> str:
    return f"{name} (reference)" if is_reference(name) else name.replace("_", " ")


def _latex_value(value: Value) -> str:
    text = points(value.value).replace("-", "$-$").replace(EMPTY, "--")
    if value.bold:
        text = f"\\textbf{{{text}}}"
    text += "$^{\\times}$" * value.failed
    if value.ends is None:
        return text
    low, high = (points(end).replace("-", "$-$") for end in value.ends)
    return f"{text} {{\\scriptsize [{low}, {high}]}}"


def escape_latex(text: str) -> str:
    """Return text so that LaTeX typesets it as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", text)


def merge_files(groups: Sequence[Sequence[File]]) -> list[File]:
    """Return the files of several groups, each name once."""
    return list({file.name: file for group in groups for file in group}.values())
