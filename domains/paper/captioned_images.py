"""Captioned images: MSCOCO; mismatched captions and visual questions.

Images have 224×224 pixels (paper) or 32×32 (paper32).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from dabs.data.domain import PRETRAIN, Card, Domain, Part, Rows, Workspace
from dabs.domains.images import captions, coco
from dabs.domains.images.resize import SPECS
from dabs.domains.sources.hub import BERT
from dabs.domains.sources.official import OfficialFiles, provided_by

_COCO_ARCHIVES = (coco.TRAIN2017, coco.VAL2017, coco.ANNOTATIONS)
COCO = OfficialFiles(name="mscoco", expects=provided_by(_COCO_ARCHIVES), archives=_COCO_ARCHIVES)
# the captions alone say which images are pretrained on; the images of 2017 are not needed for that
COCO_CAPTIONS = OfficialFiles(
    name="mscoco", expects=("annotations/captions_train2017.json",), archives=(coco.ANNOTATIONS,)
)
_VQA_ARCHIVES = (
    coco.vqa_archive(f"{coco.COCO_URL}/zips/train2014.zip", "train2014/*.jpg", size=13_510_573_713),
    coco.vqa_archive(f"{coco.COCO_URL}/zips/val2014.zip", "val2014/*.jpg", size=6_645_013_297),
    coco.vqa_archive(
        f"{coco.COCO_URL}/annotations/annotations_trainval2014.zip",
        "annotations/captions_train2014.json",
        "annotations/captions_val2014.json",
        size=252_872_794,
    ),
    *coco.vqa_texts("Train", "Val"),
)
VQA = OfficialFiles(name="vqa", expects=provided_by(_VQA_ARCHIVES), archives=_VQA_ARCHIVES)


def build_pretraining(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield COCO's training images with one caption each."""
    listing = captions.list_captioned(workspace.sources[COCO.name])
    yield from coco.decode_splits(workspace, PRETRAIN, listing, side)


def build_mismatched(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield images with their own caption or that of another image."""
    yield from coco.decode_splits(
        workspace, "mismatched_caption", captions.list_mismatched(workspace.sources[COCO.name]), side
    )


def build_vqa(workspace: Workspace, side: int) -> Iterator[Rows]:
    """Yield images with a question and a right or wrong answer."""
    listing = captions.list_vqa(workspace.sources[VQA.name], workspace.sources[COCO_CAPTIONS.name])
    yield from coco.decode_splits(workspace, "vqa", listing, side)


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
    coco.make_task(
        name="mismatched_caption",
        question="Does the caption belong to the image?",
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
    coco.make_task(
        name="vqa",
        question="Is this the right answer to the question about the image?",
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
        specs=(SPECS[suite], coco.TOKENS),
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
