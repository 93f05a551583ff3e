"""Hooks of mkdocs: pages from outside docs/, and links to files of the repository that are no pages."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "benchmarks/README.md": "benchmarks.md"}
LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand elsewhere in the repository."""
    for source, place in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, place, content=_with_links(text, source, place)))
    return files


def on_page_markdown(markdown: str, page: Any, **others: Any) -> str:
    """Return a page whose links to other files of the repository lead to their page, or are plain text."""
    place = page.file.src_uri
    return markdown if place in PAGES.values() else _with_links(markdown, f"docs/{place}", place)


def _with_links(text: str, source: str, place: str) -> str:
    """Return a text whose links, relative to the file `source`, work on the page `place`."""

    def target_of(match: re.Match[str]) -> str:
        words, link, anchor = match[1], match[2], match[3] or ""
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
        if target == "README.md":
            target = "docs/index.md"
        found = PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
        if found is None or found.endswith(".py"):
            return words if words.startswith("`") else f"{words} (`{target}`)"
        return f"[{words}]({posixpath.relpath(found, posixpath.dirname(place) or '.')}{anchor})"

    return LINK.sub(target_of, text)
