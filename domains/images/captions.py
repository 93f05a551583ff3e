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
from dabs.domains.sources.listing import Item, Listing, deal, hold_out, make_listing
from dabs.utils.strict_json import read_object

REFERENCE_SEED = 42  # for captions; the reference draws answers without a seed
MATCH, MISMATCH = 1, 0
OPEN_TEST_SHARE, OPEN_VALIDATION_SHARE = 0.2, 0.1  # of val2017, which the suite `open` deals out
MAX_JSON_BYTES = 1_000_000_000  # the largest file of annotations has 0.4 GB
SPLIT_NUMBERS = {TRAIN: 0, VALIDATION: 1, TEST: 2}  # part of the seed of each split


def list_coco(root: Path, subset: str, *, every: bool = False) -> list[Item]:
    """List the images of `train2017` or `val2017`, sorted, each with its last caption, as in the reference.

    With `every`, an image is listed once with each of its captions.

    The reference leaves out images without an annotated object, because it also builds labels of objects, which it
    never uses; here all images are kept.
    """
    content = _read_lists(root / "annotations" / f"captions_{subset}.json", "images", "annotations")
    found: dict[int, list[str]] = {}
    for annotation in sorted(content["annotations"], key=lambda a: a["id"]):
        found.setdefault(annotation["image_id"], []).append(" ".join(annotation["caption"].split()))
    return [
        Item(
            source=str(root / subset / image["file_name"]),
            group=coco_group(image["id"]),
            text=(caption,),
        )
        for image in sorted(content["images"], key=lambda image: image["id"])
        for caption in found.get(image["id"], [])[0 if every else -1 :]
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


def deal_captioned(root: Path) -> Listing:
    """Deal the images of val2017 into three splits by their numbers, each image with its last caption."""
    return deal(list_coco(root, "val2017"), OPEN_TEST_SHARE, OPEN_VALIDATION_SHARE)


def list_dealt_captions(root: Path) -> dict[str, list[Item]]:
    """List the dealt images of val2017 for pretraining, once with each of their captions; none is of the test split."""
    dealt = _split_of_images(root)
    every = list_coco(root, "val2017", every=True)
    return {split: [item for item in every if dealt[item.group] == split] for split in (TRAIN, VALIDATION)}


def list_dealt_mismatched(root: Path) -> Listing:
    """List the dealt images of val2017; half of the captions of each split are mismatched."""
    mixed = {split: mismatch_half(items, _bits_of(split)) for split, items in deal_captioned(root).items()}
    return make_listing(mixed[TRAIN], mixed[VALIDATION], mixed[TEST])


def list_dealt_questions(root: Path, questions: Path) -> Listing:
    """List the questions of VQA v1 about the dealt images of val2017, which are images of val2014."""
    dealt = _split_of_images(root)
    asked = list_questions(questions, "val2014", root / "val2017")
    drawn = {
        split: draw_answers([item for item in asked if dealt.get(item.group) == split], _bits_of(split))
        for split in (TRAIN, VALIDATION, TEST)
    }
    return make_listing(drawn[TRAIN], drawn[VALIDATION], drawn[TEST])


def _split_of_images(root: Path) -> dict[str, str]:
    return {item.group: split for split, items in deal_captioned(root).items() for item in items}


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


def list_questions(root: Path, subset: str, images: Path | None = None) -> list[Item]:
    """List the questions of a subset in the order of their ids.

    With `images`, a folder of COCO 2017, only the questions about the images in it are listed: COCO numbers its images
    alike in all years.

    The `text` of an item is the question, the right answer, and the wrong choices. Questions whose right answer is not
    among the choices are left out, as in the reference, and so are those without a wrong choice.
    """
    folder = root / "coco-vqa"
    asked = _read_lists(folder / f"MultipleChoice_mscoco_{subset}_questions.json", "questions")["questions"]
    answers = _read_lists(folder / f"mscoco_{subset}_annotations.json", "annotations")["annotations"]
    if images:
        file = {int(path.stem): str(path) for path in sorted(images.glob("*.jpg"))}
    else:
        listed = _read_lists(folder / "annotations" / f"captions_{subset}.json", "images")["images"]
        file = {image["id"]: str(folder / subset / image["file_name"]) for image in listed}
    right = {answer["question_id"]: answer["multiple_choice_answer"] for answer in answers}
    items = []
    for question in sorted(asked, key=lambda question: question["question_id"]):
        answer, choices = right.get(question["question_id"]), question["multiple_choices"]
        wrong = tuple(choice for choice in dict.fromkeys(choices) if choice != answer)
        if images and question["image_id"] not in file:
            continue
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
