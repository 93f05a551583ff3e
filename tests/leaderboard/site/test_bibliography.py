"""BibTeX: every algorithm and domain has entries, and the cards that they come from name the same authors."""

from __future__ import annotations

import re

import pytest

from dabs.config import SUITES
from dabs.leaderboard.site.bibliography import ALWAYS, cite, domain_keyword, load_references
from dabs.registry import algorithm_names, domain_names, find_domain
from tests.helpers.places import ROOT

KEYWORDS = {word for one in load_references() for word in one.keywords}


def surname(text: str) -> str:
    """Return the family name of an entry's first author, or its title without one, in plain letters."""
    author = re.search(r"^  author = \{+(.*?)\}+,$", text, re.M)
    title = re.search(r"^  title = \{+(.*?)\}", text, re.M)
    words = author[1] if author else (title[1] if title else "")
    return re.sub(r"[\\'\"{}]", "", re.split(r",| and ", words)[0])


@pytest.mark.parametrize("name", algorithm_names())
def test_every_algorithm_has_an_entry_that_its_docstring_names(name: str) -> None:
    entries = [one for one in load_references() if name in one.keywords]
    assert entries
    source = (ROOT / "algorithms" / f"{name}.py").read_text()
    if name != "none":  # the random encoder has no paper of its own
        assert all(surname(one.text) in source for one in entries)


@pytest.mark.parametrize("suite", SUITES)
def test_every_domain_has_entries_that_its_cards_cite(suite: str) -> None:
    for name in domain_names(suite):
        domain = find_domain(name, suite)
        cards = [domain.card, *(task.card for task in domain.tasks if task.card)]
        cited = " ".join(card.citation for card in cards)
        entries = [one for one in load_references() if domain_keyword(suite, name) in one.keywords]
        assert entries, name
        for one in entries:
            assert surname(one.text).split(" 1")[0] in cited, (one.key, cited)
            year = re.search(r"^  year = \{(\d{4})\}", one.text, re.M)
            assert year is None or year[1] in cited, (one.key, cited)
            eprint = re.search(r"^  eprint = \{(.*?)\}", one.text, re.M)
            assert eprint is None or eprint[1] in cited or name == "chest_xray", (one.key, cited)


def test_no_entry_is_for_something_unknown() -> None:
    known = {ALWAYS, *algorithm_names(), *(domain_keyword(s, d) for s in SUITES for d in domain_names(s))}
    assert known >= KEYWORDS
    assert all(one.keywords for one in load_references())


def test_entries_are_well_formed() -> None:
    text = (ROOT / "leaderboard" / "site" / "references.bib").read_text()
    found = load_references()
    assert "\n".join(one.text for one in found) == text, "the pattern finds every entry"
    assert len({one.key for one in found}) == len(found) == text.count("@")
    for one in found:
        assert one.text.count("{") == one.text.count("}")
        lines = one.text.splitlines()[1:-1]
        assert all(re.fullmatch(r"  \w+ = \{.*\},", line) for line in lines), one.key
        assert any(line.startswith("  title") for line in lines)


def test_a_page_cites_what_it_shows() -> None:
    file = cite("paper32", ["shed", "A stranger's", "raw"], ["sensor"])
    keys = re.findall(r"^@\w+\{([\w-]+),", file.text, re.M)
    assert keys == ["tamkin2021dabs", "clark2020electra", "reiss2012pamap2"]
    assert file.name == "paper32.shed-sensor.bib"
