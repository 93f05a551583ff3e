"""Addresses of the site's pages and JSON files, as seen from one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from dabs.leaderboard.site.cell_json import cell_file_name


@dataclass(frozen=True, kw_only=True)
class Links:
    """Relative addresses, as seen from one page.

    Attributes:
        root: the path from the page's folder to the top of the site, "" or "../".
        slugs: each row's file name.
    """

    root: str
    slugs: Mapping[str, str]
    download_folder: ClassVar[str] = "downloads"

    def page(self, name: str) -> str:
        """Return the address of a page at the top: index, compare, cards, submit or rows."""
        return f"{self.root}{name}.html"

    def algorithm(self, name: str) -> str:
        """Return the address of a row's page."""
        return f"{self.root}algorithms/{self.slugs[name]}.html"

    def domain(self, domain: str) -> str:
        """Return the address of a domain's page."""
        return f"{self.root}domains/{domain}.html"

    def task(self, domain: str, task: str) -> str:
        """Return the address of a task's page."""
        return f"{self.root}tasks/{domain}.{task}.html"

    def cell(self, name: str, domain: str, task: str, protocol: str) -> str:
        """Return the address of the JSON behind a score."""
        return f"{self.root}data/{self.slugs[name]}/{cell_file_name(domain, task, protocol)}"

    def summary(self, name: str) -> str:
        """Return the address of the JSON behind a row's means."""
        return f"{self.root}data/{self.slugs[name]}/summary.json"

    def download(self, name: str) -> str:
        """Return the address of a file to download."""
        return f"{self.root}{self.download_folder}/{name}"
