"""Figures as PDF files for print, with their fonts embedded."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

from dabs.errors import RequestError

FONT = "New Computer Modern Math"  # comes with Typst, and has every sign of the figures
PAGE = b"""
#set document(title: sys.inputs.title, date: none)
#set page(width: auto, height: auto, margin: 0pt)
#image("figure.svg", alt: sys.inputs.title)
"""


def require_typst() -> None:
    """Raise RequestError unless the package that writes PDFs is installed."""
    if not find_spec("typst"):
        raise RequestError(
            "writing a PDF needs the package typst: pip install 'dabs[pdf]' (from a checkout: pip install -e "
            "'.[pdf]'). An SVG file needs nothing more."
        )


def to_pdf(svg: str, title: str) -> bytes:
    """Return an SVG figure as a PDF page of its size; a publisher's check finds every font embedded.

    Args:
        svg: a figure of `standalone`.
        title: of the document, and what a screen reader says of the figure.

    Raises:
        RequestError: the package that writes PDFs is not installed.
    """
    require_typst()
    import typst

    figure = svg.replace("font-family: sans-serif", f"font-family: '{FONT}'")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.typ"
        page.write_bytes(PAGE)
        (page.parent / "figure.svg").write_text(figure, encoding="utf-8")
        return bytes(typst.compile(page, format="pdf", sys_inputs={"title": title}))
