"""Captioned images: MSCOCO; mismatched captions and visual questions.

Images have 224×224 pixels (paper) or 32×32 (paper32).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from dabs.data.domain import PRETRAIN, Card, Classes, Domain, Part, Rows, Task, Workspace
from dabs.domains.images import captions
from dabs.domains.images.resize import SPECS, resize_coco
from dabs.domains.sources.decode import decode_rows
from dabs.domains.sources.hub import BERT, encode
from dabs.domains.sources.listing import Item, Listing
from dabs.domains.sources.official import Archive, OfficialFiles, provided_by
from dabs.specs import Tokens

LENGTH = 32  # tokens
_COCO = "http://images.cocodataset.org"
_VQA = "https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa"
_COCO_ARCHIVES = (
    Archive(url=f"{_COCO}/zips/train2017.zip", size=19_336_861_798, provides=("train2017/*.jpg",)),
    Archive(url=f"{_COCO}/zips/val2017.zip", size=815_585_330, provides=("val2017/*.jpg",)),
    Archive(
        url=f"{_COCO}/annotations/annotations_trainval2017.zip",
        size=252_907_541,
        unpacked=820_000_000,
        provides=("annotations/captions_train2017.json", "annotations/captions_val2017.json"),
    ),
)
COCO = OfficialFiles(name="mscoco", expects=provided_by(_COCO_ARCHIVES), archives=_COCO_ARCHIVES)
# the captions alone say which images are pretrained on; the images of 2017 are not needed for that
COCO_CAPTIONS = OfficialFiles(
    name="mscoco", expects=("annotations/captions_train2017.json",), archives=COCO.archives[2:]
)


def _vqa_archive(url: str, *provides: str, size: int = 0) -> Archive:
    return Archive(url=url, size=size, into="coco-vqa", provides=tuple(f"coco-vqa/{pattern}" for pattern in provides))


_VQA_ARCHIVES = (
    _vqa_archive(f"{_COCO}/zips/train2014.zip", "train2014/*.jpg", size=13_510_573_713),
    _vqa_archive(f"{_COCO}/zips/val2014.zip", "val2014/*.jpg", size=6_645_013_297),
    _vqa_archive(
        f"{_COCO}/annotations/annotations_trainval2014.zip",
        "annotations/captions_train2014.json",
        "annotations/captions_val2014.json",
        size=252_872_794,
    ),
    *(
        _vqa_archive(f"{_VQA}/Annotations_{s}_mscoco.zip", f"mscoco_{s.lower()}2014_annotations.json")
        for s in ("Train", "Val")
    ),
    *(
        _vqa_archive(f"{_VQA}/Questions_{s}_mscoco.zip", f"MultipleChoice_mscoco_{s.lower()}2014_questions.json")
        for s in ("Train", "Val")
    ),
)
VQA = OfficialFiles(name="vqa", expects=provided_by(_VQA_ARCHIVES), archives=_VQA_ARCHIVES)


def _decode_splits(workspace: Workspace, dataset: str, listing: Listing, side: int) -> Iterator[Rows]:
    for split, items in listing.items():
        workspace.say(f"decoding {len(items):,} images of {dataset}/{split}")
        tokens = _encode_texts(workspace, items)
        yield from decode_rows(dataset, split, items, partial(resize_coco, side=side), tokens)


def _encode_texts(workspace: Workspace, items: list[Item]) -> np.ndarray:
    """Encode captions, or questions with an answer: int32 (items, 32)."""
    first = [item.text[0] for item in items]
    second = [item.text[1] for item in items] if len(items[0].text) == 2 else None
    return encode(workspace.sources[BERT.name], first, second, LENGTH)


def build_pretraining(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield COCO's training images with one caption each."""
    listing = captions.list_captioned(workspace.sources[COCO.name])
    yield from _decode_splits(workspace, PRETRAIN, listing, side)


def build_mismatched(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield images with their own caption or that of another image."""
    yield from _decode_splits(
        workspace, "mismatched_caption", captions.list_mismatched(workspace.sources[COCO.name]), side
    )


def build_vqa(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield images with a question and a right or wrong answer."""
    listing = captions.list_vqa(workspace.sources[VQA.name], workspace.sources[COCO_CAPTIONS.name])
    yield from _decode_splits(workspace, "vqa", listing, side)


CARD = Card(
    title="MSCOCO 2017 captions",
    origin="recorded",
    licence="annotations CC BY 4.0; each image under its own licence on Flickr",
    citation="Lin et al., Microsoft COCO: common objects in context, ECCV 2014, arXiv:1405.0312; Chen et al., "
    "Microsoft COCO captions: data collection and evaluation server, arXiv:1504.00325",
    source="https://cocodataset.org; 118,287 images of train2017 with one of their five captions; a tenth validates",
    size="20 GB of archives; prepared 18 GB at 224×224, 0.4 GB at 32×32, and the same for mismatched_caption",
)
TASKS = (
    Task(
        name="mismatched_caption",
        question="Does the caption belong to the image?",
        target=Classes(names=("no", "yes")),
        metric="accuracy",
        split_by="image",
        card=Card(
            title="MSCOCO 2017, mismatched captions",
            origin="recorded",
            licence=CARD.licence,
            citation=CARD.citation,
            source="https://cocodataset.org; train2017 (a tenth validates) and val2017, half of their captions swapped",
            size=CARD.size,
            notes="numpy draws the halves (seed 42, each split by itself), so they differ from the reference's.",
        ),
    ),
    Task(
        name="vqa",
        question="Is this the right answer to the question about the image?",
        target=Classes(names=("no", "yes")),
        metric="accuracy",
        split_by="image",
        card=Card(
            title="VQA v1, multiple choice",
            origin="recorded",
            licence="annotations CC BY 4.0; each image under its own licence on Flickr",
            citation="Antol et al., VQA: visual question answering, ICCV 2015, arXiv:1505.00468",
            source="https://visualqa.org/vqa_v1_download.html; train2014, of which a tenth validates, and val2014",
            size="20 GB of archives; prepared 40 GB at 224×224, 0.9 GB at 32×32",
            notes="The test split has the questions of val2014 about images outside train2017, about 5,000 of 40,504; "
            "the encoder is pretrained on the others, though without questions.",
        ),
    ),
)


def _make_domain(suite: str) -> Domain:
    side = SPECS[suite].height
    return Domain(
        name="captioned_images",
        suite=suite,
        title="Captioned images" if suite == "paper" else "Captioned images (32×32)",
        specs=(SPECS[suite], Tokens(length=LENGTH, vocabulary=BERT.vocabulary)),
        card=CARD,
        tasks=TASKS,
        parts=(
            Part(dataset=PRETRAIN, sources=(COCO, BERT), build=partial(build_pretraining, side=side)),
            Part(dataset="mismatched_caption", sources=(COCO, BERT), build=partial(build_mismatched, side=side)),
            Part(dataset="vqa", sources=(VQA, COCO_CAPTIONS, BERT), build=partial(build_vqa, side=side)),
        ),
        encoder="paper",
        steps=100_000,
        batch_size=64,
    )


PAPER, PAPER32 = _make_domain("paper"), _make_domain("paper32")
