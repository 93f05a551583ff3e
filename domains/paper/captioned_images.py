"""Captioned images: COCO to learn from; mismatched captions and visual questions; at 224×224 and 32×32 (paper32)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from dabs.data.domain import PRETRAIN, Card, Classes, Domain, Part, Rows, Task, Workspace
from dabs.domains.images import captions
from dabs.domains.images.pictures import SPECS, coco_resized
from dabs.domains.sources.hub import BERT, encode
from dabs.domains.sources.official import Archive, OfficialFiles, given
from dabs.domains.sources.rows import Item, Listing, rows
from dabs.specs import Tokens

LENGTH = 32  # tokens
_COCO = "http://images.cocodataset.org"
_VQA = "https://s3.amazonaws.com/cvmlp/vqa/mscoco/vqa"
_COCO_ARCHIVES = (
    Archive(url=f"{_COCO}/zips/train2017.zip", size=19_336_861_798, gives=("train2017/*.jpg",)),
    Archive(url=f"{_COCO}/zips/val2017.zip", size=815_585_330, gives=("val2017/*.jpg",)),
    Archive(
        url=f"{_COCO}/annotations/annotations_trainval2017.zip",
        size=252_907_541,
        unpacked=820_000_000,
        gives=("annotations/captions_train2017.json", "annotations/captions_val2017.json"),
    ),
)
COCO = OfficialFiles(name="mscoco", expects=given(_COCO_ARCHIVES), archives=_COCO_ARCHIVES)
# to know which pictures were learned from, the pictures of 2017 are not needed
COCO_CAPTIONS = OfficialFiles(
    name="mscoco", expects=("annotations/captions_train2017.json",), archives=COCO.archives[2:]
)


def _vqa(url: str, *gives: str, size: int = 0) -> Archive:
    return Archive(url=url, size=size, into="coco-vqa", gives=tuple(f"coco-vqa/{pattern}" for pattern in gives))


_VQA_ARCHIVES = (
    _vqa(f"{_COCO}/zips/train2014.zip", "train2014/*.jpg", size=13_510_573_713),
    _vqa(f"{_COCO}/zips/val2014.zip", "val2014/*.jpg", size=6_645_013_297),
    _vqa(
        f"{_COCO}/annotations/annotations_trainval2014.zip",
        "annotations/captions_train2014.json",
        "annotations/captions_val2014.json",
        size=252_872_794,
    ),
    *(_vqa(f"{_VQA}/Annotations_{s}_mscoco.zip", f"mscoco_{s.lower()}2014_annotations.json") for s in ("Train", "Val")),
    *(
        _vqa(f"{_VQA}/Questions_{s}_mscoco.zip", f"MultipleChoice_mscoco_{s.lower()}2014_questions.json")
        for s in ("Train", "Val")
    ),
)
VQA = OfficialFiles(name="vqa", expects=given(_VQA_ARCHIVES), archives=_VQA_ARCHIVES)


def _shown(workspace: Workspace, dataset: str, found: Listing, side: int) -> Iterator[Rows]:
    for split, items in found.items():
        workspace.say(f"decoding {len(items):,} pictures of {dataset}/{split}")
        tokens = _tokens(workspace, items)
        yield from rows(dataset, split, items, partial(coco_resized, side=side), tokens)


def _tokens(workspace: Workspace, items: list[Item]) -> np.ndarray:
    """Captions, or questions with an answer: int32 (items, 32)."""
    first = [item.text[0] for item in items]
    second = [item.text[1] for item in items] if len(items[0].text) == 2 else None
    return encode(workspace.sources[BERT.name], first, second, LENGTH)


def build_pretraining(workspace: Workspace, side: int) -> Iterator[Rows]:
    """COCO's training pictures with a caption each."""
    yield from _shown(workspace, PRETRAIN, captions.captioned(workspace.sources[COCO.name]), side)


def build_mismatched(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Pictures with their own or another caption."""
    yield from _shown(workspace, "mismatched_caption", captions.mismatched(workspace.sources[COCO.name]), side)


def build_vqa(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Pictures with a question and a right or a wrong answer."""
    found = captions.vqa(workspace.sources[VQA.name], workspace.sources[COCO_CAPTIONS.name])
    yield from _shown(workspace, "vqa", found, side)


CARD = Card(
    title="MSCOCO 2017 captions",
    origin="recorded",
    licence="annotations CC BY 4.0; the pictures under the licence each has on Flickr",
    citation="Lin et al., Microsoft COCO: common objects in context, ECCV 2014, arXiv:1405.0312; Chen et al., "
    "Microsoft COCO captions: data collection and evaluation server, arXiv:1504.00325",
    source="https://cocodataset.org; 118,287 pictures of train2017 with one of their five captions, a tenth to watch",
    size="20 GB of archives; prepared 18 GB at 224×224, 0.4 GB at 32×32, and as much for mismatched_caption",
)
TASKS = (
    Task(
        name="mismatched_caption",
        question="Does the caption belong to the picture?",
        target=Classes(names=("no", "yes")),
        metric="accuracy",
        split_by="picture",
        card=Card(
            title="MSCOCO 2017, mismatched captions",
            origin="recorded",
            licence=CARD.licence,
            citation=CARD.citation,
            source="https://cocodataset.org; train2017 (a tenth validates) and val2017, half of the captions moved",
            size=CARD.size,
            notes="The halves are drawn by numpy (seed 42, each split by itself); the reference draws other ones.",
        ),
    ),
    Task(
        name="vqa",
        question="Is this the right answer to the question about the picture?",
        target=Classes(names=("no", "yes")),
        metric="accuracy",
        split_by="picture",
        card=Card(
            title="VQA v1, multiple choice",
            origin="recorded",
            licence="annotations CC BY 4.0; the pictures under the licence each has on Flickr",
            citation="Antol et al., VQA: visual question answering, ICCV 2015, arXiv:1505.00468",
            source="https://visualqa.org/vqa_v1_download.html; train2014, of which a tenth validates, and val2014",
            size="20 GB of archives; prepared 40 GB at 224×224, 0.9 GB at 32×32",
            notes="Tested are the questions of val2014 about pictures outside train2017, about 5,000 of 40,504: the "
            "others were learned from, though without questions.",
        ),
    ),
)


def _domain(suite: str) -> Domain:
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


PAPER, PAPER32 = _domain("paper"), _domain("paper32")
