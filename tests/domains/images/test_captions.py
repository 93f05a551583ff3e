"""Captions and questions.

The real sample of mscoco is complete. That of vqa has real questions, images and answers, but made-up choices.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dabs.data.domain import BuildError
from dabs.domains.images import captions
from dabs.domains.sources.listing import Item
from tests.helpers.paper import open_layouts


def dump(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def captioned(n: int) -> list[Item]:
    return [Item(source=f"{i}.jpg", group=f"g{i}", text=(f"caption {i}",)) for i in range(n)]


@given(n=st.integers(3, 60), seed=st.integers(0, 5))
def test_half_of_the_captions_move_each_to_another_image(n, seed):
    before = captioned(n)
    after = captions.mismatch_half(before, np.random.PCG64([seed]))
    assert sum(i.label == captions.MISMATCH for i in after) == max(n // 2, 2)
    for old, new in zip(before, after, strict=True):
        assert (old.text == new.text) == (new.label == captions.MATCH)
        assert (old.source, old.group) == (new.source, new.group)
    assert sorted(i.text for i in after) == sorted(i.text for i in before)
    assert captions.mismatch_half(before, np.random.PCG64([seed])) == after


def test_two_images_are_too_few():
    with pytest.raises(BuildError, match="only 2 captioned images"):
        captions.mismatch_half(captioned(2), np.random.PCG64(0))


def test_the_last_caption_of_an_image_is_used_whatever_the_order_of_the_file(tmp_path):
    content = {
        "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}, {"id": 9, "file_name": "c.jpg"}],
        "annotations": [
            {"id": 30, "image_id": 7, "caption": "last\n of 7"},
            {"id": 10, "image_id": 7, "caption": "first of 7"},
            {"id": 20, "image_id": 3, "caption": "of 3"},
        ],
    }
    dump(tmp_path / "annotations/captions_train2017.json", content)
    found = captions.list_coco(tmp_path, "train2017")
    assert [(i.group, i.text) for i in found] == [
        ("coco 000000000003", ("of 3",)),
        ("coco 000000000007", ("last of 7",)),
    ]
    assert found[0].source == str(tmp_path / "train2017/a.jpg")


def test_a_file_that_is_not_captions_is_named(tmp_path):
    dump(tmp_path / "annotations/captions_train2017.json", {"images": []})
    with pytest.raises(BuildError, match=r"captions_train2017\.json has no lists"):
        captions.list_coco(tmp_path, "train2017")


def test_the_sample_of_coco(official, check_disjoint):
    root = official("mscoco")
    pretraining, found = captions.list_captioned(root), captions.list_mismatched(root)
    check_disjoint(found)
    assert [len(items) for items in found.values()] == [27, 3, 18]
    for split in ("train", "validation"):
        assert [i.source for i in pretraining[split]] == [i.source for i in found[split]]
    assert all(Path(i.source).is_file() for items in found.values() for i in items)
    own = {i.group: i.text for subset in ("train2017", "val2017") for i in captions.list_coco(root, subset)}
    for items in found.values():
        assert all((own[i.group] == i.text) == bool(i.label) for i in items)


def question(number: int, image: int, answer: str, choices: list[str]) -> tuple[dict, dict]:
    asked = {"question_id": number, "image_id": image, "question": f"What {number}?", "multiple_choices": choices}
    return asked, {"question_id": number, "image_id": image, "multiple_choice_answer": answer}


def vqa(root: Path, subset: str, pairs: list[tuple[dict, dict]]) -> None:
    folder, images = root / "coco-vqa", {asked["image_id"] for asked, _ in pairs}
    dump(
        folder / f"annotations/captions_{subset}.json", {"images": [{"id": i, "file_name": f"{i}.jpg"} for i in images]}
    )
    dump(folder / f"MultipleChoice_mscoco_{subset}_questions.json", {"questions": [a for a, _ in pairs]})
    dump(folder / f"mscoco_{subset}_annotations.json", {"annotations": [b for _, b in reversed(pairs)]})


def test_questions_without_their_answer_among_the_choices_are_dropped(tmp_path):
    vqa(tmp_path, "train2014", [
        question(2, 10, "yes", ["no", "yes", "no"]),
        question(1, 10, "yes", ["no", "maybe"]),
        question(3, 11, "red", ["red"]),
        question(0, 12, "4", ["3", "4"]),
    ])  # fmt: skip
    found = captions.list_questions(tmp_path, "train2014")
    assert [i.text for i in found] == [("What 0?", "4", "3"), ("What 2?", "yes", "no")]
    assert found[1].group == "coco 000000000010"


def test_half_of_the_answers_are_wrong_choices_and_the_draw_is_seeded(tmp_path, check_disjoint):
    train = [question(10 * i, i // 2, "a", ["a", "b", "c", "d"]) for i in range(40)]
    tested = [question(10 * i, 100 + i, "a", ["a", "b", "c", "d"]) for i in range(31)]
    vqa(tmp_path, "train2014", train)
    vqa(tmp_path, "val2014", tested)
    dump(tmp_path / "annotations/captions_train2017.json", {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in range(110)],
        "annotations": [{"id": i, "image_id": i, "caption": "x"} for i in range(110)],
    })  # fmt: skip
    found = captions.list_vqa(tmp_path, tmp_path)
    check_disjoint(found)
    assert [len(items) for items in found.values()] == [
        36,
        4,
        21,
    ]  # two of twenty images are held out; 10 of 31 are pretrained on
    for items in found.values():
        assert sum(i.label == captions.MISMATCH for i in items) == len(items) // 2
        assert all((i.text[1] == "a") == bool(i.label) for i in items)
        assert all(len(i.text) == 2 for i in items)
    assert {i.text[1] for i in found["train"]} == {"a", "b", "c", "d"}
    assert captions.list_vqa(tmp_path, tmp_path) == found


def test_the_sample_of_vqa(official, check_disjoint):
    found = captions.list_vqa(official("vqa"), official("mscoco"))
    check_disjoint(found)
    assert all(Path(i.source).is_file() for items in found.values() for i in items)
    pretrained = {i.group for i in captions.list_coco(official("mscoco"), "train2017")}
    assert not pretrained & {i.group for i in found["test"]}
    assert len(captions.list_questions(official("vqa"), "val2014")) > len(found["test"]) > 15


def test_dealt_images_are_in_one_split_in_all_datasets(tmp_path, samples, check_disjoint):
    open_layouts.mscoco(samples, tmp_path / "mscoco")
    open_layouts.vqa(samples, tmp_path / "vqa")
    root = tmp_path / "mscoco"
    mismatched, asked = captions.list_dealt_mismatched(root), captions.list_dealt_questions(root, tmp_path / "vqa")
    check_disjoint(mismatched)
    check_disjoint(asked)
    split_of = {item.group: split for split, items in mismatched.items() for item in items}
    assert all(split_of[item.group] == split for split, items in asked.items() for item in items)
    pretraining = captions.list_dealt_captions(root)
    assert all(split_of[item.group] == split for split, items in pretraining.items() for item in items)
    assert {i.group for i in pretraining["train"]} == {i.group for i in mismatched["train"]}
    assert len(pretraining["train"]) > len(mismatched["train"])  # several captions an image
    assert all("/val2017/" in str(item.source) for items in asked.values() for item in items)
