"""Pictures as the paper shows them to the encoder: RGB, resized without keeping the aspect ratio, uint8.

Values are kept as bytes and read back as [0, 1]. A picture takes 151 kB at 224×224 (193 GB for ImageNet) and 3 kB at
32×32; decoding happens once, at preparation, so that training never waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dabs.domains.sources.rows import Item
from dabs.specs import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SPECS = {
    "paper": Image(height=224, width=224, channels=3, patch=16),
    "paper32": Image(height=32, width=32, channels=3, patch=4),
}
COCO_WIDTH, COCO_HEIGHT = (
    480,
    640,
)  # the reference writes Resize((640, 480)), which torchvision reads as (height, width)


def open_picture(item: Item) -> Picture:
    """The item's picture in RGB, cut to its box."""
    from PIL import Image as Pillow

    if isinstance(item.source, np.ndarray):
        picture = Pillow.fromarray(item.source)
    else:
        with Pillow.open(item.source) as file:
            picture = file.convert("RGB")
    return picture.crop(item.box) if item.box else picture


def resized(item: Item, side: int) -> np.ndarray:
    """Bilinear with antialiasing, as torchvision's Resize does with a picture: uint8 (1, 3, side, side)."""
    return _array(_resize(open_picture(item), side, side))


def coco_resized(item: Item, side: int) -> np.ndarray:
    """480 wide and 640 high, the middle 480×480, then `side` × `side`: uint8 (1, 3, side, side)."""
    picture = _resize(open_picture(item), COCO_WIDTH, COCO_HEIGHT)
    margin = (COCO_HEIGHT - COCO_WIDTH) // 2
    middle = picture.crop((0, margin, COCO_WIDTH, margin + COCO_WIDTH))
    return _array(_resize(middle, side, side))


def _resize(picture: Picture, width: int, height: int) -> Picture:
    from PIL import Image as Pillow

    return picture.resize((width, height), Pillow.Resampling.BILINEAR)


def _array(picture: Picture) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1)[None])
