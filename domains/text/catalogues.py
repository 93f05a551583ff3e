"""Message catalogues: reading gettext .po files, and finding which part of horizon's source uses a message."""

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
# %(name)s, %s, {{ name }}, {$ name $} and {name} stand for a value; entities and tags for layout
_PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sdif](?![a-z])|\{\{.*?\}\}|\{\$.*?\$\}|\{\w*\}")
_TAG = re.compile(r"</?[A-Za-z][^>]*>")


def parse_po(text: str) -> dict[str, str]:
    """Message ids and their translations, singular forms only.

    Entries that are fuzzy (a guess that nobody confirmed), obsolete (`#~`), untranslated or the header (an empty id)
    are left out. Of several contexts of one id the first is kept.

    Raises:
        BuildError: a line is neither a comment nor a keyword nor a quoted string.
    """
    found: dict[str, str] = {}
    entry: dict[str, str] = {}
    fuzzy, keyword = False, ""

    def _close() -> None:
        translation = entry.get("msgstr", entry.get("msgstr[0]", ""))
        if entry.get("msgid") and translation and not fuzzy:
            found.setdefault(entry["msgid"], translation)
        entry.clear()

    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        begins = line.startswith(("#", "msgctxt", "msgid ", 'msgid"'))
        if begins and any(key.startswith("msgstr") for key in entry):
            _close()
            fuzzy = False
        if not line or line.startswith("#"):
            fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
        elif match := _KEYWORD.fullmatch(line):
            keyword = match[1]
            entry[keyword] = _unescape(match[2])
        elif keyword and (match := _CONTINUED.fullmatch(line)):
            entry[keyword] += _unescape(match[1])
        else:
            raise BuildError(f"line {number} of a message catalogue is not understood: {line[:80]!r}.")
    _close()
    return found


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text)


def plain(message: str) -> str:
    """What a reader sees of a message: no tags, entities resolved, "…" for each value, spaces made one.

    Names of values are left out because they are English in every language and would tell what a message is about.
    """
    return " ".join(_PLACEHOLDER.sub("…", html.unescape(_TAG.sub(" ", message))).split())


def read_catalogues(wheel: Path, language: str) -> dict[str, str]:
    """All messages of a wheel in one language (the folder's name under `locale/`), catalogues in sorted order."""
    found: dict[str, str] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if f"/locale/{language}/LC_MESSAGES/" in name and name.endswith(".po"):
                for message, translation in parse_po(archive.read(name).decode("utf-8")).items():
                    found.setdefault(message, translation)
    if not found:
        raise BuildError(f"{wheel} has no message catalogue for {language}.")
    return found


def _searchable(source: str, suffix: str) -> str:
    """Source text in which each message stands whole between delimiters: literals joined, template values named."""
    if suffix == ".py":
        source = re.sub(r'["\']\s*\n\s*["\']', "", source)
    if suffix == ".js":
        source = re.sub(r'["\']\s*\+\s*["\']', "", source)
    if suffix == ".html":
        source = re.sub(r"\{\{\s*(\w+)\s*\}\}", r"%(\1)s", source)
    spaced = " ".join(source.replace("\\'", "'").replace('\\"', '"').split())
    return re.sub(r"(?<=[>}]) | (?=[<{])", "", spaced)


def _stands_in(message: str, source: str) -> bool:
    """Whether the message is a whole literal or a whole template text there, not a part of another."""
    at = source.find(message)
    while at >= 0:
        end = at + len(message)
        if source[max(0, at - 1) : at] in {'"', "'", ">", "}"} and source[end : end + 1] in {'"', "'", "<", "{", "|"}:
            return True
        at = source.find(message, at + 1)
    return False


def used_in(wheel: Path, messages: Iterable[str], part_of: Callable[[str], str | None]) -> dict[str, set[str]]:
    """Which parts of a program use each message. The source is only read, none of it runs.

    Args:
        wheel: carries .py, .html and .js files.
        messages: ids as in the catalogues.
        part_of: the part that a file belongs to, by its path in the wheel; None for a file of no interest.

    Returns:
        The names of all parts in which a message occurs, by message.
    """
    sources: dict[str, list[str]] = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            suffix, part = Path(name).suffix, part_of(name)
            if part is not None and suffix in {".py", ".html", ".js"} and "spec" not in name and "/test" not in name:
                sources.setdefault(part, []).append(_searchable(archive.read(name).decode("utf-8"), suffix))
    joined = {part: "\n".join(texts) for part, texts in sources.items()}
    spaced = {message: " ".join(message.split()) for message in messages}
    return {m: {part for part, text in joined.items() if _stands_in(s, text)} for m, s in spaced.items()}
