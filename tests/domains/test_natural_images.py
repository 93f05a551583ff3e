"""Crops keep to their strips and lose their tones; outlines are grouped by likeness."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from dabs.data.domain import TEST, TRAIN, VALIDATION, BuildError, Domain
from dabs.data.prepared import open_prepared
from dabs.domains.images.animals import ANIMALS, fit_to_box, group_near_duplicates, paint, read_animals, split_sets
from dabs.domains.natural_images import ANIMAL_MNIST, COLOUR, GREY, PHOTOGRAPHS, STRIPS, Cropper, strip_of
from dabs.utils.files import data_home


def _generator() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0))


def _photograph(width: int = 400) -> np.ndarray:
    """Return noise whose red channel encodes the column: value = column * 255 // width."""
    picture = _generator().integers(0, 256, (120, width, 3), dtype=np.uint8)
    picture[:, :, 0] = np.arange(width) * 255 // width
    return picture


def _outline(height: int, width: int, top: int = 2, left: int = 2) -> np.ndarray:
    """Return a white wedge on black, taller on its right."""
    picture = np.zeros((28, 28), np.uint8)
    for x in range(width):
        picture[top + height - (x + 1) * height // width : top + height, left + x] = 255
    return picture


def test_strips_do_not_touch() -> None:
    columns = [set(strip_of(_photograph(), split)[0, :, 0].tolist()) for split in (TRAIN, VALIDATION, TEST)]
    for left, right in pairwise(columns):
        assert max(left) + 5 < min(right)


@pytest.mark.parametrize("split", STRIPS)
def test_crops_come_from_their_strip(split: str) -> None:
    photograph = _photograph()
    crops = Cropper({"a": photograph}).cut("a", split, 40, _generator())
    assert crops.shape == (40, 3, 32, 32)
    allowed = strip_of(photograph, split)[..., 0]
    assert allowed.min() <= crops[:, 0].min() <= crops[:, 0].max() <= allowed.max()


def test_crops_do_not_repeat_and_are_not_uniform() -> None:
    still = np.full((64, 200, 3), 90, np.uint8)
    with pytest.raises(BuildError, match="'sky'"):
        Cropper({"sky": still}).cut("sky", TRAIN, 1, _generator())
    cropper = Cropper({"a": _photograph()})
    again = [cropper.cut("a", TRAIN, 30, _generator()) for _ in range(2)]
    assert len({crop.tobytes() for crop in np.concatenate(again)}) == 60


def test_fitting_to_the_box_removes_position_but_not_shape() -> None:
    here, there, other = fit_to_box(np.stack([_outline(12, 12), _outline(12, 12, 9, 11), _outline(12, 3)]))
    np.testing.assert_array_equal(here, there)
    assert (here != other).any()


def test_moved_and_mirrored_outlines_are_near_duplicates() -> None:
    wedge, square = _outline(16, 16), np.zeros((28, 28), np.uint8)
    square[4:20, 4:20] = 255
    sets = group_near_duplicates(np.stack([wedge, square, np.roll(wedge, 5, axis=1), wedge[:, ::-1]]), block=3)
    assert sets[0] == sets[2] == sets[3] != sets[1]


def test_sets_are_never_divided_between_splits() -> None:
    sets = np.repeat(np.arange(40), 3)
    parts = split_sets(sets, {TEST: 31, VALIDATION: 13}, _generator())
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(120))
    numbers = {split: set(sets[rows].tolist()) for split, rows in parts.items()}
    assert not numbers[TEST] & numbers[VALIDATION] | numbers[TRAIN] & (numbers[TEST] | numbers[VALIDATION])
    assert 28 <= len(parts[TEST]) <= 31
    assert 10 <= len(parts[VALIDATION]) <= 15


def test_painting_is_light_on_a_dark_background() -> None:
    outlines = np.stack([_outline(20, 20)] * 5)
    backgrounds = np.full((5, 3, 32, 32), 201, np.uint8)
    painted = paint(outlines, backgrounds, _generator())
    inside = np.pad(outlines, ((0, 0), (2, 2), (2, 2)))[:, None].repeat(3, axis=1) > 0
    assert painted[inside].min() >= 150
    assert set(painted[~inside].tolist()) == {100}


def test_class_names_fit_the_photographs(prepared: Callable[[str], Domain]) -> None:
    columns = open_prepared(prepared("natural_images"), "photograph").columns(TEST)
    crops, names = columns["input_0"].astype(int), np.array(PHOTOGRAPHS)[columns["label"]]
    flat = crops.reshape(*crops.shape[:2], -1)
    scaled = (flat - flat.mean(axis=2, keepdims=True)) / flat.std(axis=2, keepdims=True)
    likeness = (scaled[:, 0] * scaled[:, 2]).mean(axis=1)  # of red and blue; equal channels differ in their tones only
    assert likeness[np.isin(names, list(GREY))].min() > 0.999
    assert np.median(likeness[np.isin(names, list(COLOUR))]) < 0.95
    assert [name.split(":")[1:] for name in columns["group"]] == [[name, TEST] for name in names]
    skewness = {name: (scaled[names == name] ** 3).mean() for name in PHOTOGRAPHS}
    assert max(skewness, key=lambda name: skewness[name]) == "galaxies"  # a few light pixels on a dark sky
    assert min(skewness, key=lambda name: skewness[name]) == "page"  # a few dark letters on light paper


def test_mean_and_deviation_of_channels_say_nothing_about_the_photograph(prepared: Callable[[str], Domain]) -> None:
    columns = open_prepared(prepared("natural_images"), "photograph").columns(TEST)
    crops, label = columns["input_0"].astype(np.float64), columns["label"]
    summary = np.concatenate([crops.mean(axis=(2, 3)), crops.std(axis=(2, 3))], axis=1)
    of_class = np.stack([summary[label == i].mean(axis=0) for i in range(len(PHOTOGRAPHS))])
    # the share of the variance between classes would be 0.01 on average if labels were drawn at random
    assert (of_class.var(axis=0) / summary.var(axis=0)).max() < 0.02


def test_class_names_fit_the_animals(prepared: Callable[[str], Domain]) -> None:
    prepared("natural_images")
    outlines, labels = read_animals(ANIMAL_MNIST.fetch(data_home() / "sources", print))
    shapes = outlines >= 128
    striped = ((outlines > 40) & (outlines < 215)).mean(axis=(1, 2))
    tall = shapes.any(axis=2).sum(axis=1) / shapes.any(axis=1).sum(axis=1)
    assert ANIMALS[int(np.argmax([striped[labels == i].mean() for i in range(10)]))] == "zebra"
    assert ANIMALS[int(np.argmax([np.median(tall[labels == i]) for i in range(10)]))] == "giraffe"
