"""The labelled sets of natural images: files, tasks and cards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from dabs.data.domain import Card, Classes, Part, Source, Task
from dabs.domains.images import picture_sets
from dabs.domains.images.class_names import AIRCRAFT, BIRDS, CIFAR10, FLOWERS, SIGNS, TEXTURES
from dabs.domains.images.resize import resize
from dabs.domains.sources.decode import build_images
from dabs.domains.sources.listing import Listing
from dabs.domains.sources.official import Archive, OfficialFiles, provided_by

CIFAR = OfficialFiles(
    name="cifar10",
    expects=(*(f"cifar-10-batches-py/data_batch_{i}" for i in range(1, 6)), "cifar-10-batches-py/test_batch"),
    archives=(
        Archive(
            url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            checksum="md5:c58f30108f718f92721af3b95e74349a",
            size=170_498_071,
        ),
    ),
)
FGVC = OfficialFiles(
    name="aircraft",
    expects=(
        *(f"fgvc-aircraft-2013b/data/images_variant_{split}.txt" for split in ("train", "val", "test")),
        "fgvc-aircraft-2013b/data/variants.txt",
        "fgvc-aircraft-2013b/data/images_box.txt",
        "fgvc-aircraft-2013b/data/images/*.jpg",
    ),
    archives=(
        Archive(
            url="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/archives/fgvc-aircraft-2013b.tar.gz",
            size=2_750_000_000,
        ),
    ),
)
CUB = OfficialFiles(
    name="cu_birds",
    expects=(
        *(f"CUB_200_2011/{name}.txt" for name in ("images", "image_class_labels", "train_test_split")),
        "CUB_200_2011/images/*/*.jpg",
    ),
    archives=(
        Archive(
            url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            checksum="md5:97eceeb196236b17998738112f37df78",
            size=1_150_000_000,
        ),
    ),
)
DTD = OfficialFiles(
    name="dtd",
    expects=(*(f"dtd/labels/{split}1.txt" for split in ("train", "val", "test")), "dtd/images/*/*.jpg"),
    archives=(
        Archive(
            url="https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",
            checksum="md5:fff73e5086ae6bdbea199a49dfb8a4c1",
            size=625_000_000,
        ),
    ),
)
_SIGNS = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/GTSRB_Final"
_SIGN_ARCHIVES = (
    Archive(url=f"{_SIGNS}_Training_Images.zip", size=276_000_000, provides=("GTSRB/Final_Training/Images/*/*.ppm",)),
    Archive(
        url=f"{_SIGNS}_Test_Images.zip",
        checksum="md5:c7e4e6327067d32654124b0fe9e82185",
        size=89_000_000,
        provides=("GTSRB/Final_Test/Images/*.ppm",),
    ),
    Archive(
        url=f"{_SIGNS}_Test_GT.zip",
        checksum="md5:fe31e9c9270bbcd7b84b7f21a9d9d9e5",
        size=99_620,
        provides=("GT-final_test.csv",),
    ),
)
GTSRB = OfficialFiles(name="gtsrb", expects=provided_by(_SIGN_ARCHIVES), archives=_SIGN_ARCHIVES)
_FLOWERS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/102"
_FLOWER_ARCHIVES = (
    Archive(
        url=f"{_FLOWERS}/102flowers.tgz",
        checksum="md5:52808999861908f626f3c1f4e79d11fa",
        size=345_000_000,
        into="flowers-102",
        provides=("flowers-102/jpg/*.jpg",),
    ),
    Archive(
        url=f"{_FLOWERS}/imagelabels.mat",
        checksum="md5:e0620be6f572b9609742df49c70aed4d",
        size=502,
        into="flowers-102",
        unpack=False,
        provides=("flowers-102/imagelabels.mat",),
    ),
    Archive(
        url=f"{_FLOWERS}/setid.mat",
        checksum="md5:a5357ecc9cb78c4bef273ce3793fc85c",
        size=14_989,
        into="flowers-102",
        unpack=False,
        provides=("flowers-102/setid.mat",),
    ),
)
OXFORD = OfficialFiles(name="flowers", expects=provided_by(_FLOWER_ARCHIVES), archives=_FLOWER_ARCHIVES)
# images in all splits
COUNTS = {
    "cifar10": 50_000 + 10_000,
    "aircraft": 3_334 + 3_333 + 3_333,
    "cu_birds": 5_994 + 5_794,
    "dtd": 3 * 1_880,
    "traffic_sign": 39_209 + 12_630,
    "vgg_flower": 1_020 + 1_020 + 6_149,
}


def _make_card(title: str, licence: str, citation: str, source: str, size: str, notes: str = "") -> Card:
    return Card(
        title=title,
        origin="recorded",
        licence=licence,
        citation=citation,
        source=source,
        size=size,
        notes=notes,
    )


def _make_task(name: str, question: str, names: tuple[str, ...], split_by: str, card: Card) -> Task:
    return Task(
        name=name, question=question, target=Classes(names=names), metric="accuracy", split_by=split_by, card=card
    )


TASKS = (
    _make_task(
        "cifar10",
        "Which of ten things does this small image show?",
        CIFAR10,
        "image",
        _make_card(
            "CIFAR-10",
            "none stated; published for research",
            "Krizhevsky, Learning multiple layers of features from tiny images, 2009",
            "https://www.cs.toronto.edu/~kriz/cifar.html; 50,000 training and 10,000 test images",
            "170 MB archive; prepared 9.0 GB at 224×224, 184 MB at 32×32",
            "Validation is a tenth of each training class. About 3 % of the test images have near-twins in training.",
        ),
    ),
    _make_task(
        "aircraft",
        "Which of 100 variants of aircraft is this?",
        AIRCRAFT,
        "image",
        _make_card(
            "FGVC-Aircraft 2013b, variants",
            "non-commercial research only",
            "Maji et al., Fine-grained visual classification of aircraft, arXiv:1306.5151 (2013)",
            "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/; 3,334 train, 3,333 val and 3,333 test images",
            "2.75 GB archive; prepared 1.5 GB at 224×224, 31 MB at 32×32",
            "Cropped to the box. The official val list is the validation split; probes are refitted on train and val.",
        ),
    ),
    _make_task(
        "cu_birds",
        "Which of 200 species of bird is this?",
        BIRDS,
        "image",
        _make_card(
            "Caltech-UCSD Birds 200-2011",
            "non-commercial research and education only; the images belong to their authors",
            "Wah et al., The Caltech-UCSD Birds-200-2011 dataset, CNS-TR-2011-001 (2011)",
            "https://www.vision.caltech.edu/datasets/cub_200_2011/; 5,994 training and 5,794 test images",
            "1.15 GB archive; prepared 1.8 GB at 224×224, 36 MB at 32×32",
            "Validation is a tenth of each training class.",
        ),
    ),
    _make_task(
        "dtd",
        "Which of 47 textures is this?",
        TEXTURES,
        "image",
        _make_card(
            "Describable Textures Dataset, partition 1",
            "released to the research community for research",
            "Cimpoi et al., Describing textures in the wild, CVPR 2014, arXiv:1311.3618",
            "https://www.robots.ox.ac.uk/~vgg/data/dtd/; 1,880 images each in train1, val1 and test1",
            "625 MB archive; prepared 0.8 GB at 224×224, 17 MB at 32×32",
            "The official val1 list is the validation split; probes are refitted on train and val.",
        ),
    ),
    _make_task(
        "traffic_sign",
        "Which of 43 traffic signs is this?",
        SIGNS,
        "physical sign",
        _make_card(
            "German Traffic Sign Recognition Benchmark (GTSRB)",
            "free for research with citation",
            "Stallkamp et al., Man vs. computer: benchmarking machine learning algorithms for traffic sign "
            "recognition, Neural Networks 32 (2012)",
            "https://benchmark.ini.rub.de; 39,209 training and 12,630 test images",
            "365 MB of archives; prepared 7.8 GB at 224×224, 159 MB at 32×32",
            "Thirty frames show one physical sign; validation is a tenth of the signs of each class. Images are not "
            "cropped to the sign, which fills most of them.",
        ),
    ),
    _make_task(
        "vgg_flower",
        "Which of 102 flowers is this?",
        FLOWERS,
        "image",
        _make_card(
            "Oxford 102 Flowers",
            "none stated; images from the web, for research",
            "Nilsback and Zisserman, Automated flower classification over a large number of classes, ICVGIP 2008",
            "https://www.robots.ox.ac.uk/~vgg/data/flowers/102/; 1,020 train, 1,020 val and 6,149 test images",
            "345 MB archive; prepared 1.2 GB at 224×224, 25 MB at 32×32",
            "The official val set is the validation split; probes are refitted on train and val.",
        ),
    ),
)
LABELLED_SETS: dict[str, tuple[Source, Callable[[Path], Listing]]] = {
    "cifar10": (CIFAR, picture_sets.list_cifar10),
    "aircraft": (FGVC, picture_sets.list_aircraft),
    "cu_birds": (CUB, picture_sets.list_cu_birds),
    "dtd": (DTD, picture_sets.list_dtd),
    "traffic_sign": (GTSRB, picture_sets.list_traffic_sign),
    "vgg_flower": (OXFORD, picture_sets.list_vgg_flower),
}


def make_parts(names: Iterable[str], side: int) -> tuple[Part, ...]:
    """Return labelled datasets by their tasks' names, with images of `side` by `side` pixels."""
    return tuple(
        Part(
            dataset=name,
            sources=(LABELLED_SETS[name][0],),
            build=partial(
                build_images,
                dataset=name,
                source=LABELLED_SETS[name][0].name,
                list_items=LABELLED_SETS[name][1],
                decode=partial(resize, side=side),
                count=COUNTS[name],
            ),
            prepared=COUNTS[name] * 3 * side * side,
        )
        for name in names
    )
