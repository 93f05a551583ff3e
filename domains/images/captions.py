"""What stands beside a picture of COCO: captions, half of them moved elsewhere; questions, half of them answered wrong.

COCO's captions are read as the JSON they are: torchvision's CocoCaptions needs pycocotools, compiled code, to do so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError
from dabs.domains.sources.rows import Item, Listing, carve, listing
from dabs.utils.strict_json import read_object

SEED = 42  # the reference's for captions; it has none for answers
MATCH, MISMATCH = 1, 0
MOST = 1_000_000_000  # bytes of a file of annotations; the largest has 0.4 GB
ORDER = {TRAIN: 0, VALIDATION: 1, TEST: 2}  # each split is drawn by itself


def coco(root: Path, subset: str) -> list[Item]:
    """The pictures of `train2017` or `val2017`, sorted, each with one caption: the last written, as in the reference.

    The reference leaves out pictures without an annotated object, for labels that nobody uses; here all count.
    """
    content = _fields(root / "annotations" / f"captions_{subset}.json", "images", "annotations")
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
    """COCO numbers its pictures once for all years."""
    return f"coco {image:012d}"


def _fields(path: Path, *names: str) -> Any:
    content = read_object(path, MOST)
    if any(not isinstance(content.get(name), list) for name in names):
        raise BuildError(f"{path} has no lists {' and '.join(names)}. Unpack its archive again.")
    return content


def captioned(root: Path) -> dict[str, list[Item]]:
    """For pretraining: train2017 without a tenth of its pictures, and these to watch. val2017 is what tasks test on."""
    rest, watched = carve(coco(root, "train2017"))
    return {TRAIN: rest, VALIDATION: watched}


def mismatched(root: Path) -> Listing:
    """train2017, of which a tenth validates, and val2017; in each split half of the captions are moved."""
    parts = captioned(root) | {TEST: coco(root, "val2017")}
    moved = {split: move_half(items, np.random.PCG64([SEED, ORDER[split]])) for split, items in parts.items()}
    return listing(moved[TRAIN], moved[VALIDATION], moved[TEST])


def move_half(items: list[Item], bits: np.random.PCG64) -> list[Item]:
    """The items, half of them (rounded down, but at least two) each with the caption of another of that half.

    The half is rolled by a drawn number of places; where two of its captions read the same, a "moved" one may fit.

    Raises:
        BuildError: there are fewer than three, so that nothing can change places and something stay.
    """
    if len(items) < 3:
        raise BuildError(f"{len(items)} captioned pictures in a split are too few to move half of the captions.")
    generator = np.random.Generator(bits)
    chosen = np.sort(generator.permutation(len(items))[: max(len(items) // 2, 2)])
    given = np.roll(chosen, int(generator.integers(1, len(chosen))))
    out = [replace(item, label=MATCH) for item in items]
    for place, other in zip(chosen.tolist(), given.tolist(), strict=True):
        out[place] = replace(items[place], label=MISMATCH, text=items[other].text)
    return out


def vqa(root: Path, pretraining: Path) -> Listing:
    """VQA v1, multiple choice: train2014 questions, of which a tenth of the pictures validates, and val2014 questions.

    Of val2014 only questions about pictures outside train2017 are tested: COCO moved 35,504 of its 40,504 pictures
    there in 2017, and the encoder has learned from them.

    Args:
        root: holds `coco-vqa/`.
        pretraining: holds `annotations/captions_train2017.json`.
    """
    seen = {item.group for item in coco(pretraining, "train2017")}
    rest, validation = carve(questions(root, "train2014"))
    test = [item for item in questions(root, "val2014") if item.group not in seen]
    parts = {TRAIN: rest, VALIDATION: validation, TEST: test}
    drawn = {split: answer_half(items, np.random.PCG64([SEED, ORDER[split]])) for split, items in parts.items()}
    return listing(drawn[TRAIN], drawn[VALIDATION], drawn[TEST])


def questions(root: Path, subset: str) -> list[Item]:
    """The questions of a subset by number; `text` is the question, the right answer, and the wrong choices.

    Those whose answer is not among the choices are left out, as in the reference, and those without another choice.
    """
    folder = root / "coco-vqa"
    files = _fields(folder / "annotations" / f"captions_{subset}.json", "images")["images"]
    asked = _fields(folder / f"MultipleChoice_mscoco_{subset}_questions.json", "questions")["questions"]
    answers = _fields(folder / f"mscoco_{subset}_annotations.json", "annotations")["annotations"]
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


def answer_half(items: Iterable[Item], bits: np.random.PCG64) -> list[Item]:
    """Each question with one answer: half of them (rounded up) with the right one, half with a wrong choice, drawn."""
    generator, asked = np.random.Generator(bits), list(items)
    wrong = set(generator.permutation(len(asked))[: len(asked) // 2].tolist())
    out = []
    for place, item in enumerate(asked):
        question, right, *others = item.text
        answer = others[int(generator.integers(len(others)))] if place in wrong else right
        out.append(replace(item, label=MISMATCH if place in wrong else MATCH, text=(question, answer)))
    return out
