"""The images of each natural-image dataset by split, from its official lists.

Nothing is decoded here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dabs.data.domain import TRAIN, VALIDATION, BuildError
from dabs.domains.images.class_names import TEXTURES
from dabs.domains.sources.listing import Item, Listing, make_listing
from dabs.domains.sources.unpickle import load_numpy_only


def list_imagenet(root: Path) -> Iterator[tuple[str, Iterator[Item]]]:
    """List ILSVRC2012: `train/`, and `val/` or `validation/`, which may be flat; labels are not used.

    ImageFolder is not used because it refuses a flat folder and keeps all 1.28 million paths in memory.
    """
    val = next((root / name for name in ("val", "validation") if (root / name).is_dir()), root / "val")
    for split, folder in ((TRAIN, root / "train"), (VALIDATION, val)):
        subfolders = sorted(path for path in folder.iterdir() if path.is_dir()) or [folder]
        yield (
            split,
            (
                Item(source=str(path), group=f"{split}/{path.name}")
                for subfolder in subfolders
                for path in sorted(subfolder.iterdir())
                if path.suffix.lower() in (".jpeg", ".jpg")
            ),
        )


def list_tiny_imagenet(root: Path) -> Iterator[tuple[str, list[Item]]]:
    """List tiny-imagenet-200, `train/nNNNNNNNN/images/` and `val/images/`; labels are not used."""
    from torchvision.datasets import ImageFolder

    for split, folder in ((TRAIN, "train"), (VALIDATION, "val")):
        paths = sorted(path for path, _ in ImageFolder(root / "tiny-imagenet-200" / folder).samples)
        yield split, [Item(source=path, group=f"{split}/{Path(path).name}") for path in paths]


def list_cifar10(root: Path) -> Listing:
    """List CIFAR-10 (Python version), `cifar-10-batches-py/{data_batch_1..5,test_batch}`, by image.

    The batches are pickles. torchvision unpickles any file with the official MD5 and refuses all others. Here only
    arrays are unpickled, so no checksum has to be trusted, and a shortened or repackaged copy can be read.
    """
    folder = root / "cifar-10-batches-py"
    train = [item for number in range(1, 6) for item in _batch(folder / f"data_batch_{number}")]
    return make_listing(train, None, _batch(folder / "test_batch"))


def _batch(path: Path) -> list[Item]:
    try:
        content = load_numpy_only(path.read_bytes(), encoding="latin1")
        labels = content["labels"]
        pixels = content["data"].astype(np.uint8).reshape(len(labels), 3, 32, 32).transpose(0, 2, 3, 1)
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise BuildError(f"{path} is not a batch of CIFAR-10 ({error!r}). Remove it and prepare again.") from None
    pictures = zip(np.ascontiguousarray(pixels), labels, strict=True)
    return [Item(source=x, group=f"{path.name}/{i}", label=int(label)) for i, (x, label) in enumerate(pictures)]


def list_aircraft(root: Path) -> Listing:
    """List FGVC-Aircraft 2013b, variants, by the official lists; each image is cropped to its box."""
    from torchvision.datasets import FGVCAircraft

    boxes = {}
    for line in (root / "fgvc-aircraft-2013b/data/images_box.txt").read_text().splitlines():
        name, left, top, right, bottom = line.split()
        boxes[name] = (int(left) - 1, int(top) - 1, int(right), int(bottom))  # counted from 1, both ends included

    def items_of(split: str) -> list[Item]:
        """Return the items of an official list, sorted."""
        found = FGVCAircraft(root, split=split, annotation_level="variant")
        paths = zip(found._image_files, found._labels, strict=True)  # the only access that decodes no image
        items = [Item(source=p, group=Path(p).stem, label=label, box=boxes[Path(p).stem]) for p, label in paths]
        return sorted(items, key=lambda item: item.group)

    return make_listing(items_of("train"), items_of("val"), items_of("test"))


def list_cu_birds(root: Path) -> Listing:
    """List CUB-200-2011 by image: `images.txt`, `image_class_labels.txt`, `train_test_split.txt` (1 is train)."""
    folder = root / "CUB_200_2011"

    def column(name: str) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in (folder / name).read_text().splitlines())

    files, labels, train = column("images.txt"), column("image_class_labels.txt"), column("train_test_split.txt")
    splits: dict[str, list[Item]] = {"0": [], "1": []}
    for number in sorted(files, key=int):
        source = str(folder / "images" / files[number])
        splits[train[number]].append(Item(source=source, group=files[number], label=int(labels[number]) - 1))
    return make_listing(splits["1"], None, splits["0"])


def list_dtd(root: Path) -> Listing:
    """List DTD, partition 1, by image: `dtd/labels/{train1,val1,test1}.txt`."""
    from torchvision.datasets import DTD

    def items_of(split: str) -> list[Item]:
        """Return the items of an official list, sorted."""
        found = DTD(root.parent, split=split, partition=1)  # it adds the folder name `dtd` itself
        items = []
        for path in sorted(found._image_files):
            # the class by its name, because torchvision numbers only the classes in this list
            items.append(
                Item(source=str(path), group=f"{path.parent.name}/{path.name}", label=TEXTURES.index(path.parent.name))
            )
        return items

    return make_listing(items_of("train"), items_of("val"), items_of("test"))


def list_traffic_sign(root: Path) -> Listing:
    """List GTSRB: `GTSRB/Final_Training/Images/CCCCC/TTTTT_FFFFF.ppm` by physical sign T, and the official test set.

    torchvision's GTSRB is not used: it takes the 26,640 training images of the first competition, not these 39,209.
    """
    train = []
    for path in sorted((root / "GTSRB/Final_Training/Images").glob("*/*.ppm")):
        label = path.parent.name
        group = f"sign {label}/{path.stem.split('_')[0]}"
        train.append(Item(source=str(path), group=group, label=int(label)))
    folder, test = root / "GTSRB/Final_Test/Images", []
    with open(root / "GT-final_test.csv", newline="") as file:
        for row in sorted(csv.DictReader(file, delimiter=";", skipinitialspace=True), key=lambda row: row["Filename"]):
            name = row["Filename"]
            test.append(Item(source=str(folder / name), group=f"test {name}", label=int(row["ClassId"])))
    return make_listing(train, None, test)


def list_vgg_flower(root: Path) -> Listing:
    """List Oxford Flowers 102 by image, with its official splits: `flowers-102/{jpg/,imagelabels.mat,setid.mat}`."""
    from torchvision.datasets import Flowers102

    class UncheckedFlowers(Flowers102):  # type: ignore[misc, unused-ignore]
        """Does not check the MD5 of the two .mat files: they are checked when downloaded, and hold only numbers."""

        _file_dict = {name: (file, None) for name, (file, _) in Flowers102._file_dict.items()}  # noqa: RUF012

    def items_of(split: str) -> list[Item]:
        """Return the items of an official list, sorted."""
        found = UncheckedFlowers(root, split=split)
        pairs = sorted(zip(found._image_files, found._labels, strict=True))
        return [Item(source=str(path), group=path.name, label=int(label)) for path, label in pairs]

    try:
        return make_listing(items_of("train"), items_of("val"), items_of("test"))
    except KeyError as error:
        raise BuildError(f"{root / 'flowers-102'}: setid.mat names image {error}, which has no label.") from None
