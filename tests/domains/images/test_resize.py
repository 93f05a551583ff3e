"""Resizing equals the reference's transforms; boxes; conversion to RGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dabs.domains.images.resize import resize, resize_coco
from dabs.domains.sources.listing import Item
from tests.helpers.paper.layouts import picture


def reference(path: Path, *steps) -> np.ndarray:
    from torchvision import transforms

    with Image.open(path) as file:
        tensor = transforms.Compose([*steps, transforms.ToTensor()])(file.convert("RGB"))
    return tensor.numpy()


@pytest.mark.parametrize("side", [224, 32])
def test_resizing_equals_the_reference(samples, side):
    from torchvision import transforms

    path = sorted((samples.sample("imagenet") / "fullres/train").glob("*/*.JPEG"))[0]
    got = resize(Item(source=str(path), group="g"), side)
    assert got.shape == (1, 3, side, side)
    assert got.dtype == np.uint8
    expected = reference(path, transforms.Resize((side, side)), transforms.CenterCrop((side, side)))
    np.testing.assert_allclose(got[0] / 255, expected, atol=1e-6)


def test_coco_is_resized_to_480_by_640_and_cropped_as_in_the_reference(samples):
    from torchvision import transforms

    path = sorted((samples.sample("mscoco") / "train2017").glob("*.jpg"))[0]
    steps = (transforms.Resize((640, 480)), transforms.CenterCrop((480, 480)), transforms.Resize((224, 224)))
    got = resize_coco(Item(source=str(path), group="g"), 224)
    np.testing.assert_allclose(got[0] / 255, reference(path, *steps), atol=1e-6)


def test_the_aspect_ratio_is_not_kept(tmp_path):
    wide = np.zeros((10, 100, 3), np.uint8)
    wide[:, 50:] = 255
    got = resize(Item(source=wide, group="g"), 32)[0, 0]
    assert got[:, :14].max() == 0
    assert got[:, 18:].min() == 255


def test_a_box_crops_exactly_its_pixels():
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[10:40, 20:70] = 200
    got = resize(Item(source=pixels, group="g", box=(20, 10, 70, 40)), 16)
    assert got.min() == got.max() == 200


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA", "1", "I;16"])
def test_every_mode_becomes_three_channels(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode in ("CMYK", "I;16") else "x.png")
    if mode == "I;16":
        Image.fromarray(np.full((9, 9), 200, np.uint16)).save(path)
    else:
        with Image.open(picture(tmp_path / "y.png")) as file:
            file.convert(mode).save(path)
    assert resize(Item(source=str(path), group="g"), 16).shape == (1, 3, 16, 16)
