"""Captioned images: which emoji are used, how they are split, drawn and named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dabs.data.domain import TEST, TRAIN, Domain
from dabs.data.prepared import folder_of, open_prepared
from dabs.domains import captioned_images as captioned
from dabs.domains.images.emoji import Picture, group_of, list_pictures

Prepared = Callable[[str], Domain]

NAMES = {
    "🍕": {"en": ":pizza:", "status": 2},
    "❤\ufe0f": {"en": ":red_heart:", "status": 2, "alias": [":heart:"]},
    "❤": {"en": ":red_heart:", "status": 4},  # the same in its text form
    "👍🏽": {"en": ":thumbs_up_medium_skin_tone:", "status": 2},
    "🏁": {"en": ":chequered_flag:", "status": 2},
    "🪉": {"en": ":harp:", "status": 2},  # not in the other source
}
FILED = [
    {"unified": code, "category": category, "subcategory": sub, "name": name, "short_names": short}
    for code, category, sub, name, short in (
        ("1F355", "Food & Drink", "food-prepared", "SLICE OF PIZZA", ["pizza", "u1f355"]),
        ("2764-FE0F", "Smileys & Emotion", "heart", "HEAVY BLACK HEART", ["heart"]),
        ("1F44D", "People & Body", "hand-fingers-closed", "THUMBS UP SIGN", ["+1"]),
        ("1F3C1", "Flags", "flag", "CHEQUERED FLAG", ["checkered_flag"]),
    )
]


def _picture(group: str, subgroup: str = "a") -> Picture:
    return Picture(character="x", category="Objects", subgroup=subgroup, captions=(group,), group=group)


def test_pictures_join_both_sources() -> None:
    heart, pizza = list_pictures(NAMES, FILED, captioned.CATEGORIES)
    assert (heart.character, heart.category, heart.captions) == (
        "❤",
        "Smileys & Emotion",
        ("red heart", "heart", "heavy black heart"),
    )
    assert (pizza.character, pizza.subgroup, pizza.captions) == ("🍕", "food-prepared", ("pizza", "slice of pizza"))


@pytest.mark.parametrize(
    "variants",
    [
        (":red_heart:", ":blue_heart:"),
        (":man:", ":old_woman:"),
        (":two_o’clock:", ":two-thirty:"),
        (":up_arrow:", ":down-left_arrow:"),
        (":cat:", ":cat_face:"),
    ],
)
def test_variants_of_a_drawing_are_one_group(variants: tuple[str, str]) -> None:
    first, second = (group_of(name, "subgroup") for name in variants)
    assert first == second != group_of(":pizza:", "subgroup")


def test_whole_groups_are_split_in_proportion() -> None:
    found = [_picture(f"{i // 2}", subgroup=str(i % 3)) for i in range(600)]
    split = captioned.split_pictures(found, np.random.default_rng(0))
    groups = {name: {p.group for p in members} for name, members in split.items()}
    assert sum(map(len, groups.values())) == len(set.union(*groups.values())) == 300
    for name, share in captioned.SHARES.items():
        assert len(split[name]) / 600 == pytest.approx(share, abs=0.03)


def test_a_drawing_is_placed_on_a_background() -> None:
    from PIL import Image

    black = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    empty = Image.new("RGBA", (64, 64), (255, 255, 255, 0))
    drawn, bare = (
        captioned.draw_views([black, empty] * 20, np.random.default_rng(0)).reshape(20, 2, 3, 32, 32).swapaxes(0, 1)
    )
    assert drawn.dtype == np.uint8
    assert bare.min() >= 119  # backgrounds are light
    share = (drawn.max(axis=1) < 10).mean(axis=(1, 2))  # rotation cuts corners off, so a little less than the square
    assert 0.8 * (captioned.MIN_SIZE / 32) ** 2 < share.min() < share.max() <= 1


def test_vocabulary_and_tokenizer() -> None:
    pieces = captioned.make_vocabulary(["smiling face", "face of a smiling cat"])
    assert pieces[0] == "[PAD]"
    assert len(pieces) == len(set(pieces)) <= captioned.VOCABULARY
    tokenizer = captioned.make_tokenizer(pieces)
    encoding = tokenizer.encode("smiling cats, dog")
    assert encoding.tokens[:2] == ["smiling", "cat"]
    assert "[UNK]" not in encoding.tokens  # any word can be spelt
    assert len(encoding.ids) == captioned.LENGTH
    assert tokenizer.decode(encoding.ids) == "smiling cats, dog"


def test_captions_can_be_read_back(prepared: Prepared) -> None:
    from tokenizers import Tokenizer

    domain = prepared("captioned_images")
    tokenizer = Tokenizer.from_file(str(folder_of(domain) / "tokenizer.json"))
    tokens = open_prepared(domain).columns(TRAIN)["input_1"]
    assert tokens.min() == 0
    assert tokens.max() < captioned.VOCABULARY
    assert not (tokens == tokenizer.token_to_id("[UNK]")).any()


def test_categories_hold_the_right_emoji(prepared: Prepared) -> None:
    columns = open_prepared(prepared("captioned_images"), "category").columns(TEST)
    names = np.array(captioned.CATEGORIES)[columns["label"]]
    animals = {"fox", "snail", "shark", "wolf", "owl", "camel", "bear", "goat", "duck", "whale", "lion"}
    shown = np.array([group in animals for group in columns["group"]])
    assert shown.any()
    assert set(names[shown]) == {"Animals & Nature"}
    assert len(set(columns["group"])) > 350
