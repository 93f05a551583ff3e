"""Message catalogues: reading .po files, and finding where messages are used."""

from __future__ import annotations

import html
import re
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from dabs.data.domain import BuildError

_KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr|msgstr\[\d+\])\s*"(.*)"')
_CONTINUED = re.compile(r'"(.*)"')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
# %(name)s, %s, {{ name }}, {$ name $} and {name} are placeholders for values
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sdif](?![a-z])|\{\{.*?\}\}|\{\$.*?\$\}|\{\w*\}")
_TAG = re.compile(r"</?[A-Za-z][^>]*>")


def parse_po(text: str) -> dict[str, str]:
    """Return message ids and their translations, in the singular only.

    Left out are fuzzy entries (guesses that nobody has confirmed), obsolete ones (`#~`), untranslated ones and the
    header (an empty id). If an id has several contexts, the first is kept.

    Raises:
        BuildError: a line is neither a comment nor a keyword nor a quoted string.
    """
    found: dict[str, str] = {}
    entry: dict[str, str] = {}
    fuzzy, keyword = False, ""

    def close_entry() -> None:
        translation = entry.get("msgstr", entry.get("msgstr[0]", ""))
        if entry.get("msgid") and translation and not fuzzy:
            found.setdefault(entry["msgid"], translation)
        entry.clear()

    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        begins = line.startswith(("#", "msgctxt", "msgid ", 'msgid"'))
        if begins and any(key.startswith("msgstr") for key in entry):
            close_entry()
            fuzzy = False
        if not line or line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
        elif match := _KEYWORD.fullmatch(line):
            keyword = match[1]
            entry[keyword] = _unescape(match[2])
        elif keyword and (match := _CONTINUED.fullmatch(line)):
            entry[keyword] += _unescape(match[1])
        else:
            raise BuildError(f"cannot parse line {number} of a message catalogue: {line[:80]!r}.")
    close_entry()
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)


def visible_text(message: str) -> str:
    """Return what a reader sees of a message: no tags, entities resolved, "…" for each value, single spaces.

    Names of values are left out because they are English in every language and would give away the subject.
    """
    return " ".join(_PLACEHOLDER.sub("…", html.unescape(_TAG.sub(" ", message))).split())


def read_catalogues(wheel: Path, language: str) -> dict[str, str]:
    """Return all messages of a wheel in one language, the name of a folder below `locale/`, catalogues sorted."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if f"/locale/{language}/LC_MESSAGES/" in name and name.endswith(".po"):
                for message, translation in parse_po(archive.read(name).decode("utf-8")).items():
                    found.setdefault(message, translation)
    if not found:
        raise BuildError(f"{wheel} has no message catalogue for {language}.")
    return found


def _normalise_source(source: str, suffix: str) -> str:
    """Return source text in which every message is whole: literals joined, template values as in the catalogues."""
    if suffix == ".py":
        source = re.sub(r'["\']\s*\n\s*["\']', "", source)
    if suffix == ".js":
        source = re.sub(r'["\']\s*\+\s*["\']', "", source)
    if suffix == ".html":
        source = re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", source)
    spaced = " ".join(source.replace("\\'", "'").replace('\\"', '"').split())
    return re.sub(r"(?<=[>}]) | (?=[<{])", "", spaced)


def _is_whole_literal(message: str, source: str) -> bool:
    """Return whether a message is a whole literal or a whole template text in a source, not a part of another."""
    at = source.find(message)
    while at >= 0:
        end = at + len(message)
        if source[max(0, at - 1) : at] in {'"', "'", ">", "}"} and source[end : end + 1] in {'"', "'", "<", "{", "|"}:
            return True
        at = source.find(message, at + 1)
    return False


def find_usage(wheel: Path, messages: Iterable[str], part_of: Callable[[str], str | None]) -> dict[str, set[str]]:
    """Find the parts of a program that use each message. The source is only read, not run.

    Args:
        wheel: has .py, .html and .js files.
        messages: ids as in the catalogues.
        part_of: returns the part that a file belongs to, from its path in the wheel; None to skip the file.

    Returns:
        For each message, the names of all parts that use it.
    """
    sources: dict[str, list[str]] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            suffix, part = Path(name).suffix, part_of(name)
            if part is not None and suffix in {".py", ".html", ".js"} and "spec" not in name and "/test" not in name:
                sources.setdefault(part, []).append(_normalise_source(archive.read(name).decode("utf-8"), suffix))
    joined = {part: "\n".join(texts) for part, texts in sources.items()}
    spaced = {message: " ".join(message.split()) for message in messages}
    return {m: {part for part, text in joined.items() if _is_whole_literal(s, text)} for m, s in spaced.items()}
