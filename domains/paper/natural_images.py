"""Natural images: ImageNet, and six labelled datasets.

Images have 224×224 pixels (paper) or 32×32 (paper32).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dabs.data.domain import PRETRAIN, Card, Domain, Part, Rows, Workspace
from dabs.domains.images import picture_sets
from dabs.domains.images.labelled_sets import LABELLED_SETS, TASKS, make_parts
from dabs.domains.images.resize import SPECS, resize
from dabs.domains.sources.decode import decode_rows
from dabs.domains.sources.listing import check_count
from dabs.domains.sources.official import OfficialFiles

IMAGENET = OfficialFiles(
    name="imagenet",
    expects=("train/n*/*.JPEG", "val*/*"),
    instructions="""
ImageNet-1k (ILSVRC2012) requires registration:
  1. Sign up at https://image-net.org/download-images and accept the terms (non-commercial research and education).
  2. Download ILSVRC2012_img_train.tar (138 GB) and ILSVRC2012_img_val.tar (6.3 GB).
  3. Unpack the first into train/, then each of its 1,000 archives nNNNNNNNN.tar into train/nNNNNNNNN/; unpack the
     second into val/ (with or without one folder per class; labels are not used).
""",
)
COUNT = 1_281_167 + 50_000  # images in both splits


def build_imagenet(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield the images of `train/`, and those of `val/` as the validation split, without labels."""
    count = 0
    for split, items in picture_sets.list_imagenet(workspace.sources[IMAGENET.name]):
        workspace.say(f"decoding ImageNet {split}")
        for block in decode_rows(PRETRAIN, split, items, partial(resize, side=side)):
            count += len(block.group)
            yield block
    check_count(workspace, count, COUNT)


CARD = Card(
    title="ImageNet-1k (ILSVRC2012)",
    origin="recorded",
    licence="ImageNet terms of access: non-commercial research and education; the images belong to their authors",
    citation="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015, arXiv:1409.0575",
    source="https://image-net.org/download-images; 1,281,167 training and 50,000 validation images, labels unused",
    size="144 GB of archives; prepared as bytes 200 GB at 224×224, 4.1 GB at 32×32",
    registration=True,
    notes="ImageNet's training set is known to contain some test images of CUB-200-2011.",
)


def _make_domain(suite: str) -> Domain:
    spec = SPECS[suite]
    return Domain(
        name="natural_images",
        suite=suite,
        title="Natural images" if suite == "paper" else "Natural images (32×32)",
        specs=(spec,),
        card=CARD,
        tasks=TASKS,
        parts=(
            Part(dataset=PRETRAIN, sources=(IMAGENET,), build=partial(build_imagenet, side=spec.height)),
            *make_parts(LABELLED_SETS, spec.height),
        ),
        encoder="paper",
        steps=100_000,
        batch_size=64,
    )


PAPER, PAPER32 = _make_domain("paper"), _make_domain("paper32")
