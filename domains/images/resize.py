"""Images as the paper shows them to the encoder: RGB, resized to a square.

They are stored as uint8 and read back as values in [0, 1]. An image takes 151 kB at 224×224 (193 GB for ImageNet) and
3 kB at 32×32. Images are decoded once, during preparation, so that training never waits for a decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dabs.domains.sources.listing import Item
from dabs.specs import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SPECS = {
    "open": Image(height=64, width=64, channels=3, patch=8),
    "paper": Image(height=224, width=224, channels=3, patch=16),
    "paper32": Image(height=32, width=32, channels=3, patch=4),
}
# the reference writes Resize((640, 480)), which torchvision reads as (height, width)
COCO_WIDTH, COCO_HEIGHT = 480, 640


def open_picture(item: Item) -> Picture:
    """Open the image of an item in RGB, cropped to its box if it has one."""
    from PIL import Image as Pillow

    if isinstance(item.source, np.ndarray):
        picture = Pillow.fromarray(item.source)
    else:
        with Pillow.open(item.source) as file:
            picture = file.convert("RGB")
    return picture.crop(item.box) if item.box else picture


def resize(item: Item, side: int) -> np.ndarray:
    """Resize bilinearly with antialiasing, as torchvision's Resize does with a Pillow image.

    Returns:
        uint8 (1, 3, side, side).
    """
    return _to_array(_resize_bilinear(open_picture(item), side, side))


def resize_coco(item: Item, side: int) -> np.ndarray:
    """Resize a COCO image as in the reference: to 480 wide and 640 high, its central 480×480, then to the side.

    Returns:
        uint8 (1, 3, side, side).
    """
    picture = _resize_bilinear(open_picture(item), COCO_WIDTH, COCO_HEIGHT)
    margin = (COCO_HEIGHT - COCO_WIDTH) // 2
    middle = picture.crop((0, margin, COCO_WIDTH, margin + COCO_WIDTH))
    return _to_array(_resize_bilinear(middle, side, side))


def _resize_bilinear(picture: Picture, width: int, height: int) -> Picture:
    from PIL import Image as Pillow

    return picture.resize((width, height), Pillow.Resampling.BILINEAR)


def _to_array(picture: Picture) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1)[None])
