"""BibTeX of the algorithms and the data on a page, from `references.bib`.

The field `keywords` of an entry says what it is cited for: an algorithm such as `emix`, or a domain of a suite such as
`lite/sensor`. The suites paper and paper32 share their data, so both are `paper`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from dabs.leaderboard.site.downloads import File

ALWAYS = "dabs"  # the benchmark itself
_ENTRY = re.compile(r"^@\w+\{([\w-]+),\n(.*?)^\}\n", re.M | re.S)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One entry: its key, its text, and what it is cited for."""

    key: str
    text: str
    keywords: tuple[str, ...]


@cache
def load_references() -> tuple[Reference, ...]:
    """Return every entry of `references.bib`, in its order."""
    text = files(__package__).joinpath("references.bib").read_text(encoding="utf-8")
    found = []
    for entry in _ENTRY.finditer(text):
        keywords = re.search(r"^  keywords = \{(.*?)\}", entry[2], re.M)
        found.append(
            Reference(key=entry[1], text=entry[0], keywords=tuple(keywords[1].split(", ")) if keywords else ())
        )
    return tuple(found)


def _known() -> set[str]:
    """Return every algorithm that has an entry."""
    return {word for one in load_references() for word in one.keywords if "/" not in word and word != ALWAYS}


def domain_keyword(suite: str, domain: str) -> str:
    """Return the keyword of a domain's entries."""
    return f"{suite.removesuffix('32')}/{domain}"


def cite(suite: str, algorithms: Collection[str], domains: Collection[str]) -> File:
    """Return the BibTeX file of the benchmark, of some algorithms and of some domains' data."""
    wanted = {ALWAYS, *algorithms, *(domain_keyword(suite, domain) for domain in domains)}
    entries = [one.text for one in load_references() if wanted & set(one.keywords)]
    name = "-".join([*sorted(set(algorithms) & _known()), *([*domains] if len(domains) == 1 else [])]) or "data"
    return File(name=f"{suite}.{name}.bib", text="\n".join(entries))
