"""Message catalogues: parsing .po files, and finding where a message is used."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from dabs.data.domain import BuildError
from dabs.domains.text.catalogues import find_usage, parse_po, read_catalogues, visible_text

HEADER = 'msgid ""\nmsgstr ""\n"Language: fr\\n"\n\n'


def test_a_string_over_several_lines_is_joined() -> None:
    assert parse_po(HEADER + 'msgid ""\n"one "\n"two"\nmsgstr ""\n"un "\n"deux"\n') == {"one two": "un deux"}


def test_escapes() -> None:
    found = parse_po('msgid "say \\"a\\\\b\\"\\n"\nmsgstr "dis \\"a\\\\b\\"\\t"\n')
    assert found == {'say "a\\b"\n': 'dis "a\\b"\t'}


def test_plurals_give_the_singular() -> None:
    text = 'msgid "%d day"\nmsgid_plural "%d days"\nmsgstr[0] "%d jour"\nmsgstr[1] "%d jours"\n'
    assert parse_po(text) == {"%d day": "%d jour"}


def test_fuzzy_obsolete_and_untranslated_entries_are_left_out() -> None:
    text = (
        '#, fuzzy, python-format\n#| msgid "old"\nmsgid "a"\nmsgstr "x"\n'
        '# a comment\n#: place.py:3\nmsgid "b"\nmsgstr "y"\n\nmsgid "c"\nmsgstr ""\n\n#~ msgid "d"\n#~ msgstr "z"\n'
    )
    assert parse_po(text) == {"b": "y"}


def test_contexts_share_an_id_and_entries_need_no_blank_line() -> None:
    off = 'msgctxt "one"\nmsgid "Off"\nmsgstr "Éteint"\nmsgctxt "two"\nmsgid "Off"\nmsgstr "Non"\n'
    assert parse_po(off + 'msgid "On"\nmsgstr "Oui"\n') == {"Off": "Éteint", "On": "Oui"}


def test_a_line_that_cannot_be_parsed_is_refused() -> None:
    with pytest.raises(BuildError, match="line 2"):
        parse_po('msgid "a"\nmsgstr broken\n')


def test_visible_text_has_no_names_of_values() -> None:
    shown = visible_text('Delete\n  <b class="x">%(volume)s</b>&nbsp;of {{ instance }}, {$ name $} %s &lt; 5 %')
    assert shown == "Delete … of …, … … < 5 %"
    assert visible_text("도메인 %s로 5 % so") == "도메인 …로 5 % so"


def test_parts_that_use_a_message(tmp_path: Path) -> None:
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("p/disks/a.py", '_("Delete the "\n   "disk")\n_("Disk \\"x\\"")\n_("Name")\n')
        archive.writestr("p/disks/test/a.py", '_("Cancel")')
        archive.writestr("p/nets/a.html", "{% blocktrans %}\n  Net {{ n }}\n  is up{% endblocktrans %}<b>Name</b>")
        archive.writestr("p/locale/fr/LC_MESSAGES/django.po", HEADER + 'msgid "Name"\nmsgstr "Nom"\n')
    messages = ["Delete the disk", 'Disk "x"', "Name", "disk", "Cancel", "\n  Net %(n)s\n  is up"]
    used = find_usage(wheel, messages, lambda path: path.split("/")[1] if "/locale/" not in path else None)
    assert used == {
        "Delete the disk": {"disks"},
        'Disk "x"': {"disks"},
        "Name": {"disks", "nets"},
        "disk": set(),
        "Cancel": set(),
        "\n  Net %(n)s\n  is up": {"nets"},
    }
    assert read_catalogues(wheel, "fr") == {"Name": "Nom"}
    with pytest.raises(BuildError, match="no message catalogue for de"):
        read_catalogues(wheel, "de")
