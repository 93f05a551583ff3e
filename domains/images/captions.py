"""The captions of COCO and the questions of VQA, half of them made wrong.

The captions are read directly from COCO's JSON, because torchvision's CocoCaptions needs the compiled pycocotools.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError
from dabs.domains.sources.listing import Item, Listing, hold_out, make_listing
from dabs.utils.strict_json import read_object

REFERENCE_SEED = 42  # for captions; the reference draws answers without a seed
MATCH, MISMATCH = 1, 0
MAX_JSON_BYTES = 1_000_000_000  # the largest file of annotations has 0.4 GB
SPLIT_NUMBERS = {TRAIN: 0, VALIDATION: 1, TEST: 2}  # part of the seed of each split


def list_coco(root: Path, subset: str) -> list[Item]:
    """List the images of `train2017` or `val2017`, sorted, each with its last caption, as in the reference.

    The reference leaves out images without an annotated object, because it also builds labels of objects, which it
    never uses; here all images are kept.
    """
    content = _read_lists(root / "annotations" / f"captions_{subset}.json", "images", "annotations")
    caption = {a["image_id"]: a["caption"] for a in sorted(content["annotations"], key=lambda a: a["id"])}
    return [
        Item(
            source=str(root / subset / image["file_name"]),
            group=coco_group(image["id"]),
            text=(" ".join(caption[image["id"]].split()),),
        )
        for image in sorted(content["images"], key=lambda image: image["id"])
        if image["id"] in caption
    ]


def coco_group(image: int) -> str:
    """Return the group of an image; COCO uses the same image numbers in all years."""
    return f"coco {image:012d}"


def _read_lists(path: Path, *names: str) -> Any:
    """Read a JSON object, after checking that the fields `names` are lists."""
    content = read_object(path, MAX_JSON_BYTES)
    if any(not isinstance(content.get(name), list) for name in names):
        raise BuildError(f"{path} has no lists {' and '.join(names)}. Unpack its archive again.")
    return content


def list_captioned(root: Path) -> dict[str, list[Item]]:
    """List train2017 for pretraining, with a tenth of its images held out for validation; tasks test on val2017."""
    rest, validation = hold_out(list_coco(root, "train2017"))
    return {TRAIN: rest, VALIDATION: validation}


def list_mismatched(root: Path) -> Listing:
    """List train2017, with a tenth held out, and val2017; half of the captions of each split are mismatched."""
    parts = list_captioned(root) | {TEST: list_coco(root, "val2017")}
    mixed = {split: mismatch_half(items, _bits_of(split)) for split, items in parts.items()}
    return make_listing(mixed[TRAIN], mixed[VALIDATION], mixed[TEST])


def _bits_of(split: str) -> np.random.PCG64:
    return np.random.PCG64([REFERENCE_SEED, SPLIT_NUMBERS[split]])


def mismatch_half(items: list[Item], bits: np.random.PCG64) -> list[Item]:
    """Give half of the items (rounded down, but at least two) the caption of another item.

    The captions of that half are rotated by a random number of places. If two of them are equal, an item labelled as a
    mismatch may have a matching caption.

    Raises:
        BuildError: there are fewer than three items, too few to have both matches and mismatches.
    """
    if len(items) < 3:
        raise BuildError(f"a split has only {len(items)} captioned images, too few to mismatch half of the captions.")
    generator = np.random.Generator(bits)
    chosen = np.sort(generator.permutation(len(items))[: max(len(items) // 2, 2)])
    donors = np.roll(chosen, int(generator.integers(1, len(chosen))))
    out = [replace(item, label=MATCH) for item in items]
    for index, donor in zip(chosen.tolist(), donors.tolist(), strict=True):
        out[index] = replace(items[index], label=MISMATCH, text=items[donor].text)
    return out


def list_vqa(root: Path, pretraining: Path) -> Listing:
    """List VQA v1, multiple choice: train2014, with a tenth of its images held out for validation, and val2014.

    The test split has only those questions of val2014 whose image is not in train2017: in 2017, COCO moved 35,504 of
    the 40,504 images of val2014 there, so the encoder is pretrained on them.

    Args:
        root: the folder that holds `coco-vqa/`.
        pretraining: the folder that holds `annotations/captions_train2017.json`.
    """
    pretrained = {item.group for item in list_coco(pretraining, "train2017")}
    rest, validation = hold_out(list_questions(root, "train2014"))
    test = [item for item in list_questions(root, "val2014") if item.group not in pretrained]
    parts = {TRAIN: rest, VALIDATION: validation, TEST: test}
    drawn = {split: draw_answers(items, _bits_of(split)) for split, items in parts.items()}
    return make_listing(drawn[TRAIN], drawn[VALIDATION], drawn[TEST])


def list_questions(root: Path, subset: str) -> list[Item]:
    """List the questions of a subset in the order of their ids.

    The `text` of an item is the question, the right answer, and the wrong choices. Questions whose right answer is not
    among the choices are left out, as in the reference, and so are those without a wrong choice.
    """
    folder = root / "coco-vqa"
    files = _read_lists(folder / "annotations" / f"captions_{subset}.json", "images")["images"]
    asked = _read_lists(folder / f"MultipleChoice_mscoco_{subset}_questions.json", "questions")["questions"]
    answers = _read_lists(folder / f"mscoco_{subset}_annotations.json", "annotations")["annotations"]
    file = {image["id"]: str(folder / subset / image["file_name"]) for image in files}
    right = {answer["question_id"]: answer["multiple_choice_answer"] for answer in answers}
    items = []
    for question in sorted(asked, key=lambda question: question["question_id"]):
        answer, choices = right.get(question["question_id"]), question["multiple_choices"]
        wrong = tuple(choice for choice in dict.fromkeys(choices) if choice != answer)
        if answer in choices and wrong:
            text = (question["question"], answer, *wrong)
            items.append(Item(source=file[question["image_id"]], group=coco_group(question["image_id"]), text=text))
    return items


def draw_answers(items: Iterable[Item], bits: np.random.PCG64) -> list[Item]:
    """Give each question one answer: the right one for half of them (rounded up), else a random wrong choice."""
    generator, asked = np.random.Generator(bits), list(items)
    wrong = set(generator.permutation(len(asked))[: len(asked) // 2].tolist())
    out = []
    for index, item in enumerate(asked):
        question, right, *others = item.text
        answer = others[int(generator.integers(len(others)))] if index in wrong else right
        out.append(replace(item, label=MISMATCH if index in wrong else MATCH, text=(question, answer)))
    return out
