"""What each set of natural pictures holds and in which split: read from its official lists, sorted, nothing decoded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dabs.data.domain import TRAIN, VALIDATION, BuildError
from dabs.domains.images.classes import TEXTURES
from dabs.domains.sources.rows import Item, Listing, listing
from dabs.domains.sources.unpickle import _NumpyOnly


def imagenet(root: Path) -> Iterator[tuple[str, Iterator[Item]]]:
    """ILSVRC2012: `train/` and `val/` (or `validation/`), with a folder a class or, as val comes, without.

    The folders are walked here because ImageFolder refuses a flat `val/` and holds all 1.28 million paths; labels are
    not used.
    """
    val = next((root / name for name in ("val", "validation") if (root / name).is_dir()), root / "val")
    for split, folder in ((TRAIN, root / "train"), (VALIDATION, val)):
        inner = sorted(path for path in folder.iterdir() if path.is_dir()) or [folder]
        yield (
            split,
            (
                Item(source=str(path), group=f"{split}/{path.name}")
                for one in inner
                for path in sorted(one.iterdir())
                if path.suffix.lower() in (".jpeg", ".jpg")
            ),
        )


def cifar10(root: Path) -> Listing:
    """CIFAR-10 (python version): `cifar-10-batches-py/{data_batch_1..5,test_batch}`; the unit is the picture.

    The batches are pickles. torchvision unpickles whatever has the official md5 and refuses all else; here only numbers
    are admitted, so that no checksum has to be trusted, and a cut or re-made copy can be read.
    """
    folder = root / "cifar-10-batches-py"
    train = [item for number in range(1, 6) for item in _batch(folder / f"data_batch_{number}")]
    return listing(train, None, _batch(folder / "test_batch"))


def _batch(path: Path) -> list[Item]:
    try:
        content = _NumpyOnly(io.BytesIO(path.read_bytes()), encoding="latin1").load()
        data, labels = content["data"], content["labels"]
        *head, text = data.state  # Python 2 wrote bytes as text
        data.state = (*head, text.encode("latin1") if isinstance(text, str) else text)
        pixels = data.array().astype(np.uint8).reshape(len(labels), 3, 32, 32).transpose(0, 2, 3, 1)
    except BuildError:
        raise
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise BuildError(f"{path} is not a batch of CIFAR-10 ({error!r}). Remove it and prepare again.") from None
    pictures = zip(np.ascontiguousarray(pixels), labels, strict=True)
    return [Item(source=x, group=f"{path.name}/{i}", label=int(label)) for i, (x, label) in enumerate(pictures)]


def aircraft(root: Path) -> Listing:
    """FGVC-Aircraft 2013b, variants: official train, val and test lists, each picture cut to its box."""
    from torchvision.datasets import FGVCAircraft

    boxes = {}
    for line in (root / "fgvc-aircraft-2013b/data/images_box.txt").read_text().splitlines():
        name, left, top, right, bottom = line.split()
        boxes[name] = (int(left) - 1, int(top) - 1, int(right), int(bottom))  # given from 1, both ends included

    def split(name: str) -> list[Item]:
        """One of the official lists, sorted."""
        found = FGVCAircraft(root, split=name, annotation_level="variant")
        paths = zip(found._image_files, found._labels, strict=True)  # the only place where they are without decoding
        items = [Item(source=p, group=Path(p).stem, label=label, box=boxes[Path(p).stem]) for p, label in paths]
        return sorted(items, key=lambda item: item.group)

    return listing(split("train"), split("val"), split("test"))


def cu_birds(root: Path) -> Listing:
    """CUB-200-2011: `images.txt`, `image_class_labels.txt`, `train_test_split.txt` (1 is train), by picture."""
    folder = root / "CUB_200_2011"

    def column(name: str) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in (folder / name).read_text().splitlines())

    files, labels, train = column("images.txt"), column("image_class_labels.txt"), column("train_test_split.txt")
    sides: dict[str, list[Item]] = {"0": [], "1": []}
    for number in sorted(files, key=int):
        source = str(folder / "images" / files[number])
        sides[train[number]].append(Item(source=source, group=files[number], label=int(labels[number]) - 1))
    return listing(sides["1"], None, sides["0"])


def dtd(root: Path) -> Listing:
    """DTD, partition 1: `dtd/labels/{train1,val1,test1}.txt`, by picture."""
    from torchvision.datasets import DTD

    def split(name: str) -> list[Item]:
        """One of the official lists, sorted."""
        found = DTD(root.parent, split=name, partition=1)  # it adds the folder name `dtd` itself
        items = []
        for path in sorted(found._image_files):
            # the class by its name, because torchvision numbers those that its list happens to hold
            items.append(
                Item(source=str(path), group=f"{path.parent.name}/{path.name}", label=TEXTURES.index(path.parent.name))
            )
        return items

    return listing(split("train"), split("val"), split("test"))


def traffic_sign(root: Path) -> Listing:
    """GTSRB: `GTSRB/Final_Training/Images/CCCCC/TTTTT_FFFFF.ppm` (T is one physical sign) and the official test set.

    Read directly: torchvision's GTSRB takes the 26,640 training pictures of the first competition, not these 39,209.
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
    return listing(train, None, test)


def vgg_flower(root: Path) -> Listing:
    """Oxford Flowers 102: `flowers-102/{jpg/,imagelabels.mat,setid.mat}`, official train, val and test, by picture."""
    from torchvision.datasets import Flowers102

    class Unchecked(Flowers102):  # type: ignore[misc, unused-ignore]
        """Without the md5 of the two .mat files, which are checked where they are fetched and hold numbers only."""

        _file_dict = {name: (file, None) for name, (file, _) in Flowers102._file_dict.items()}  # noqa: RUF012

    def split(name: str) -> list[Item]:
        """One of the official lists, sorted."""
        found = Unchecked(root, split=name)
        pairs = sorted(zip(found._image_files, found._labels, strict=True))
        return [Item(source=str(path), group=path.name, label=int(label)) for path, label in pairs]

    try:
        return listing(split("train"), split("val"), split("test"))
    except KeyError as error:
        raise BuildError(f"{root / 'flowers-102'}: setid.mat names picture {error}, which has no label.") from None
