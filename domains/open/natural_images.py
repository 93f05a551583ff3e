"""Natural images of 64×64 pixels: tiny-imagenet-200, and four labelled datasets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from dabs.data.domain import PRETRAIN, Card, Domain, Part, Rows, Task, Workspace
from dabs.domains.images import labelled_sets, picture_sets
from dabs.domains.images.resize import SPECS, resize
from dabs.domains.sources.decode import decode_rows
from dabs.domains.sources.listing import check_count
from dabs.domains.sources.official import Archive, OfficialFiles

SPEC = SPECS["open"]
SIDE = SPEC.height
COUNT = 100_000 + 10_000  # images in both splits
TINY_IMAGENET = OfficialFiles(
    name="tiny_imagenet",
    expects=("tiny-imagenet-200/train/n*/images/*.JPEG", "tiny-imagenet-200/val/images/*.JPEG"),
    archives=(
        Archive(
            url="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            checksum="md5:90528d7ca1a48142e341f4ef8d21d0de",  # as several libraries of datasets check it
            size=248_100_043,
            unpacked=300_000_000,
        ),
    ),
)
NAMES = ("cifar10", "dtd", "traffic_sign", "vgg_flower")


def build_pretraining(workspace: Workspace) -> Iterator[Rows]:
    """Yield the images of `train/`, and those of `val/` as the validation split, without labels."""
    count = 0
    for split, items in picture_sets.list_tiny_imagenet(workspace.sources[TINY_IMAGENET.name]):
        workspace.say(f"decoding {len(items):,} images of tiny-imagenet {split}")
        count += len(items)
        yield from decode_rows(PRETRAIN, split, items, partial(resize, side=SIDE))
    check_count(workspace, count, COUNT)


def _at_this_size(task: Task) -> Task:
    """Return a task whose card says how large it is when prepared here."""
    if task.card is None:
        return task
    archives = task.card.size.partition("; ")[0]
    megabytes = labelled_sets.COUNTS[task.name] * 3 * SIDE * SIDE / 1e6
    return replace(task, card=replace(task.card, size=f"{archives}; prepared {megabytes:.0f} MB at {SIDE}×{SIDE}"))


OPEN = Domain(
    name="natural_images",
    suite="open",
    title="Natural images",
    specs=(SPEC,),
    card=Card(
        title="tiny-imagenet-200",
        origin="recorded",
        licence="ImageNet terms of access: non-commercial research and education; the images belong to their authors",
        citation="Le and Yang, Tiny ImageNet visual recognition challenge, Stanford CS 231N, 2015; Russakovsky et al., "
        "ImageNet Large Scale Visual Recognition Challenge, IJCV 2015, arXiv:1409.0575",
        source="http://cs231n.stanford.edu/tiny-imagenet-200.zip, no account; 500 training and 50 validation images of "
        "each of 200 classes at 64×64, labels unused",
        size="248 MB archive; prepared 1.4 GB",
        notes="Its publisher gives no checksum; MD5 and size are those that public readers of it check. The licence is "
        "recalled. The images are ImageNet's at 64×64; STL-10, whose labelled images come from ImageNet too, is "
        "therefore no task here. Whether the web images of a task are also in ImageNet was not checked.",
    ),
    tasks=tuple(_at_this_size(task) for task in labelled_sets.TASKS if task.name in NAMES),
    parts=(
        Part(dataset=PRETRAIN, sources=(TINY_IMAGENET,), build=build_pretraining, prepared=COUNT * 3 * SIDE * SIDE),
        *labelled_sets.make_parts(NAMES, SIDE),
    ),
    encoder="paper",
    steps=20_000,
    batch_size=64,
)
